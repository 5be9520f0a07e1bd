"""Schedules of timer functions: NCRONTAB with six fields, seconds first, in UTC.

Follows the NCrontab library, which the real host uses: a day must fit both the day of the month
and the day of the week (other crons take either), Sunday is 0 and 7 is nothing. What that library
silently reinterprets (a range that runs backwards, a step of 0) is refused here.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self

_MONTHS: Final = (
    "january february march april may june july august september october november december"
)
_WEEKDAYS: Final = "sunday monday tuesday wednesday thursday friday saturday"
_LEAST_NAME: Final = 3  # letters that tell months and days apart
_SEARCHED_DAYS: Final = 366 * 41  # 29 February on a given weekday comes every 40 years at worst


class ScheduleError(ValueError):
    """No schedule, or one that never comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def parse(self, text: str) -> tuple[int, ...]:
        """Every value that a field stands for, in order. Raises ScheduleError."""
        chosen: set[int] = set()
        for item in text.split(","):
            chosen.update(self._item(item))
        return tuple(sorted(chosen))

    def _item(self, text: str) -> range:
        shape = re.fullmatch(r"(\*|(\w+)(?:-(\w+))?)(?:/([0-9]+))?", text)
        if shape is None:
            raise ScheduleError(f"{text!r} is no {self.name}")
        whole, first, last, step = shape.groups()
        if whole == "*":
            low, high = self.low, self.high
        else:
            low = self._value(first)
            # "5/10" is every tenth from the fifth on, "5" is the fifth alone
            high = self._value(last) if last else (self.high if step else low)
        if low > high or (step is not None and int(step) == 0):
            raise ScheduleError(f"{text!r} runs backwards or stands still")
        return range(low, high + 1, int(step or 1))

    def _value(self, text: str) -> int:
        if text.isdecimal():
            value = int(text)
            if self.low <= value <= self.high:
                return value
        elif len(text) >= _LEAST_NAME:
            for position, name in enumerate(self.names):
                if name.startswith(text.lower()):
                    return position + self.low
        raise ScheduleError(f"{text!r} is no {self.name}")


_FIELDS: Final = (
    _Field(name="second", low=0, high=59),
    _Field(name="minute", low=0, high=59),
    _Field(name="hour", low=0, high=23),
    _Field(name="day", low=1, high=31),
    _Field(name="month", low=1, high=12, names=tuple(_MONTHS.split())),
    _Field(name="day of week", low=0, high=6, names=tuple(_WEEKDAYS.split())),
)


@dataclass(frozen=True, slots=True)
class NcrontabSchedule:
    """When a timer is due."""

    expression: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @classmethod
    def parse(cls, expression: str) -> Self:
        """Raises ScheduleError; also for a schedule that never comes, as 30 February."""
        parts = expression.split()
        if len(parts) != len(_FIELDS):
            raise ScheduleError(f"{expression!r} has {len(parts)} fields instead of six")
        fields = [field.parse(part) for field, part in zip(_FIELDS, parts, strict=True)]
        schedule = cls(expression, *fields)
        schedule.next_after(datetime(2000, 1, 1, tzinfo=UTC))
        return schedule

    def next_after(self, moment: datetime) -> datetime:
        """The first time that is due after `moment`, which is aware. Raises ScheduleError."""
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        day, earliest = start.date(), start.time()
        for _ in range(_SEARCHED_DAYS):
            if self._is_due_on(day):
                found = self._first_time(earliest)
                if found is not None:
                    return datetime.combine(day, found, UTC)
            day, earliest = day + timedelta(days=1), time.min
        raise ScheduleError(f"{self.expression!r} never comes")

    def _is_due_on(self, day: date) -> bool:
        return (
            day.month in self.months
            and day.day in self.days
            and day.isoweekday() % 7 in self.weekdays
        )

    def _first_time(self, earliest: time) -> time | None:
        for hour in self.hours:
            if hour < earliest.hour:
                continue
            for minute in self.minutes:
                if (hour, minute) < (earliest.hour, earliest.minute):
                    continue
                for second in self.seconds:
                    if time(hour, minute, second) >= earliest:
                        return time(hour, minute, second)
        return None
