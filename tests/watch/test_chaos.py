"""A job that watches in bad weather: its process is killed, its events are lost, its stores fail; all is right after.

Somebody edits the source all the time. The events that tell of it are lost, late, repeated and in another order, the
servers refuse, drop and forget to answer, are gone for a moment now and then, and the process that watches is killed
without a warning again and again. After the last edit, one look at everything makes both sides equal; and nothing was
ever deleted that had been on the source for as long as the grace period.
"""

import contextlib
import random
import signal
import subprocess
import threading
import time

import pytest
import yaml

from cloudsync_core.testing.faults import drop_request, lose_answer, refuse
from tests.watch.conftest import SCRIPT
from tests.watch.edits import ANCHORS, Bucket, Directory, Edits
from tests.watch.history import Removals

SECONDS = 4.0
"""For how long the source is edited, unless it is a soak."""

GRACE = 0.5
LENIENCY = 0.5
"""Seconds that may pass between the last look at the source and the request that deletes, on a machine that is busy."""

RULES = {
    "workflow": "watch",
    "events": "unreliable",
    "delete": True,
    "max_delete": "100%",
    "settle": 0.05,
    "longest": 1.0,
    "grace": GRACE,
    "reconcile": 1.5,
    "retries": 3,
}


class Weather:
    """What becomes of requests.

    Args:
        dialect: of the server.
        dice: what chooses.

    Attributes:
        met: how many requests went wrong.
        out: nothing is answered at all.
    """

    def __init__(self, dialect, dice):
        self._dice = dice
        self._lock = threading.Lock()
        refusal = dialect.refusal
        self._faults = [refuse(refusal(503)), refuse(refusal(500)), drop_request(), lose_answer()]
        self.met = 0
        self.out = False

    def __call__(self, request, forward):
        with self._lock:
            fault = None
            if self.out:
                fault = drop_request()
            elif self._dice.random() < 0.04:
                fault = self._dice.choice(self._faults)
            self.met += fault is not None
        return forward() if fault is None else fault(request, forward)


class Watcher:
    """A process that watches, is killed after a while, and is started anew.

    Attributes:
        kills: how often it was.
    """

    def __init__(self, watchers, config, dice):
        self._watchers = watchers
        self._config = config
        self._dice = dice
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self._wrong = []
        self.kills = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        assert not self._wrong, f"it ended by itself: {self._wrong}"

    def _go_on(self):
        while not self._over.is_set():
            ending = self._watchers.run(self._config, kill_after=self._dice.uniform(0.3, 3.0))
            self.kills += 1
            if ending.code != -signal.SIGKILL:
                self._wrong.append((ending.code, ending.log[-3000:]))
                return


class Scene:
    """A source that somebody edits, a target, and a job between them."""

    def __init__(self, source, target, folder, seed):
        self.edits = Edits(source, random.Random(f"edits {seed}"))
        self._dice = random.Random(f"kills {seed}")
        self._seed = seed
        self.source, self.target = source, target
        self.folder = folder
        self.removals = Removals()
        self.weather = []

    def spoil(self, cloud):
        weather = Weather(cloud.dialect, random.Random(f"weather {self._seed} {len(self.weather)}"))
        cloud.proxy.disturb(lambda _: True, weather)
        self.weather.append((cloud.proxy, weather))

    def write_config(self, source, target):
        job = {**RULES, "source": source, "target": target}
        self.config = self.folder / "config.yaml"
        self.config.write_text(yaml.safe_dump({"version": 1, "state": "./state.db", "jobs": {"job": job}}))

    def live_through(self, watchers, seconds):
        """Edit, with servers that are gone now and then, while the process is killed again and again."""
        self.edits.begin()
        dice = random.Random(f"pauses {self._seed}")
        until = time.monotonic() + seconds
        with Watcher(watchers, self.config, self._dice) as watcher:
            back = 0.0
            while (now := time.monotonic()) < until:
                self.edits.make_one()
                time.sleep(dice.choice([0.0, 0.0, 0.01, 0.05, 0.1, 0.3]))
                if self.weather and dice.random() < 0.01:
                    dice.choice(self.weather)[1].out = True
                    back = now + dice.uniform(0.3, 1.5)
                elif now > back:
                    for proxy, weather in self.weather:
                        weather.out = False
                        del proxy.requests[:]
        return watcher.kills

    def reconcile(self, env):
        """Look at everything once, with all well."""
        for proxy, _ in self.weather:
            proxy.rule = self.calm[proxy]
        done = subprocess.run(
            [SCRIPT, "run", self.config, "--once"],
            env=env, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def seconds(soak, pytestconfig):
    """For how long the source is edited."""
    return float(pytestconfig.getoption("--soak-seconds")) if soak else SECONDS


@pytest.fixture
def scene(cloud, tmp_path, seed, request):
    """Return a function that makes a scene between two stores, given by their names; "file" is a directory."""
    with contextlib.ExitStack() as stack:

        def make(source_name, target_name):
            (work := tmp_path / "work").mkdir()
            clouds = {name: cloud(name)[0] for name in (source_name, target_name) if name != "file"}
            (directory := tmp_path / "directory").mkdir()
            local = Directory(directory)
            source = Bucket(clouds[source_name]) if source_name != "file" else local
            if source_name != "file":
                stack.callback(source.close)
            target = clouds.get(target_name, local)
            scene = Scene(source, target, work, f"{seed} {request.node.name}")
            if target_name == "file":
                stack.enter_context(scene.removals.watch_directory(directory))
            else:
                scene.removals.watch_store(target)
            scene.calm = {found.proxy: found.proxy.rule for found in clouds.values()}
            for found in clouds.values():
                scene.spoil(found)
            named = {name: found.config for name, found in clouds.items()} | {"file": str(directory)}
            scene.write_config(named[source_name], named[target_name])
            return scene

        yield make


@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize(
    "way",
    [("file", "s3"), ("file", "azure"), ("file", "gcs"), ("s3", "file"), ("s3", "gcs")],
    ids=["push-s3", "push-azure", "push-gcs", "pull-s3", "relay-s3-gcs"],
)
def test_all_is_right_in_the_end_and_nothing_was_deleted_by_mistake(scene, watchers, unreliable, seconds, way):
    scene = scene(*way)
    kills = scene.live_through(watchers, seconds)
    scene.reconcile(unreliable)
    assert scene.target.contents() == scene.source.contents()
    assert scene.removals.wrong(scene.edits.history, GRACE + LENIENCY) == []
    assert scene.edits.history.keys == sorted(scene.source.contents()), "the history is not that of the source"
    # Otherwise it has shown nothing.
    assert kills >= 2
    assert scene.removals.found
    assert all(weather.met for _, weather in scene.weather)
    assert not {key for key, _ in scene.removals.found} & set(ANCHORS)
