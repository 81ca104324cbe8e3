"""How much may pass when: timetables as users write them, and what holds at a local time."""

import time

import pytest

from cloudsync_core.engine.bandwidth import Bandwidth, Timetable
from cloudsync_core.errors import CancelledError
from tests.unit.layers.clocks import Clock

MIB = 1024**2
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
EVERY_DAY = Timetable.parse("08:00,512KiB 12:00,10MiB 13:00,512KiB 18:00,30MiB 23:00,off")


def at(day, clock):
    """Return a local time: `at("Tue", "08:30")`."""
    return time.strptime(f"2026 47 {DAYS.index(day) + 1} {clock}", "%G %V %u %H:%M")


class TestOneRate:
    @pytest.mark.parametrize(
        ("text", "rate"),
        [
            ("10MiB", 10 * MIB),
            ("512KiB", 512 * 1024),
            ("1.5mib", 1.5 * MIB),
            ("1GB", 10**9),
            ("100kB", 100_000),
            ("250B", 250),
            ("off", None),
            (" OFF ", None),
        ],
    )
    def test_holds_always(self, text, rate):
        table = Timetable.parse(text)
        assert {table.rate(at(day, clock)) for day in DAYS for clock in ("00:00", "12:34", "23:59")} == {rate}
        assert table.limits == (rate is not None)


class TestTimetable:
    @pytest.mark.parametrize(
        ("clock", "rate"),
        [
            ("08:00", 512 * 1024),
            ("11:59", 512 * 1024),
            ("12:00", 10 * MIB),
            ("13:30", 512 * 1024),
            ("18:00", 30 * MIB),
            ("23:00", None),
            ("00:00", None),
            ("07:59", None),
        ],
    )
    @pytest.mark.parametrize("day", ["Mon", "Thu", "Sun"])
    def test_of_every_day_goes_on_over_midnight(self, day, clock, rate):
        assert EVERY_DAY.rate(at(day, clock)) == rate

    @pytest.mark.parametrize(
        ("day", "clock", "rate"),
        [
            ("Mon", "00:00", 512 * 1024),
            ("Fri", "23:58", 512 * 1024),
            ("Fri", "23:59", 10 * MIB),
            ("Sat", "09:59", 10 * MIB),
            ("Sat", "10:00", MIB),
            ("Sun", "19:59", MIB),
            ("Sun", "20:00", None),
            ("Sun", "23:59", None),
        ],
    )
    def test_of_a_week(self, day, clock, rate):
        table = Timetable.parse("Mon-00:00,512KiB Fri-23:59,10MiB Sat-10:00,1MiB Sun-20:00,off")
        assert table.rate(at(day, clock)) == rate

    def test_of_a_week_goes_on_into_the_next(self):
        assert Timetable.parse("Wed-12:00,1MiB Fri-12:00,2MiB").rate(at("Tue", "00:00")) == 2 * MIB

    def test_days_and_every_day_go_together_and_the_day_wins(self):
        table = Timetable.parse("08:00,1MiB 20:00,off sun-08:00,off")
        assert [table.rate(at(day, "09:00")) for day in DAYS] == [MIB] * 6 + [None]

    def test_the_order_of_writing_does_not_matter(self):
        assert Timetable.parse("20:00,off 08:00,1MiB").rate(at("Mon", "09:00")) == MIB

    def test_says_what_was_written(self):
        text = "08:00,512KiB  19:00,off"
        assert str(Timetable.parse(text)) == "08:00,512KiB 19:00,off"
        assert Timetable.parse(str(Timetable.parse(text))) == Timetable.parse(text)

    def test_limits_where_any_entry_does(self):
        assert EVERY_DAY.limits
        assert not Timetable.parse("08:00,off").limits

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "must not be empty; write 'off' for no limit"),
            ("10M", "'10M' is no number of bytes with its unit"),
            ("10", "'10' is no number of bytes with its unit"),
            ("fast", "'fast' is no number of bytes with its unit"),
            ("0B", "'0B' would let nothing pass; write 'off' for no limit"),
            ("-1MiB", "'-1MiB' is no number of bytes with its unit"),
            (
                "08:00,1MiB off",
                "'off' is no time and rate: write 08:00,512KiB or Mon-08:00,512KiB, with spaces between",
            ),
            ("8,1MiB", "'8,1MiB' is no time and rate"),
            ("08:00,1MiB,09:00,off", "'1MiB,09:00,off' is no number of bytes with its unit"),
            ("24:00,1MiB", "'24:00,1MiB': there is no such time of day"),
            ("08:60,1MiB", "'08:60,1MiB': there is no such time of day"),
            ("Foo-08:00,1MiB", "'Foo-08:00,1MiB': a day is one of Mon, Tue, Wed, Thu, Fri, Sat, Sun"),
            ("08:00,1MiB 08:00,off", "'08:00,off': that time is there twice"),
            ("Mon-08:00,1MiB mon-8:00,off", "'mon-8:00,off': that time is there twice"),
        ],
    )
    def test_says_what_is_wrong(self, text, message):
        with pytest.raises(ValueError) as caught:
            Timetable.parse(text)
        assert str(caught.value).startswith(message)


class TestBandwidth:
    def test_lets_bytes_pass_at_the_rate(self):
        clock = Clock()
        limit = Bandwidth(Timetable.parse("1MiB"), clock.stop, clock=clock)
        begun = clock.now
        for _ in range(11):
            limit.take(MIB)
        assert clock.now - begun == pytest.approx(10.9)

    def test_goes_by_the_time_of_day(self):
        clock = Clock()
        monday = time.mktime(at("Mon", "07:59"))
        now = lambda: time.localtime(monday + clock.now - 100)
        limit = Bandwidth(Timetable.parse("08:00,1MiB 20:00,off"), clock.stop, clock=clock, now=now)
        limit.take(1000 * MIB)
        assert clock.now == 100, "before eight there is no limit"
        clock.now += 60
        limit.take(60 * MIB)
        assert clock.now == pytest.approx(160 + 60, abs=1)

    def test_a_stop_ends_the_wait(self):
        clock = Clock()
        clock.stop_at = clock.now + 5
        with pytest.raises(CancelledError):
            Bandwidth(Timetable.parse("1MiB"), clock.stop, clock=clock).take(1000 * MIB)
