"""The arithmetic of `make bench-proxy`; and that its load counts what was answered, and no more."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bench.proxy.figures import Aim, Round, cpu_of_all, interval, judged, median, quantile
from bench.proxy.load import Target, Window, WrongAnswerError, run_round
from bench.proxy.report import table, table_of_aims
from bench.proxy.upstream import is_whole

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nas it must"


def round_of(rate: float, cpu_seconds: float = 0.5) -> Round:
    answered = int(rate)
    return Round(rate=rate, p50=1.0, p99=2.0, answered=answered, cpu_seconds=cpu_seconds)


def rounds_of(*rates: float) -> list[Round]:
    return [round_of(rate) for rate in rates]


@pytest.mark.parametrize(("share", "value"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)])
def test_a_quantile_is_a_value_that_was_seen(share: float, value: float) -> None:
    assert quantile([float(number) for number in range(1, 101)], share) == value


def test_a_quantile_of_few_values_is_one_of_them() -> None:
    assert quantile([7.0], 0.99) == 7.0
    assert quantile([1.0, 2.0], 0.5) == 1.0


@pytest.mark.parametrize("count", [6, 7, 8, 9, 12, 15, 25])
def test_the_interval_covers_the_median_in_95_of_100_cases_and_is_no_wider(count: int) -> None:
    low, high = interval(list(range(1, count + 1)))

    def covered(beyond: float) -> float:
        outside = sum(math.comb(count, k) for k in range(int(beyond)))
        return 1 - 2 * outside / int(2**count)

    assert low + high == count + 1
    assert covered(low) >= 0.95
    assert covered(low + 1) < 0.95


def test_of_few_rounds_the_interval_is_all_of_them() -> None:
    assert interval([3.0, 1.0, 2.0]) == (1.0, 3.0)
    assert interval([4.0]) == (4.0, 4.0)


def test_a_window_is_told_in_requests_a_second_and_milliseconds() -> None:
    window = Window(seconds=2.0, latencies=[0.003, 0.001, 0.002, 0.010], cpu_seconds=0.02)

    told = Round.of(window)

    assert (told.rate, told.p50, told.p99, told.cpu) == (2.0, 2.0, 10.0, 5.0)


def test_cpu_is_told_over_all_rounds_and_not_by_their_median() -> None:
    rounds = [round_of(10, cpu_seconds=0.0), round_of(10, cpu_seconds=0.0), round_of(10, 0.03)]

    assert cpu_of_all(rounds) == pytest.approx(1.0)
    assert median(rounds, "cpu") == pytest.approx(1.0)  # a tick, where none was told


AT_LEAST = Aim(against="peer", measure="rate", cell=("at once", 64), at_least=0.65)
AT_MOST = Aim(against="peer", measure="rate", cell=("at once", 64), at_most=1.05)


@pytest.mark.parametrize(
    ("aim", "ours", "is_held", "is_missed"),
    [
        (AT_LEAST, [70, 66, 80], True, False),
        (AT_LEAST, [60, 50, 80], False, False),
        (AT_LEAST, [60, 50, 64], False, True),
        (AT_MOST, [104, 90, 120], True, False),
        (AT_MOST, [110, 104, 120], False, False),
        (AT_MOST, [110, 106, 120], False, True),
    ],
)
def test_an_aim_is_missed_only_if_no_end_of_the_interval_would_do(
    aim: Aim, ours: Sequence[float], is_held: bool, is_missed: bool
) -> None:
    rounds = {(aim.cell, "ours"): rounds_of(*ours), (aim.cell, "peer"): rounds_of(100, 100, 100)}

    verdict = judged(aim, rounds, "ours")

    assert (verdict.is_held, verdict.is_missed) == (is_held, is_missed)
    assert ("MISSED" in table_of_aims([verdict])) == is_missed


def test_ratios_are_those_of_the_same_round() -> None:
    cell = AT_LEAST.cell
    rounds = {(cell, "ours"): rounds_of(10, 100, 1_000), (cell, "peer"): rounds_of(10, 100, 1_000)}

    verdict = judged(AT_LEAST, rounds, "ours")

    assert (verdict.low, verdict.ratio, verdict.high) == (1.0, 1.0, 1.0)


def test_each_peer_has_a_row_with_the_services_ratio_to_it() -> None:
    cell = AT_LEAST.cell
    rounds = {(cell, "service"): rounds_of(50), (cell, "direct"): rounds_of(200)}

    told = table(rounds, cell, ["direct", "service"]).splitlines()

    (direct,) = [line for line in told if line.startswith("| direct")]
    assert [part.strip() for part in direct.split("|")[2:-1]] == [
        *("200", "1.0", "2.0", ""),
        *("0.25", "1.00", ""),
    ]


def test_a_peer_whose_cpu_is_too_little_to_be_told_has_no_ratio() -> None:
    cell = AT_LEAST.cell
    rounds = {(cell, "service"): rounds_of(50), (cell, "nginx"): [round_of(200, cpu_seconds=0.0)]}

    (nginx,) = [line for line in table(rounds, cell, ["nginx"]).splitlines() if "nginx" in line]

    assert [part.strip() for part in nginx.split("|")[5:-1]] == ["0.00", "0.25", "1.00", ""]


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (REQUEST, True),
        (REQUEST[:-1], False),
        (REQUEST[:20], False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", False),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", True),
    ],
)
def test_the_fake_org_answers_whole_requests(request_bytes: bytes, expected: bool) -> None:
    assert is_whole(request_bytes) == expected


@asynccontextmanager
async def server(*parts: bytes) -> AsyncIterator[int]:
    """Answers each request with these parts, a moment apart."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readexactly(len(REQUEST))
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0.002)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


def target(port: int) -> Target:
    return Target(port=port, requests=[REQUEST] * 4, expected=b"as it must")


async def test_the_load_counts_answers_that_come_in_pieces() -> None:
    async with server(ANSWER[:10], ANSWER[10:-3], ANSWER[-3:]) as port:
        window = await run_round(target(port), 3, 0.2, lambda: 0.0)

    assert len(window.latencies) > 3
    assert min(window.latencies) >= 0.004
    assert 0.2 <= window.seconds < 1.0


async def test_the_processors_time_is_that_of_the_window() -> None:
    clock = iter([10.0, 10.5])
    async with server(ANSWER) as port:
        window = await run_round(target(port), 1, 0.05, lambda: next(clock))

    assert window.cpu_seconds == 0.5


async def test_a_window_lasts_until_something_was_answered() -> None:
    async with server(ANSWER[:-1], *[b""] * 100, ANSWER[-1:]) as port:
        window = await run_round(target(port), 1, 0.01, lambda: 0.0)

    assert window.latencies
    assert window.seconds > 0.1


@pytest.mark.parametrize(
    "wrong",
    [
        ANSWER.replace(b"200 OK", b"429 Too Many Requests"),
        ANSWER.replace(b"as it must", b"as it lies"),
        b"HTTP/1.1 200 OK\r\n\r\nas it must",
    ],
)
async def test_a_wrong_answer_ends_the_round(wrong: bytes) -> None:
    async with server(wrong) as port:
        with pytest.raises(WrongAnswerError):
            await run_round(target(port), 2, 0.2, lambda: 0.0)
