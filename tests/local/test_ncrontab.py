"""Schedules of timers: local/ncrontab.py."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from local.ncrontab import NcrontabSchedule, ScheduleError


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "due"),
    [
        ("0 */5 * * * *", "2026-01-15T12:00:00", "2026-01-15T12:05:00"),
        ("0 */5 * * * *", "2026-01-15T12:04:59", "2026-01-15T12:05:00"),
        ("0 */5 * * * *", "2026-01-15T23:55:01", "2026-01-16T00:00:00"),
        ("*/10 * * * * *", "2026-01-15T12:00:10", "2026-01-15T12:00:20"),
        ("* * * * * *", "2026-12-31T23:59:59", "2027-01-01T00:00:00"),
        ("30 0 2 * * *", "2026-01-15T02:00:29", "2026-01-15T02:00:30"),
        ("30 0 2 * * *", "2026-01-15T02:00:30", "2026-01-16T02:00:30"),
        ("0 30 9 * * MON-FRI", "2026-01-16T09:30:00", "2026-01-19T09:30:00"),
        ("0 30 9 * * mon,Wednesday", "2026-01-19T10:00:00", "2026-01-21T09:30:00"),
        ("0 0 0 * * 0", "2026-01-15T00:00:00", "2026-01-18T00:00:00"),
        ("0 0 0 1 jan *", "2026-01-15T00:00:00", "2027-01-01T00:00:00"),
        ("0 0 0 1 FEB-APR/2 *", "2026-02-01T00:00:00", "2026-04-01T00:00:00"),
        ("0 0 0 31 * *", "2026-01-31T00:00:00", "2026-03-31T00:00:00"),
        ("0 0 0 29 2 *", "2026-01-15T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 0 29 2 MON", "2028-03-01T00:00:00", "2044-02-29T00:00:00"),
        ("0 0 0 13 * FRI", "2026-01-15T00:00:00", "2026-02-13T00:00:00"),
        ("5/20 0 0 * * *", "2026-01-15T00:00:05", "2026-01-15T00:00:25"),
        ("0 0 9-17/4 * * *", "2026-01-15T09:00:00", "2026-01-15T13:00:00"),
        ("0 0 9-17/4 * * *", "2026-01-15T17:00:00", "2026-01-16T09:00:00"),
        ("1,3-5,59 0 0 * * *", "2026-01-15T00:00:05", "2026-01-15T00:00:59"),
    ],
)
def test_the_next_occurrence_is_found(expression: str, after: str, due: str) -> None:
    assert NcrontabSchedule.parse(expression).next_after(at(after)) == at(due)


def test_a_day_must_fit_both_the_date_and_the_weekday() -> None:
    """NCrontab, unlike other crons, which take either."""
    schedule = NcrontabSchedule.parse("0 0 12 1-7 * MON")
    moment, seen = at("2026-01-01T00:00:00"), []
    for _ in range(12):
        moment = schedule.next_after(moment)
        seen.append(moment)

    assert all(day.day <= 7 and day.isoweekday() == 1 for day in seen)
    assert all(later > earlier for earlier, later in pairwise(seen))


def test_fractions_and_other_time_zones_do_not_shift_an_occurrence() -> None:
    schedule = NcrontabSchedule.parse("0 0 2 * * *")
    moment = datetime(2026, 1, 15, 2, 59, 59, 999_999, timezone(timedelta(hours=1)))

    assert schedule.next_after(moment) == at("2026-01-15T02:00:00")


@pytest.mark.parametrize(
    "expression",
    [
        "", "* * * * *", "* * * * * * *", "60 * * * * *", "* 60 * * * *", "* * 24 * * *",
        "* * * 0 * *", "* * * 32 * *", "* * * * 0 *", "* * * * 13 *", "* * * * * 7",
        "* * * * * MO", "* * * * XYZ *", "-1 * * * * *", "1- * * * * *", "1,,2 * * * * *",
        ",1 * * * * *", "*/0 * * * * *", "*/x * * * * *", "5-1 * * * * *", "* * * * * FRI-MON",
        "MON * * * * *", "1.5 * * * * *", "0 0 0 30 2 *", "0 0 0 31 apr *", "00:05:00",
        "%SCHEDULE%", "² * * * * *",
    ],
)  # fmt: skip
def test_what_is_no_schedule_or_never_comes_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        NcrontabSchedule.parse(expression)
