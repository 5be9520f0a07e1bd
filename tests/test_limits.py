"""Token buckets, by an injected clock."""

import pytest

from shared.errors import TooManyRequestsError
from shared.limits import RateLimit


class Seconds:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def taken(limit: RateLimit[str], key: str, calls: int) -> int:
    """How many of so many calls at once are let through."""
    allowed = 0
    for _ in range(calls):
        try:
            limit.take(key)
        except TooManyRequestsError:
            continue
        allowed += 1
    return allowed


def test_a_burst_is_let_through_and_no_more() -> None:
    limit = RateLimit[str](per_minute=60, burst=5, clock=Seconds())

    assert taken(limit, "alice", 20) == 5


def test_what_was_used_comes_back_at_the_stated_rate() -> None:
    clock = Seconds()
    limit = RateLimit[str](per_minute=60, burst=5, clock=clock)
    taken(limit, "alice", 5)

    clock.now += 3.0

    assert taken(limit, "alice", 20) == 3


def test_in_the_long_run_the_rate_holds() -> None:
    clock = Seconds()
    limit = RateLimit[str](per_minute=120, burst=30, clock=clock)
    allowed = 0
    for _ in range(600):
        allowed += taken(limit, "alice", 4)
        clock.now += 0.1

    assert 120 + 30 - 1 <= allowed <= 120 + 30 + 1


def test_rest_is_not_saved_beyond_the_burst() -> None:
    clock = Seconds()
    limit = RateLimit[str](per_minute=60, burst=5, clock=clock)
    taken(limit, "alice", 1)

    clock.now += 86_400.0

    assert taken(limit, "alice", 20) == 5


def test_one_caller_does_not_use_up_anothers_share() -> None:
    limit = RateLimit[str](per_minute=60, burst=2, clock=Seconds())
    taken(limit, "alice", 20)

    assert taken(limit, "bob", 20) == 2


def test_a_refused_call_costs_nothing() -> None:
    clock = Seconds()
    limit = RateLimit[str](per_minute=60, burst=1, clock=clock)
    taken(limit, "alice", 500)

    clock.now += 1.0

    limit.take("alice")


@pytest.mark.parametrize(
    ("per_minute", "waited", "retry_after"),
    [
        pytest.param(60, 0.0, 1, id="one-a-second"),
        pytest.param(10, 0.0, 6, id="ten-a-minute"),
        pytest.param(10, 2.5, 4, id="part-of-the-wait-is-over"),
        pytest.param(7, 0.0, 9, id="rounded-up"),
    ],
)
def test_the_refusal_says_when_the_next_is_free(
    per_minute: float, waited: float, retry_after: int
) -> None:
    clock = Seconds()
    limit = RateLimit[str](per_minute=per_minute, burst=1, clock=clock)
    limit.take("alice")
    clock.now += waited

    with pytest.raises(TooManyRequestsError) as refused:
        limit.take("alice")
    assert refused.value.retry_after == retry_after

    clock.now += retry_after
    limit.take("alice")


def test_memory_is_bounded_by_forgetting_who_was_quiet_longest() -> None:
    clock = Seconds()
    limit = RateLimit[str](per_minute=60, burst=1, clock=clock)
    limit.take("quiet")
    for number in range(50_000):
        limit.take(f"caller-{number}")

    assert taken(limit, "quiet", 1) == 1  # forgotten, so as new
    assert taken(limit, "caller-49999", 1) == 0
    assert len(limit._buckets) == 50_000
