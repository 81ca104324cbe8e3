"""A job, what happens to its two sides between runs, and an oracle that each of its runs has to satisfy.

The oracle is the catalogue's T4. It reads both sides by itself before and after a run, and knows nothing of how a run
comes to what it does.
"""

import contextlib
import dataclasses
import itertools
import logging
import random
import shutil
import time
from unittest import mock

from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.progress import Progress
from cloudsync_core.keys import is_marker
from cloudsync_core.runs import Counts
from cloudsync_core.testing.faults.faulty import PASSING, Faulty, at_random
from cloudsync_core.testing.faults.troubles import Flip
from tests.histories.doom import Died, Doom, Doomed
from tests.histories.sides import EDITS
from tests.workflows.world import World

KEYS = ("a", "b", "c", "c/d", "c/e", "c.d", "k.tmp", "c/k.tmp", "é", "d/e/f", "d/e/g")

FILTERS = {
    "everything": ({}, lambda key: True),
    "no temporary files": (
        {"exclude": ["*.tmp"]},
        lambda key: not any(part.endswith(".tmp") for part in key.split("/")),
    ),
    "not one folder": ({"exclude": ["/c/"]}, lambda key: not key.startswith("c/")),
    "no name that ends so": ({"exclude_regex": ["[ab]$"]}, lambda key: key[-1] not in "ab"),
}

SECOND = 10**9
HOUR = 3600 * SECOND

AGES = (0, -1, 1, -(10**7), -SECOND, SECOND, HOUR, -24 * HOUR)
"""Nanoseconds by which a modification time is set off."""

CANARY = "canary-7f3a9c"
"""Stands in the metadata of every object where the target keeps any, and must not be told to anybody."""

TICK = 0.012
"""Seconds after which a change of a file has another time than one before; a clock that is wrong cannot wait for it."""


class Impatient(Stop):
    """Ends a run like any other, and lets nobody wait for a retry."""

    def wait(self, timeout=None):
        return self.is_set()


@dataclasses.dataclass
class Seen:
    """What one run was, as far as anybody can tell from outside.

    Attributes:
        rules: of the job.
        source, before, after: what the sides held, by key; the target before and after the run.
        report: what it reported; `None` of a run that died.
        events: what it told meanwhile.
        planned: actions that it planned.
    """

    rules: dict
    source: dict
    before: dict
    after: dict
    report: object
    events: list
    planned: int

    @property
    def finished(self):
        return [event.outcome for event in self.events if hasattr(event, "outcome")]

    @property
    def left_out(self):
        return {event.key: event.reason for event in self.events if type(event).__name__ == "KeyLeftOut"}

    @property
    def failed(self):
        return {outcome.action.key: outcome for outcome in self.finished if outcome.status == "failed"}

    @property
    def trace(self):
        """What the run did and told, in its order, without what differs from one run to the next by its nature."""
        done = [(o.action.kind, o.action.key, o.action.reason, o.status, o.cause, o.verified) for o in self.finished]
        return done, sorted(self.left_out.items()), self.report and (self.report.status, self.report.counts)


def objects(held):
    """Leave out the markers of folders."""
    return {key: data for key, data in held.items() if not is_marker(key)}


def in_conflict(key, others):
    """Tell whether no tree can hold a key beside others."""
    return any(is_below(key, other) or is_below(other, key) for other in others)


def is_below(key, folder):
    """Tell whether a key lies in a folder of that name."""
    return key.startswith(folder.removesuffix("/") + "/") and (key != folder)


class Sandbox:
    """Two sides, a job between them, and everything that happens to them.

    Args:
        source: the side that is read.
        target: the side that is written.
        folder: for the state database.
        secrets: what the options of the sides hold that nobody may be told.
    """

    def __init__(self, source, target, folder, secrets=()):
        self.source, self.target = source, target
        self.state = folder / "state" / "state.db"
        self._kept = folder / "kept"
        self._serial = itertools.count(1)
        self._secrets = {CANARY, *secrets}
        self.filter = "everything"
        self._used = {"everything"}
        self._skew = 0.0
        self._clean = True
        self._log = []
        self.seen = []

    # What happens between runs.

    def work(self, side, dice, edits):
        """Edit a side as people do, by chance."""
        chance = random.Random(dice)
        for _ in range(edits):
            how = chance.choices(list(EDITS), EDITS.values())[0]
            self.edit(side, how, chance.choice(KEYS), chance.choice(KEYS), chance.choice(AGES))

    def edit(self, side, how, key, other, when=0):
        """Edit a side; what is written was never written before."""
        number = next(self._serial)
        getattr(self, side).edit(how, key, other, f"{number:06}".encode() + b"." * (number % 5), when)

    def let_pass(self, dice):
        """Let some time pass, in which both sides are edited, the source more than the target."""
        chance = random.Random(dice)
        self.work("source", chance.random(), chance.randint(0, 5))
        self.work("target", chance.random(), chance.randint(0, 2))

    def set_clock(self, skew):
        """Have the clock of the following runs differ from everybody else's by seconds."""
        self._skew = skew

    def keep_state(self, number):
        """Keep a copy of the state database."""
        if self.state.exists():
            shutil.rmtree(self._kept / str(number), ignore_errors=True)
            shutil.copytree(self.state.parent, self._kept / str(number))

    def restore_state(self, number):
        """Bring an old copy back; the state is lost where there is none."""
        shutil.rmtree(self.state.parent, ignore_errors=True)
        if (self._kept / str(number)).exists():
            shutil.copytree(self._kept / str(number), self.state.parent)

    def close(self):
        """Close what looks at the sides."""
        self.source.close()
        self.target.close()

    # Runs.

    def run(self, *, doom=None, faults=None, dry_run=False, **rules):
        """Run the job once, and hold it to what every run promises.

        Args:
            doom: ends it.
            faults: called with a side; returns what goes wrong there.
            dry_run: rehearse only.
            rules: of the job.
        """
        rules = {"transfers": 1, "allow_empty_source": True, **FILTERS[self.filter][0], **rules}
        source, before = self.source.read(), self.target.read()
        stop, progress, report = Impatient(), Progress(), None

        def opened(side):
            backend = getattr(self, side).open()
            if faults is not None:
                backend = Faulty(backend, faults(side))
            return backend if doom is None else Doomed(backend, doom)

        header = [{"match": ["*"], "metadata": {"canary": CANARY}}]
        world = World(lambda: opened("source"), lambda: opened("target"), self.state, rules={"headers": header})
        with (
            self._logged(),
            self._clock(),
            doom.looming() if doom else contextlib.nullcontext(),
            contextlib.suppress(Died),
        ):
            report = world.mirror(stop=stop, progress=progress, dry_run=dry_run, **rules)
        if self._skew:
            time.sleep(TICK)
        self._used.add(self.filter)
        after = self.target.read()
        seen = Seen(rules, source, before, after, report, world.events, progress.planned_objects)
        self.seen.append(seen)
        assert self.source.read() == source
        self._check(seen, doubtful=faults is not None)
        if dry_run:
            assert after == before
        return seen

    def mirror(self, **rules):
        """Run undisturbed, and hold the run to what such a run promises; with deletes, twice."""
        seen = self.run(**rules)
        self._check_complete(seen)
        if rules.get("delete") and seen.report.status != "refused":
            # A folder that was emptied by deletes needs its marker from the next run; and nothing else is left to do.
            again = self.run(**rules)
            self._check_complete(again)
            if rules.get("compare", "auto") == "auto":
                assert {
                    o.action.key for o in again.finished if o.status == "done" and not is_marker(o.action.key)
                } == set()
            self._check_markers(again)
            assert self.target.litter() == [] or not self._clean

    def crash(self, moment, *, keep_base, **rules):
        """Let a run die at a moment; the base that it would have saved then is lost, or it was saved just in time."""
        self.keep_state("before the crash")
        doom = Doom(moment)
        seen = self.run(doom=doom, **rules)
        self._clean = self._clean and not doom.dead
        if doom.dead and not keep_base:
            self.restore_state("before the crash")
        shutil.rmtree(self._kept / "before the crash", ignore_errors=True)
        return seen

    def stumble(self, seed, rate, **rules):
        """Run while calls fail by chance."""

        def faults(side):
            # Between a directory and this process no bit is lost, or no digest that it is asked for would be of use.
            sound = getattr(self, side).hierarchical
            troubles = [trouble for trouble in PASSING if not (sound and isinstance(trouble, Flip))]
            return at_random(f"{seed}/{side}", rate, troubles)

        return self.run(faults=faults, **rules)

    @contextlib.contextmanager
    def _logged(self):
        """Keep everything that is logged in a block, down to the least of it."""
        handler = logging.Handler()
        handler.emit = lambda record: self._log.append(record.getMessage())
        logger = logging.getLogger()
        level = logger.level
        self._log.clear()
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(handler)

    @contextlib.contextmanager
    def _clock(self):
        now, now_ns = time.time, time.time_ns
        with contextlib.ExitStack() as stack:
            if self._skew:
                stack.enter_context(mock.patch.object(time, "time", side_effect=lambda: now() + self._skew))
                stack.enter_context(
                    mock.patch.object(time, "time_ns", side_effect=lambda: now_ns() + int(self._skew * 1e9))
                )
            yield

    # What is promised.

    def wanted(self, held):
        return {key: data for key, data in objects(held).items() if FILTERS[self.filter][1](key)}

    def _check(self, seen, *, doubtful):
        """Check what holds of every run, however it ends."""
        source, before, after = (self.wanted(held) for held in (seen.source, seen.before, seen.after))
        excluded = [
            {key: data for key, data in objects(held).items() if key not in wanted}
            for held, wanted in ((seen.before, before), (seen.after, after))
        ]
        assert excluded[0] == excluded[1], "P9: an excluded object was touched"
        wrong = {key for key, data in after.items() if data not in (before.get(key), source.get(key))}
        if doubtful:
            wrong -= {key for key, outcome in seen.failed.items() if outcome.cause == "IntegrityError"}
        assert wrong == set(), ("P3, P4: the target holds what nobody wrote, and nobody said so", wrong)
        self._check_deletes(seen, source, before, after, doubtful=doubtful)
        if seen.report is not None:
            self._check_counts(seen, source, before)
            if not doubtful and not seen.report.run.dry_run:
                self._check_nothing_else_failed(seen)
        self._check_secrets(seen)

    def _check_secrets(self, seen):
        """Check what is kept and shown; a listener is a program, and told what it can look up itself."""
        kept = [path.read_bytes().decode("latin-1") for path in self.state.parent.glob("*")]
        shown = [str(outcome.error) for outcome in seen.finished] + list(seen.left_out.values())
        told = [str(seen.report), *kept, *shown, *self._log]
        assert not [text for text in told if any(secret in text for secret in self._secrets)], "a secret was told"

    def _check_deletes(self, seen, source, before, after, *, doubtful):
        gone = set(before) - set(after)
        if doubtful:
            # What could not be written rightly is withdrawn, and what it was to replace was to go anyway.
            gone -= {key for key in seen.failed if key in source}
        assert not gone or seen.rules.get("delete"), "an object was deleted by a job that deletes nothing"
        assert gone.isdisjoint(source), "an object was deleted that the source has"
        if gone:
            late = {key for key in source if in_conflict(key, {*seen.before, *seen.source, *self.target.links()})}
            missing = {key for key in source if after.get(key) != source[key]} - late - set(seen.left_out)
            assert missing == set(), "P1: something was deleted before everything was transferred"
            assert not any(reason.startswith("unreadable") for reason in seen.left_out.values())

    def _check_counts(self, seen, source, before):
        report, counts = seen.report, seen.report.counts
        done = [outcome for outcome in seen.finished if outcome.status == "done"]
        if not report.run.dry_run:
            assert len(done) == counts.added + counts.updated + counts.deleted
            assert len(seen.failed) == counts.failed
        if report.status in {"done", "partial"} and not report.run.dry_run:
            assert seen.planned == len(seen.finished) + report.deletes_withheld, "planned = done + failed + skipped"
        if report.status == "done":
            assert not counts.failed
            assert not counts.unknown
        if report.status in {"done", "partial"} and not seen.left_out and not self._trees():
            total = sum(getattr(counts, name) for name in Counts.__slots__) + report.deletes_withheld
            assert total == len(self._counted(seen.source) | self._counted(seen.before))

    def _counted(self, held):
        return {key for key in held if FILTERS[self.filter][1](key)}

    def _trees(self):
        return self.source.hierarchical or self.target.hierarchical

    def _check_nothing_else_failed(self, seen):
        """Check that what failed failed for the one reason that there can be: the place is taken."""
        taken = {*seen.source, *seen.after, *self.target.links()}
        assert all(self.target.hierarchical and in_conflict(key, taken) for key in seen.failed), seen.failed
        assert {outcome.cause for outcome in seen.failed.values()} <= {"KeyBlockedError"}

    def _check_complete(self, seen):
        """Check what holds of a run that nothing disturbed: the target is the source, but for what was reported."""
        source, before, after = (self.wanted(held) for held in (seen.source, seen.before, seen.after))
        if seen.report.status == "refused":
            assert (seen.rules.get("max_delete", "100%"), seen.rules["allow_empty_source"]) != ("100%", True)
            assert set(before) <= set(after)
            return
        assert seen.report.status in {"done", "partial"}, seen.report
        reported = set(seen.failed) | set(seen.left_out)
        missing = {key for key in source if after.get(key) != source[key]}
        assert missing <= reported, "an object is not on the target, and nobody said so"
        links = self.target.links()
        for key in missing - set(seen.failed):
            assert any(key == link or key.startswith(link + "/") for link in links), (key, seen.left_out)
        more = set(after) - set(source)
        if seen.rules.get("delete"):
            self._check_what_stayed(seen, more, source)
        else:
            assert {key for key in before if key not in after} == set()

    def _check_what_stayed(self, seen, more, source):
        """Check that what the source does not have stays for a reason."""
        links = self.source.links()
        for key in more:
            covered = any(key == link or key.startswith(link + "/") for link in links)
            brought_in = seen.left_out.get(key) == "filter-changed" and not seen.rules.get("accept_filter_change")
            if brought_in:
                assert any(not FILTERS[used][1](key) for used in self._used), "it was in scope all the time"
            withheld = seen.report.deletes_withheld and self._hindered(seen)
            assert covered or brought_in or withheld, (key, seen.left_out, seen.report)
            if covered or brought_in:
                assert key in seen.left_out or covered

    def _hindered(self, seen):
        return bool(seen.failed) or bool(seen.report.counts.unknown)

    def _check_markers(self, seen):
        """Check the empty folders, once nothing else is left to do."""
        if self._trees() or seen.left_out or seen.failed or self.filter != "everything":
            return
        assert seen.after == seen.source
