"""Of an exception, classes and places; never its text."""

import asyncio
import pickle
from collections.abc import Callable

import pytest

from shared.telemetry.hosts import checked_app_insights_connection, checked_sentry_dsn
from shared.telemetry.losses import Loss
from shared.telemetry.sanitized_error import SanitizedError, where_of


def raised(call: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        call()
    return caught.value


def chained() -> None:
    secret = "canary"
    try:
        checked_sentry_dsn(secret)
    except ValueError as exc:
        raise LookupError(secret) from exc


def test_the_chain_runs_from_what_was_caught_to_what_began_it() -> None:
    error = SanitizedError.of(raised(chained))
    assert [link.name for link in error.chain] == ["LookupError", "ValueError"]
    assert error.cause == "ValueError"
    assert b"canary" not in pickle.dumps(error)


def test_a_frame_is_a_module_a_function_and_a_line() -> None:
    error = SanitizedError.of(raised(chained))
    functions = [(frame.module, frame.function, frame.is_own) for frame in error.chain[1].frames]
    assert functions == [
        (__name__, "chained", False),
        ("shared.telemetry.hosts", "checked_sentry_dsn", True),
    ]


def test_where_names_our_own_code_only() -> None:
    where = where_of(raised(lambda: checked_app_insights_connection("x", ())))
    places = [place.split(":")[:2] for place in where.split(",")]
    assert places == [
        ["shared.telemetry.hosts", "checked_app_insights_connection"],
        ["shared.telemetry.hosts", "_parts"],
    ]


def test_without_our_own_code_there_is_no_where() -> None:
    error = SanitizedError.of(raised(lambda: int("x")))
    assert error.fields() == {"cause": "ValueError"}


def test_a_suppressed_context_is_not_told_of() -> None:
    def hide() -> None:
        try:
            int("x")
        except ValueError:
            raise LookupError from None

    assert [link.name for link in SanitizedError.of(raised(hide)).chain] == ["LookupError"]


def test_a_group_is_told_by_its_first_exception() -> None:
    async def fail() -> None:
        raise KeyError

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    names = [link.name for link in SanitizedError.of(raised(lambda: asyncio.run(both()))).chain]
    assert names == ["ExceptionGroup", "KeyError"]


def test_a_ring_of_causes_ends() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert len(SanitizedError.of(first).chain) == 2


def test_a_deep_recursion_keeps_the_innermost_frames() -> None:
    def dive(depth: int) -> None:
        if depth == 0:
            checked_sentry_dsn("x")
        dive(depth - 1)

    frames = SanitizedError.of(raised(lambda: dive(100))).chain[0].frames
    assert len(frames) == 32
    assert frames[-1].function == "checked_sentry_dsn"


def test_a_class_with_a_telling_name_is_withheld(lost: Callable[[Loss], int]) -> None:
    kind = type("alice@example.com", (Exception,), {"__module__": "eyJhbGciOi"})
    error = SanitizedError.of(kind())
    assert (error.chain[0].module, error.chain[0].name) == ("withheld", "withheld")
    assert lost("withheld") == 2
