"""Large objects whose transfer a crash has cut short: the next run sends little of them again (H03, D14, D15)."""

import hashlib
import os
import random
import signal
import threading

import pytest
import yaml

from cloudsync_core.engine.resuming import RESUMED_FROM
from cloudsync_core.engine.state import State
from cloudsync_core.engine.unfinished import records
from tests.cli.conftest import wait_for

MIB = 1024 * 1024
SIZE = RESUMED_FROM + 8 * MIB + 4321
CONTENT = random.Random(5).randbytes(SIZE)
CUT = 137


class World:
    """A directory ./site with a large file, and a container behind a proxy that counts.

    Attributes:
        proxy: what stands before the server.
        bytes_up: what it has passed on to the server since the last run began, at least its content.
        bytes_down: likewise what came from there.
    """

    def __init__(self, folder, cloudsync, proxy, scheme, container):
        self.folder = folder
        self.proxy = proxy
        self._cloudsync = cloudsync
        self._scheme = scheme
        self._container = container
        self.bytes_up = self.bytes_down = 0
        self._lock = threading.Lock()
        proxy.rule = self._count
        (folder / "site").mkdir()
        self.write(CONTENT)

    def _count(self, request, forward):
        answer = forward(request)
        with self._lock:
            # Those of a part are counted when the server has them.
            self.bytes_up += len(request.body)
            self.bytes_down += len(answer.body)
            self.proxy.requests.clear()
        return answer

    def write(self, content):
        (self.folder / "site/large").write_bytes(content)
        # Not so young that its next change might not show.
        os.utime(self.folder / "site/large", ns=(1_700_000_000_000_000_000,) * 2)

    @property
    def store(self):
        return {"url": f"{self._scheme}://{self._container}/x", "options": self.proxy.server.options}

    def configure(self, source, target, **rules):
        job = {"source": source, "target": target, "transfers": 2, **rules}
        (self.folder / "config.yaml").write_text(yaml.safe_dump({"version": 1, "jobs": {"job": job}}))

    def up(self, **rules):
        self.configure("./site", self.store, **rules)

    def down(self):
        self.configure(self.store, "./back")

    def run(self, *, crash=None, code=0):
        """Run the job; return its report, `None` of one that died. `bytes_up` and `bytes_down` are counted anew."""
        self.bytes_up = self.bytes_down = 0
        env = {} if crash is None else {"CLOUDSYNC_CRASH_AT": crash}
        result = self._cloudsync("run", "config.yaml", "--json", code=CUT if crash else code, env=env)
        return None if crash else result.report

    @property
    def back(self):
        """What has come back, by its name; nothing else may be beside it."""
        return {path.name: path.read_bytes() for path in (self.folder / "back").iterdir()}

    @property
    def temporary(self):
        """The temporary file that a crash has left."""
        [found] = (self.folder / "back").glob(".cs-*.tmp")
        return found

    @property
    def recorded(self):
        with State(self.folder / ".cloudsync/state.db", read_only=True) as state:
            return [record for job in range(1, 4) for record in records(state, job)]

    @property
    def stored(self):
        return self.proxy.server.contents(self._container).get("x/large")

    def leftovers(self):
        """What `gc` finds that does not go by itself."""
        result = self._cloudsync("gc", "config.yaml", "--json")
        return [event for event in result.events if event["event"] == "leftover" and event["fate"] != "expires"]


@pytest.fixture(params=["s3", "azure", "gcs"])
def world(request, folder, cloudsync):
    """Each provider in turn."""
    fixture, scheme, make = {
        "s3": ("moto_proxy", "s3", lambda server: server.make_bucket()),
        "azure": ("azurite_proxy", "az", lambda server: server.make_container()),
        "gcs": ("gcs_proxy", "gs", lambda server: server.make_bucket()),
    }[request.param]
    proxy = request.getfixturevalue(fixture)
    return World(folder, cloudsync, proxy, scheme, make(proxy.server))


@pytest.fixture
def uploading(world):
    """An upload has died."""
    world.up()
    world.run(crash="put.part.sent:3")
    assert [record.key for record in world.recorded] == ["large"]
    return world


@pytest.fixture
def downloading(world):
    """A download has died."""
    world.up()
    world.run()
    world.down()
    world.run(crash="get.chunk.written:24")
    assert [(record.key, record.token) for record in world.recorded] == [("large", world.temporary.name)]
    assert 20 * MIB < world.temporary.stat().st_size < SIZE
    return world


ONE = pytest.mark.parametrize("world", ["s3"], indirect=True)


class TestAnUpload:
    def test_H03_goes_on_after_a_crash(self, uploading):
        report = uploading.run()
        assert report["counts"]["added"] == 1
        assert uploading.stored == CONTENT
        assert uploading.bytes_up < 0.6 * SIZE, f"{uploading.bytes_up / SIZE:.0%} were sent again"
        assert report["bytes_transferred"] + report["bytes_resumed"] == SIZE
        assert report["bytes_resumed"] > 0.4 * SIZE
        assert uploading.recorded == []
        assert uploading.leftovers() == []
        assert uploading.run()["counts"]["unchanged"] == 1

    @ONE
    def test_what_is_there_does_not_count_against_the_limit(self, uploading):
        uploading.up(bwlimit="8MiB")
        report = uploading.run()
        assert report["bytes_resumed"] > 0.4 * SIZE
        assert report["seconds"] < 0.8 * SIZE / (8 * MIB), "as long as if all had been sent again"

    @ONE
    def test_H01_begins_anew_when_the_source_has_changed(self, uploading):
        uploading.write(CONTENT[::-1])
        report = uploading.run()
        assert (report["counts"]["added"], report["bytes_resumed"]) == (1, 0)
        assert uploading.stored == CONTENT[::-1]
        assert uploading.recorded == []
        assert uploading.leftovers() == []

    def test_D08_ctrl_c_leaves_nothing(self, world, start):
        world.up(bwlimit="16MiB")
        process = start("run", "config.yaml")
        wait_for(lambda: world.recorded or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert process.returncode == 130
        assert world.stored is None
        assert world.leftovers() == []


class TestADownload:
    def test_H03_goes_on_after_a_crash(self, downloading):
        held = downloading.temporary.stat().st_size
        report = downloading.run()
        assert downloading.back == {"large": CONTENT}
        assert downloading.bytes_down < 0.6 * SIZE, f"{downloading.bytes_down / SIZE:.0%} were read again"
        assert (report["bytes_resumed"], report["bytes_transferred"]) == (held, SIZE - held)
        assert report["verified"] == {"md5": 1}
        assert downloading.recorded == []
        assert downloading.run()["counts"]["unchanged"] == 1

    @ONE
    def test_D18_finds_out_what_was_damaged_meanwhile(self, downloading):
        with downloading.temporary.open("r+b") as file:
            file.seek(5 * MIB)
            file.write(b"damaged")
        report = downloading.run()
        assert downloading.back == {"large": CONTENT}
        assert (report["counts"]["added"], report["bytes_resumed"]) == (1, 0)

    @ONE
    def test_H01_begins_anew_when_the_source_has_changed(self, downloading):
        downloading.write(CONTENT[::-1])
        downloading.up()
        downloading.run()
        downloading.down()
        report = downloading.run()
        assert downloading.back == {"large": CONTENT[::-1]}
        assert report["bytes_resumed"] == 0


@ONE
class TestAProcessThatIsKilled:
    """By SIGKILL, in the middle; of 600 MiB with --soak."""

    @pytest.fixture
    def size(self, world, soak):
        if soak:
            with (world.folder / "site/large").open("wb") as file:
                for number in range(600):
                    file.write(random.Random(number).randbytes(MIB))
        return (world.folder / "site/large").stat().st_size

    @staticmethod
    def kill_when(process, reached):
        wait_for(lambda: reached() or process.poll() is not None, seconds=300)
        assert process.poll() is None, "it ended before it could be killed"
        process.kill()
        process.communicate()

    def test_sends_less_than_60_percent_again(self, world, start, size):
        world.up()
        world.bytes_up = 0
        self.kill_when(start("run", "config.yaml"), lambda: world.bytes_up > 0.5 * size)
        world.run()
        print(f"{world.bytes_up / size:.1%} of {size} bytes were sent again")
        assert world.bytes_up < 0.6 * size
        assert sha256_of(world.stored) == sha256_of((world.folder / "site/large").read_bytes())

    def test_reads_less_than_60_percent_again(self, world, start, size):
        world.up()
        world.run()
        world.down()
        back = world.folder / "back"
        self.kill_when(
            start("run", "config.yaml"),
            lambda: any(path.stat().st_size > 0.5 * size for path in back.glob(".cs-*.tmp")),
        )
        world.run()
        print(f"{world.bytes_down / size:.1%} of {size} bytes were read again")
        assert world.bytes_down < 0.6 * size
        assert sha256_of((back / "large").read_bytes()) == sha256_of((world.folder / "site/large").read_bytes())


def sha256_of(data):
    return hashlib.sha256(data).hexdigest()
