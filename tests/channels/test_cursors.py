"""What a subscriber has settled, in the state database: saved at once, shared by processes, harmless to others."""

import signal
import sqlite3
import subprocess
import sys

import pytest

from cloudsync_core.channels import ids, parking
from cloudsync_core.channels.cursors import Cursor
from cloudsync_core.channels.tables import Parked
from cloudsync_core.engine.state import SCHEMA_VERSION, State
from cloudsync_core.errors import StateError
from tests.channels.writing import moment

ONE, TWO, THREE = (moment(seconds) for seconds in range(3))


@pytest.fixture
def state(tmp_path):
    with State(tmp_path / "state.db") as found:
        yield found


@pytest.fixture
def cursor(state):
    with Cursor(state, "me", "memory://channel") as found:
        yield found


def rows(state):
    with state.using() as connection:
        return [row[0] for row in connection.execute("SELECT id FROM seen ORDER BY id")]


class TestTables:
    def test_are_made_with_the_first_subscription_and_leave_the_format_as_it_was(self, state, tmp_path):
        with sqlite3.connect(tmp_path / "state.db") as connection:
            query = "SELECT count(*) FROM sqlite_master WHERE name IN ('subscription', 'seen', 'parked')"
            assert connection.execute(query).fetchone() == (0,)
            Cursor(state, "me", "channel").close()
            assert connection.execute(query).fetchone() == (3,)
            assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        connection.close()

    def test_who_only_reads_needs_none(self, tmp_path):
        with State(tmp_path / "none.db", read_only=True) as state:
            assert parking.subscriptions(state) == []
        assert not (tmp_path / "none.db").exists()
        State(tmp_path / "empty.db").close()
        with State(tmp_path / "empty.db", read_only=True) as state:
            assert parking.subscriptions(state) == []


class TestSettled:
    def test_an_object_is_one_row_when_all_of_it_is(self, cursor, state):
        assert cursor.settled([ONE, TWO]) == set()
        cursor.settle(ONE, [ids.nth(ONE, 0)], rest=2)
        cursor.settle(ONE, [ids.nth(ONE, 2)], rest=1)
        assert cursor.settled([ONE]) == set()
        assert cursor.settled_in(ONE) == {ids.nth(ONE, 0), ids.nth(ONE, 2)}
        cursor.settle(ONE, [ids.nth(ONE, 1)], rest=0)
        assert (cursor.settled([ONE, TWO]), cursor.settled_in(ONE)) == ({ONE}, set())
        assert rows(state) == [ONE]

    def test_what_lies_below_the_floor_is_settled_and_needs_no_row(self, cursor, state):
        cursor.settle_objects([ONE, TWO])
        cursor.advance(TWO, None)
        assert rows(state) == [TWO]
        assert cursor.settled([ONE, TWO, THREE]) == {ONE, TWO}

    def test_the_floor_never_goes_back(self, cursor):
        cursor.advance(TWO, TWO)
        cursor.advance(ONE, ONE)
        assert (cursor.floor, cursor.newest) == (TWO, TWO)

    def test_another_subscription_knows_nothing_of_it(self, cursor, state):
        cursor.settle_objects([ONE])
        cursor.advance(ONE, ONE)
        with Cursor(state, "me", "memory://another") as other:
            assert (other.settled([ONE]), other.floor, other.ready) == (set(), None, False)
            assert other.instance != cursor.instance

    def test_it_goes_on_where_it_was(self, state):
        with Cursor(state, "me", "channel") as cursor:
            cursor.begin(ONE, 5)
            cursor.set_ready()
            cursor.settle_objects([TWO])
            before = (cursor.instance, cursor.floor, cursor.since_ns)
        with Cursor(state, "me", "channel") as cursor:
            assert (cursor.instance, cursor.floor, cursor.since_ns) == before
            assert cursor.ready
            assert cursor.settled([TWO, THREE]) == {TWO}

    def test_a_beginning_that_was_cut_short_is_made_anew(self, cursor):
        cursor.settle_objects([TWO])
        cursor.begin(ONE, 0)
        assert cursor.settled([TWO]) == set()

    def test_an_error_that_is_no_text_can_be_parked(self, cursor):
        cursor.settle(
            ONE, [ONE], rest=0, parked=Parked(ONE, "key", "topic", "\udcff and\0" + "x" * 9000, 1, 0.0, again=True)
        )
        [parked] = cursor.to_retry()
        assert parked.error.startswith("\\udcff and")
        assert len(parked.error) < 3000


class TestProcesses:
    PROGRAM = """
import pathlib, sys
from cloudsync_core.channels.cursors import Cursor
from cloudsync_core.engine.state import State
with State(pathlib.Path(sys.argv[1])) as state, Cursor(state, "me", "memory://channel") as cursor:
    for line in sys.stdin:
        cursor.settle(line.strip(), [line.strip()], rest=0)
        print("settled", flush=True)
"""

    @pytest.fixture
    def process(self, tmp_path):
        command = [sys.executable, "-c", self.PROGRAM, str(tmp_path / "state.db")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            yield child
            child.kill()

    def test_what_was_settled_outlives_a_kill(self, process, tmp_path):
        for one in (ONE, TWO):
            process.stdin.write(f"{one}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "settled\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        with State(tmp_path / "state.db") as state, Cursor(state, "me", "memory://channel") as cursor:
            assert cursor.settled([ONE, TWO, THREE]) == {ONE, TWO}

    def test_two_do_not_have_one_subscription_at_a_time(self, process, tmp_path):
        process.stdin.write(f"{ONE}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "settled\n"
        with State(tmp_path / "state.db") as state:
            with pytest.raises(StateError, match=f"'me' is already being run by process {process.pid}"):
                Cursor(state, "me", "memory://channel")
            Cursor(state, "other", "memory://channel").close()
            process.stdin.close()
            process.wait()
            Cursor(state, "me", "memory://channel").close()
