"""Pauses: as long as a provider asked, in both of its spellings, never for ever, and bounded."""

from datetime import UTC, datetime
from typing import Final

import pytest

from shared.identity.back_off import LONGEST_SECONDS, UNSAID_SECONDS, BackOff, pause_seconds
from tests.fakes.clock import FakeClock

NOW: Final = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param(None, UNSAID_SECONDS, id="not-said"),
        pytest.param("30", 30, id="seconds"),
        pytest.param(" 30 ", 30, id="seconds-in-spaces"),
        pytest.param("0", 1, id="none-at-all"),
        pytest.param("300", 300, id="the-longest"),
        pytest.param("301", LONGEST_SECONDS, id="longer"),
        pytest.param("999999999", LONGEST_SECONDS, id="thirty-years"),
        pytest.param("9" * 5_000, UNSAID_SECONDS, id="five-thousand-digits"),
        pytest.param("-5", UNSAID_SECONDS, id="negative"),
        pytest.param("1.5", UNSAID_SECONDS, id="a-fraction"),
        pytest.param("٣٠", UNSAID_SECONDS, id="digits-of-another-script"),
        pytest.param("", UNSAID_SECONDS, id="empty"),
        pytest.param("soon", UNSAID_SECONDS, id="a-word"),
        pytest.param("Thu, 15 Jan 2026 12:00:40 GMT", 40, id="a-date"),
        pytest.param("Thu, 15 Jan 2026 12:00:40 -0000", 40, id="a-date-of-no-zone"),
        pytest.param("Thu, 15 Jan 2026 14:00:40 +0200", 40, id="a-date-of-another-zone"),
        pytest.param("Thu, 15 Jan 2026 11:00:00 GMT", 1, id="a-date-that-has-passed"),
        pytest.param("Fri, 16 Jan 2026 12:00:00 GMT", LONGEST_SECONDS, id="tomorrow"),
        pytest.param("Thu, 99 Jan 2026 12:00:00 GMT", UNSAID_SECONDS, id="no-date"),
        pytest.param("Thu, 15 Jan 99999 12:00:00 GMT", UNSAID_SECONDS, id="a-year-too-far"),
    ],
)
def test_a_pause_is_what_the_header_asks_for_within_reason(
    header: str | None, seconds: int
) -> None:
    assert pause_seconds(header, NOW) == seconds


def test_who_was_never_refused_does_not_wait() -> None:
    assert BackOff[str](FakeClock()).seconds_left("alice") == 0


def test_a_pause_passes_and_is_one_users_alone() -> None:
    clock = FakeClock()
    back_off = BackOff[str](clock)

    assert back_off.begin("alice", "30") == 30
    assert back_off.seconds_left("bob") == 0
    for waited, left in [(0, 30), (0.5, 30), (28.5, 1), (0.9, 1), (0.1, 0), (60, 0)]:
        clock.move(seconds=waited)
        assert back_off.seconds_left("alice") == left


def test_a_later_answer_takes_the_place_of_an_earlier_one() -> None:
    back_off = BackOff[str](FakeClock())
    back_off.begin("alice", "30")
    back_off.begin("alice", "7")

    assert back_off.seconds_left("alice") == 7


def test_ten_thousand_pauses_are_remembered_and_the_oldest_is_forgotten_first() -> None:
    back_off = BackOff[int](FakeClock())
    for user in range(10_000):
        back_off.begin(user, "60")
    back_off.begin(0, "60")  # again: it is not the oldest any more
    back_off.begin(10_000, "60")

    assert [back_off.seconds_left(user) for user in (0, 1, 2, 10_000)] == [60, 0, 60, 60]
