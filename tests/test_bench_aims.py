"""When `make bench-store` and `make bench-coldstart` say that an aim is missed."""

import pytest

from bench.first_answers import __main__ as first_answers
from bench.first_answers.apps import FirstAnswer
from bench.machine import markdown_table
from bench.store import __main__ as store
from bench.store.rounds import Load, Measured
from bench.store.ways import Way

MANY = Load(writers=store.AIMED_AT, latency_ms=8, tenants=1, runs=1)
ROWS = MANY.rows


def written(seconds: float, requests: int) -> list[Measured]:
    """Three rounds, of which the middle one counts."""
    return [
        Measured(seconds=seconds * factor, cpu_seconds=1.0, rows=ROWS, requests=requests)
        for factor in (0.1, 1.0, 10.0)
    ]


def of_the_store(load: Load, ours_seconds: float, ours_requests: int) -> store.Rounds:
    single = written(1.4, ROWS)
    ours = written(ours_seconds, ours_requests)
    return {load: {Way.SINGLE: single, Way.SDK_GROUPS: single, Way.OURS: ours}}


def test_a_store_as_fast_as_wanted_misses_nothing() -> None:
    assert store.missed(of_the_store(MANY, 0.99, ROWS // 32)) == []


def test_a_slower_store_misses_the_rate() -> None:
    (told,) = store.missed(of_the_store(MANY, 1.12, ROWS // 32))

    assert told == "64 writers, 8 ms on the way: 1.25 times the single inserts, not 1.4"


def test_rows_that_are_not_written_together_miss_as_well() -> None:
    (told,) = store.missed(of_the_store(MANY, 0.5, ROWS // 16))

    assert told == "64 writers, 8 ms on the way: 16.0 rows a transaction, not 30"


def test_fewer_writers_are_shown_and_not_judged() -> None:
    few = Load(writers=1, latency_ms=0, tenants=1, runs=64)

    assert store.missed(of_the_store(few, 100.0, ROWS)) == []


def answers(minimal: float, deployed: float) -> list[first_answers.Compared]:
    return [
        first_answers.Compared(
            minimal=FirstAnswer(answered_after=minimal * factor, cpu_seconds=1.0),
            deployed=FirstAnswer(answered_after=deployed * factor, cpu_seconds=1.0),
        )
        for factor in (1.0, 1.1, 5.0)
    ]


@pytest.mark.parametrize(
    ("health", "invoke", "told"),
    [
        (1.05, 2.9, []),
        (1.2, 2.9, ["health: 1.20 times as long as the minimal app, not 1.1"]),
        (1.05, 3.1, ["first invoke: 3.10 times as long as the minimal app, not 3.0"]),
    ],
)
def test_first_answers_are_judged_with_bytecode_alone(
    health: float, invoke: float, told: list[str]
) -> None:
    rounds = {
        (first_answers.HEALTH, True): answers(1.0, health),
        (first_answers.INVOKE, True): answers(1.0, invoke),
        (first_answers.HEALTH, False): answers(1.0, 99.0),
        (first_answers.INVOKE, False): answers(1.0, 99.0),
    }

    assert first_answers.missed(rounds) == told


def test_a_table_reads_in_a_terminal() -> None:
    table = markdown_table(["way", "rows/s"], [["single", "7"], ["ours", "1,000"]])

    assert table.splitlines() == [
        "| way    | rows/s |",
        "|:-------|-------:|",
        "| single |      7 |",
        "| ours   |  1,000 |",
    ]
