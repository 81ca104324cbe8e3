"""The progress of a run: numbers, rates, lines and bars."""

import io
import json

import pytest
from rich.console import Console as RichConsole

from cloudsync_core.cli import display, formats
from cloudsync_core.cli.bars import draw
from cloudsync_core.cli.display import line
from cloudsync_core.cli.meter import Meter
from cloudsync_core.engine.progress import Progress
from tests.cli.conftest import write_tree


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class TestFormats:
    @pytest.mark.parametrize(
        ("count", "text"),
        [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (1536 * 1024**2, "1.5 GiB"),
            (2**70, "1024.0 EiB"),
        ],
    )
    def test_bytes(self, count, text):
        assert formats.size(count) == text

    def test_numbers_and_nouns(self):
        assert (formats.number(1234567), formats.plural(1, "object"), formats.plural(0, "object")) == (
            "1,234,567", "1 object", "0 objects"
        )  # fmt: skip

    def test_times(self):
        assert (formats.seconds(0.04), formats.seconds(9.94), formats.seconds(1234.5)) == ("0.0 s", "9.9 s", "1,234 s")
        assert formats.clock(3725.4) == "1:02:05"
        assert formats.moment(0) == "1970-01-01T00:00:00Z"


class TestMeter:
    @pytest.fixture
    def clock(self):
        return Clock()

    def test_the_rate_is_that_of_late(self, clock):
        progress = Progress(phase="transferring", planned_objects=1000, planned_bytes=10**9)
        meter = Meter(progress, clock)
        for second in range(1, 100):
            clock.now = second
            progress.done_bytes += 1000 if second < 60 else 5000
            reading = meter.read()
        assert reading.bytes_per_second == pytest.approx(5000)

    def test_the_time_left_is_the_longer_of_bytes_and_objects(self, clock):
        progress = Progress(phase="transferring", planned_objects=100, planned_bytes=10_000)
        meter = Meter(progress, clock)
        clock.now, progress.done_objects, progress.done_bytes = 10.0, 50, 1000
        assert meter.read().seconds_left == pytest.approx(90)
        progress.done_bytes = 9000
        assert meter.read().seconds_left == pytest.approx(10)

    def test_nobody_knows_the_time_left_while_the_plan_grows(self, clock):
        progress = Progress(planned_objects=100, done_objects=50)
        meter = Meter(progress, clock)
        clock.now = 10.0
        assert meter.read().seconds_left is None

    def test_nor_when_nothing_moves(self, clock):
        assert Meter(Progress(phase="transferring", planned_objects=1), clock).read().seconds_left is None

    def test_bytes_of_failed_attempts_do_not_make_it_negative(self, clock):
        progress = Progress(phase="transferring", planned_objects=2, planned_bytes=10, done_objects=2, done_bytes=25)
        meter = Meter(progress, clock)
        clock.now = 1.0
        assert meter.read().seconds_left == 0


class TestLines:
    def test_while_it_compares_both_sides_are_counted(self):
        progress = Progress(source_listed=12345, target_listed=6)
        assert line("site", Meter(progress, Clock()).read()) == (
            "site: comparing: 12,345 on the source, 6 on the target"
        )

    def test_while_it_does_both_nobody_knows_the_whole(self):
        progress = Progress(source_listed=10, target_listed=6, planned_objects=4, done_objects=3, done_bytes=1024)
        assert line("site", Meter(progress, Clock()).read()).startswith(
            "site: comparing and transferring: 10 on the source, 6 on the target, 3 objects done, 1.0 KiB, "
        )

    def test_at_the_end(self):
        assert line("site", Meter(Progress(phase="done"), Clock()).read()) == "site: done"

    def test_while_it_transfers(self):
        clock = Clock()
        progress = Progress(phase="transferring", planned_objects=4, planned_bytes=4096)
        meter = Meter(progress, clock)
        clock.now, progress.done_objects, progress.done_bytes = 2.0, 1, 1024
        assert line("site", meter.read()) == (
            "site: transferring: 1 of 4 objects, 1.0 KiB of 4.0 KiB, 512 B/s, 0:00:06 left"
        )

    @pytest.fixture
    def often(self, monkeypatch, folder, config):
        monkeypatch.setattr(display, "LINE_SECONDS", 0.01)
        write_tree(folder / "site", {f"{number}": "x" * 1000 for number in range(300)})
        config("transfers: 1")

    def test_a_log_gets_one_every_few_seconds_on_standard_error(self, invoke, often):
        result = invoke("run", "config.yaml")
        assert any(line.startswith("site: ") and " of 300 objects, " in line for line in result.err.splitlines())
        assert "site: " not in result.out

    def test_json_gets_an_event(self, invoke, often):
        events = invoke("run", "config.yaml", "--json").of("progress")
        assert events
        assert set(events[-1]) == {
            "event", "job", "phase", "source_listed", "target_listed", "planned_objects", "planned_bytes",
            "done_objects", "done_bytes", "bytes_per_second", "seconds_left",
        }  # fmt: skip

    def test_quiet_gets_none(self, invoke, often):
        assert invoke("run", "config.yaml", "-q").err == ""


class TestBars:
    def drawn(self, progress, *, stopping=False):
        clock = Clock()
        meter = Meter(progress, clock)
        clock.now = 1.0
        output = io.StringIO()
        RichConsole(file=output, width=100).print(draw("site", meter.read(), stopping=stopping))
        return output.getvalue()

    def test_both_listings_while_it_compares(self):
        progress = Progress(source_listed=1000, target_listed=2, planned_objects=7, done_objects=5, done_bytes=2048)
        text = self.drawn(progress)
        assert "site: comparing and transferring  1,000 on the source, 2 on the target" in text
        assert " objects 5 " in text
        assert " bytes   2.0 KiB " in text

    def test_objects_and_bytes_of_how_many_once_that_is_known(self):
        text = self.drawn(Progress(phase="transferring", planned_objects=7, planned_bytes=2048))
        assert "0 of 7" in text
        assert "0 B of 2.0 KiB" in text

    def test_rate_and_time_left(self):
        progress = Progress(phase="transferring", planned_objects=7, planned_bytes=2048)
        clock = Clock()
        meter = Meter(progress, clock)
        clock.now, progress.done_bytes = 1.0, 1024
        output = io.StringIO()
        RichConsole(file=output, width=100).print(draw("site", meter.read(), stopping=False))
        assert "1.0 KiB of 2.0 KiB 1.0 KiB/s  0:00:01 left" in output.getvalue()

    def test_more_bytes_than_planned(self):
        assert "20 B of 10 B" in self.drawn(Progress(phase="transferring", planned_bytes=10, done_bytes=20))

    def test_an_interrupt_shows(self):
        assert "stopping; Ctrl-C again aborts" in self.drawn(Progress(), stopping=True)

    def test_it_fits_a_narrow_terminal(self):
        output = io.StringIO()
        meter = Meter(Progress(source_listed=10**9, target_listed=10**9, planned_bytes=2**60), Clock())
        RichConsole(file=output, width=40).print(draw("a-job-with-a-long-name", meter.read(), stopping=False))
        assert all(len(line) <= 40 for line in output.getvalue().splitlines())


def test_events_are_json_whatever_the_key(invoke, folder, config):
    write_tree(folder / "site", {'quote" and \\ and \x01': "x", "\u2028": "y"})
    result = invoke("run", config(), "--json")
    assert {event["key"] for event in result.of("action_finished")} == {'quote" and \\ and \x01', "\u2028"}
    assert all(line.isascii() for line in result.out.splitlines())
    assert json.loads(result.out.splitlines()[-1])["event"] == "report"
