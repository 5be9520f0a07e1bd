"""Events as the service uses them: one line each, from the allow-list, never in the way."""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import mypy.api
import pytest

from shared.telemetry.allow_list import EVENT_NAMES, RULES, WARNINGS, Fields, Value, _rule, checked
from shared.telemetry.events import SanitizedError, alarm, event, flush
from shared.telemetry.hosts import checked_sentry_dsn
from shared.telemetry.losses import Loss
from shared.telemetry.sinks import Sink

GUID = "7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3"
GOOD: Mapping[str, Value] = {
    "attempt": 2,
    "cause": "azure.core.exceptions.HttpResponseError",
    "code": "salesforce_not_connected",
    "count": 3,
    "deleted": 4,
    "dependency": "key_vault",
    "duration_ms": 12.5,
    "failed": 0,
    "function": "flow_invoke",
    "health": "rotation_lost",
    "incident": "0123456789abcdef0123456789abcdef",
    "late": True,
    "outcome": "outcome_unknown",
    "provider": "google",
    "status": 409,
    "step": "shredded",
    "tenant": f"ms-{GUID}",
    "user": "u-abcdefghijklmnopqrstuvwxyz",
    "where": "functions.boundary:guarded.wrapper:88,shared.usecases.run_flow:RunFlow.__call__:41",
}
HOSTILE = {
    "a line break": "internal\n{}",
    "a carriage return": "internal\r",
    "an ANSI escape": "\x1b[31minternal",
    "a break out of JSON": 'internal","event":"signed_in',
    "a NUL": "internal\0",
    "a mail address": "alice@example.com",
    "a Salesforce session": "00D5g00000CONTO!AQEAQ",
    "a JWT": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "an address": "https://contoso.my.salesforce.com/?code=1",
    "a sentence": "the flow failed for Alice",
    "a letter that looks like another": "intern\u0430l",
    "a line separator": "internal\u2028",
    "a full-width digit": "ms-\uff11",
    "too long a text": "a" * 700,
    "an empty text": "",
}
TEXTS = [name for name, rule in RULES.items() if rule.shape is not None]
NUMBERS = [name for name, rule in RULES.items() if rule.shape is None]


class Kept:
    """A sink that remembers."""

    alarms_only = False

    def __init__(self) -> None:
        self.events: list[tuple[Mapping[str, Value], SanitizedError | None]] = []

    def emit(self, event: Mapping[str, Value], error: SanitizedError | None) -> None:
        self.events.append((event, error))

    def flush(self, seconds: float) -> None: ...

    def close(self) -> None: ...


class Lines(logging.Handler):
    """What the host would print."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append((record.levelno, self.format(record)))

    def only(self) -> dict[str, Any]:
        [(_, line)] = self.records
        said: dict[str, Any] = json.loads(line)
        return said


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    logger = logging.getLogger("flowrunner")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_an_event_is_one_line_of_json(lines: Lines) -> None:
    event("refused", code="not_found", status=HTTPStatus.NOT_FOUND)
    assert lines.records == [
        (logging.INFO, '{"event": "refused", "code": "not_found", "status": 404}')
    ]


def test_every_field_has_a_good_value_that_passes_unchanged() -> None:
    assert checked(GOOD) == GOOD
    assert GOOD.keys() == Fields.__annotations__.keys() == RULES.keys()


def test_an_alarm_names_the_cause_and_our_own_places_but_no_text(lines: Lines) -> None:
    try:
        checked_sentry_dsn("alice@example.com")
    except ValueError as exc:
        alarm("crashed", SanitizedError.of(exc), code="internal")
    said = lines.only()
    line = int(said.pop("where").removeprefix("shared.telemetry.hosts:checked_sentry_dsn:"))
    assert line > 0
    assert said == {"event": "crashed", "cause": "ValueError", "code": "internal"}
    assert lines.records[0][0] == logging.ERROR


def test_some_events_are_warnings_by_themselves(lines: Lines) -> None:
    for name in sorted(WARNINGS):
        event(name)
    assert {level for level, _ in lines.records} == {logging.WARNING}


def test_sinks_get_the_same_fields_with_name_and_severity(
    attached: Callable[[Sink], None],
) -> None:
    kept = Kept()
    attached(kept)
    error = SanitizedError.of(ValueError())
    event("signed_in", provider="google")
    alarm("seal_broken", error, step="open")
    assert flush(5)
    assert kept.events == [
        ({"event": "signed_in", "severity": "info", "provider": "google"}, None),
        (
            {"event": "seal_broken", "severity": "error", "cause": "ValueError", "step": "open"},
            error,
        ),
    ]


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_v06_a_hostile_text_is_withheld_and_the_event_stays_one_line(
    field: str, text: str, lines: Lines, lost: Callable[[Loss], int]
) -> None:
    event("refused", **{field: text})  # type: ignore[arg-type]  # the field is a parameter here
    assert lines.only() == {"event": "refused", field: "withheld"}
    assert lines.records[0][1].isascii()
    assert lines.records[0][1].isprintable()
    assert lost("withheld") == 1


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize(
    "value", ["1", float("nan"), float("-inf"), 2**60, 10**400, None, [1], b"1", 1j]
)
def test_what_is_no_plain_number_is_left_out(
    field: str, value: object, lines: Lines, lost: Callable[[Loss], int]
) -> None:
    event("answered", **{field: value})  # type: ignore[arg-type]  # wrong on purpose
    assert lines.only() == {"event": "answered"}
    assert lost("wrong_type") == 1


@pytest.mark.parametrize(
    "value",
    [1, True, None, b"internal", ["internal"], pytest.param(object(), id="an object")],
    ids=repr,
)
def test_what_is_no_text_is_left_out_of_a_text_field(
    value: object, lines: Lines, lost: Callable[[Loss], int]
) -> None:
    event("refused", code=value)  # type: ignore[arg-type]  # wrong on purpose
    assert lines.only() == {"event": "refused"}
    assert lost("wrong_type") == 1


def test_an_unlisted_field_is_left_out_and_counted(
    lines: Lines, lost: Callable[[Loss], int]
) -> None:
    event("refused", mail="internal", code="not_found")  # type: ignore[call-arg]  # on purpose
    assert lines.only() == {"event": "refused", "code": "not_found"}
    assert lost("unknown_field") == 1


def test_an_unlisted_name_is_dropped_and_counted(lines: Lines, lost: Callable[[Loss], int]) -> None:
    event("alice@example.com")  # type: ignore[arg-type]  # on purpose
    assert lines.records == []
    assert lost("unknown_event") == 1


def test_a_check_that_fails_drops_the_event_and_raises_nothing(
    lines: Lines, lost: Callable[[Loss], int]
) -> None:
    class Broken(float):
        def __abs__(self) -> float:
            raise RuntimeError

    event("answered", duration_ms=Broken(1))
    assert lines.records == []
    assert lost("not_checked") == 1


def test_a_subclass_of_str_has_no_say_in_what_is_printed(lines: Lines) -> None:
    class Liar(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "alice@example.com"

    class Health(StrEnum):
        REVOKED = "revoked"

    event("refused", code=Liar("not_found"), health=Health.REVOKED)
    assert lines.only() == {"event": "refused", "code": "not_found", "health": "revoked"}


def test_a_log_handler_that_raises_fails_no_request(lost: Callable[[Loss], int]) -> None:
    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise TypeError

    broken, logger = Broken(), logging.getLogger("flowrunner")
    logger.addHandler(broken)
    try:
        event("started")
    finally:
        logger.removeHandler(broken)
    assert lost("not_logged") == 1


@pytest.mark.parametrize(
    "secret",
    ["3f9c2b7e1d4a", "k5x3q7a2b6c4d", "a1b2", "Nq8r_", "x9f8e7", "deadbeef01"],
)
def test_a_word_has_no_room_for_hex_or_base32(secret: str) -> None:
    assert checked({"code": secret}) == {"code": "withheld"}


def test_v08_a_field_without_a_classification_cannot_be_declared() -> None:
    for hint in (str, int, Annotated[str, "no shape"], Annotated[int, ""], Annotated[list, "why"]):
        with pytest.raises(TypeError, match="the field subject"):
            _rule("subject", hint)
    assert all(len(rule.reason) > 5 for rule in RULES.values())


def test_v08_the_type_checker_refuses_unlisted_names_and_fields(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from shared.telemetry.events import alarm, event\n"
        "event('refused', code='not_found', status=404)\n"
        "event('refused', mail='alice')\n"
        "event('read_mail')\n"
        "alarm('crashed', ValueError())\n"
    )
    out, _, status = mypy.api.run(["--cache-dir", str(tmp_path / "cache"), str(script)])
    assert re.findall(r":(\d+): error", out) == ["3", "4", "5"]
    assert status == 1


def test_names_and_severities_agree() -> None:
    assert WARNINGS <= EVENT_NAMES
    assert all(name.replace("_", "").isalpha() and name.islower() for name in EVENT_NAMES)
