"""Announcers that are killed, in processes that this one forks: at every point of a run, or at random moments.

Prints at how many points or how often one was killed; complains, and ends with 1, where a change is not in the channel
just once.
"""

import collections
import os
import random
import signal
import sys
import time
from pathlib import Path

from cloudsync_core import crashpoints
from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.location import Location
from cloudsync_core.workflows.announcer import SMALL
from tests.workflows.announcements import Desk

CONTENTS = {"a": b"1", "b/c": b"2", "large": b"3" * (SMALL + 1)}


class Folder:
    """A directory that is made when it is written."""

    def __init__(self, path):
        self.path = path

    def open(self):
        return FileBackend(Location("file", str(self.path)), FileOptions(fsync=False, create=True))


def desk(place):
    (place / "source").mkdir(parents=True)
    return Desk(Folder(place / "source"), Folder(place / "channel"), place / "state.db")


def forked(work):
    """Return the exit code of a process that does some work; negative numbers are signals."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def check(found, expected, where):
    times = collections.Counter(found)
    wrong = {name: times[name] for name in {*times, *expected} if times[name] != 1 or name not in expected}
    if wrong:
        sys.exit(f"{where}: how often each is in the channel: {wrong}")


def points(place):
    """Kill a run at each point that it passes."""
    number = 0
    while True:
        number += 1
        world = desk(place / str(number))
        for name, content in CONTENTS.items():
            path = world.source.path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)

        def die(world=world, number=number):
            crashpoints.arm(str(number))
            world.announce()

        code = ended(forked(die))
        if code not in {0, crashpoints.EXIT_CODE}:
            sys.exit(f"point {number}: it ended with {code}")
        report = world.announce()
        if report.status != "done":
            sys.exit(f"point {number}: {report.message}")
        check(world.said(), list(CONTENTS.items()), f"point {number}")
        if code == 0:
            return number - 1


def moments(place):
    """Kill what follows a directory again and again, while files are written there."""
    chance = random.Random(7)
    world = desk(place)
    kills = 0
    written = []
    until = time.monotonic() + 4
    number = 0
    while time.monotonic() < until:
        child = forked(lambda: world.announce(follow=True, settle=0.05))
        end = time.monotonic() + chance.uniform(0.03, 0.4)
        while time.monotonic() < end:
            number += 1
            name = f"{number:05}"
            (world.source.path / name).write_text(name)
            written.append((name, name.encode()))
            time.sleep(chance.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        ended(child)
        kills += 1
    world.announce(follow=True, settle=0.05, once=True)
    check(world.said(), written, "at the end")
    return kills


if __name__ == "__main__":
    how = {"points": points, "moments": moments}[sys.argv[1]]
    sys.stdout.write(f"{how(Path(sys.argv[2]))}\n")
