"""What a Flow may be given: bodies, names and values, and how each is refused."""

import pytest

from local import scene
from local.simulators.salesforce import Salesforce
from tests.simulators.conftest import Serve
from tests.simulators.salesforce_rig import FLOWS, ORG, Rig, rest_error
from tests.simulators.serving import Clock, Json


@pytest.fixture
def rig(serve: Serve, clock: Clock) -> Rig:
    return Rig(serve(Salesforce(clock=clock)))


@pytest.fixture
def token(rig: Rig) -> str:
    return rig.connect()["access_token"]


def put_flow(rig: Rig, **flow: object) -> None:
    """The org has this Flow alone."""
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, flows=[{"name": "Mine", **flow}])


@pytest.mark.parametrize(
    ("body", "error_code"),
    [
        pytest.param(b"", "JSON_PARSER_ERROR", id="nothing"),
        pytest.param(b"{", "JSON_PARSER_ERROR", id="half-an-object"),
        pytest.param(b'{"inputs": [{"score": NaN}]}', "JSON_PARSER_ERROR", id="not-a-number"),
        pytest.param(b'{"inputs": [{"age": 1, "age": 2}]}', "JSON_PARSER_ERROR", id="twice"),
        pytest.param(b"[" * 100_000, "JSON_PARSER_ERROR", id="too-deep"),
        pytest.param(
            b'{"inputs": [{"age": ' + b"9" * 5000 + b"}]}", "JSON_PARSER_ERROR", id="huge"
        ),
        pytest.param(b'"\xff"', "JSON_PARSER_ERROR", id="not-utf-8"),
        pytest.param(b"[]", "JSON_PARSER_ERROR", id="a-list"),
        pytest.param(b'{"inputs": [{}], "x": 1}', "JSON_PARSER_ERROR", id="unknown-member"),
        pytest.param(b'{"inputs": ["x"]}', "JSON_PARSER_ERROR", id="input-is-text"),
        pytest.param(b"{}", "INVALID_INPUT", id="no-inputs"),
        pytest.param(b'{"inputs": []}', "INVALID_INPUT", id="empty-inputs"),
        pytest.param(b'{"inputs": {}}', "INVALID_INPUT", id="inputs-are-an-object"),
    ],
)
def test_a_body_that_is_not_right_is_400(
    rig: Rig, token: str, body: bytes, error_code: str
) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    answer = rig.request(
        "POST", f"https://{ORG}{FLOWS}/ns__Sync_Contact", headers=headers, data=body
    )

    assert rest_error(answer) == (400, error_code)
    assert rig.ledger()["invocations"] == 0


def test_a_body_must_be_called_json(rig: Rig, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}

    answer = rig.request(
        "POST", f"https://{ORG}{FLOWS}/Log_Email", headers=headers, data=b'{"inputs": [{}]}'
    )

    assert rest_error(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("name", ["Subject", "SUBJECT", "body", "Flow__InterviewStatus"])
def test_an_input_that_is_not_declared_is_refused_by_name(rig: Rig, token: str, name: str) -> None:
    answer = rig.invoke("Log_Email", token, {"subject": "x", name: "y"})

    assert rest_error(answer) == (400, "INVALID_INPUT")
    assert answer.json()[0]["fields"] == [name]
    assert rig.ledger()["invocations"] == 0


GOOD: dict[str, list[Json]] = {
    "INTEGER": [0, -(2**31), 2**31 - 1],
    "LONG": [2**63 - 1],
    "DOUBLE": [1, 1.5, -0.25],
    "CURRENCY": [9.99],
    "BOOLEAN": [True, False],
    "DATE": ["2026-02-28"],
    "DATETIME": [
        "2026-11-01T10:00:00Z",
        "2026-11-01T10:00:00.000+0000",
        "2026-11-01T10:00:00.5+01:00",
    ],
    "TIME": ["10:00:00.000Z"],
    "STRING": ["", "text"],
    "PICKLIST": ["Anything"],
    "ID": ["5005g0000000001", "5005g0000000001AAA"],
    "APEX": [{"any": "object"}],
}
BAD: dict[str, list[Json]] = {
    "INTEGER": ["1", 1.0, True, 2**31, [1]],
    "LONG": [2**63, "1"],
    "DOUBLE": ["1.5", True],
    "CURRENCY": ["9.99"],
    "BOOLEAN": ["true", 1, 0],
    "DATE": ["2026-02-30", "28.02.2026", "20260228", 20260228, "2026-02-28T00:00:00Z"],
    "DATETIME": ["2026-11-01", "2026-11-01T10:00:00", "2026-11-01 10:00:00Z", 1],
    "TIME": ["25:00:00", "10:00"],
    "STRING": [1, True, {"a": 1}, ["text"]],
    "PICKLIST": [1],
    "ID": ["5005g0000000001AAB", "500", 5],
    "APEX": ["text"],
}


def _cases(table: dict[str, list[Json]]) -> list[Json]:
    return [
        pytest.param(kind, value, id=f"{kind}-{number}")
        for kind, values in table.items()
        for number, value in enumerate(values)
    ]


@pytest.mark.parametrize(("kind", "value"), _cases(GOOD))
def test_a_value_that_fits_comes_back_unchanged(
    rig: Rig, token: str, kind: str, value: Json
) -> None:
    variable = {"name": "x", "type": kind}
    put_flow(rig, inputs=[variable], outputs=[variable])

    assert rig.invoke("Mine", token, {"x": value}).json()[0]["outputValues"]["x"] == value


@pytest.mark.parametrize(("kind", "value"), _cases(BAD))
def test_a_value_that_does_not_fit_is_refused(rig: Rig, token: str, kind: str, value: Json) -> None:
    put_flow(rig, inputs=[{"name": "x", "type": kind}])

    answer = rig.invoke("Mine", token, {"x": value})

    assert rest_error(answer) == (400, "INVALID_TYPE")
    assert answer.json()[0]["fields"] == ["x"]
    assert rig.ledger()["invocations"] == 0


def test_null_fits_every_variable(rig: Rig, token: str) -> None:
    nothing = dict.fromkeys(("age", "optedIn", "birthday", "lastSeen", "score", "contact"))

    assert rig.invoke("ns__Sync_Contact", token, nothing).status_code == 200


@pytest.mark.parametrize(
    ("record", "error_code"),
    [
        pytest.param({"LastName": "Ada"}, "INVALID_INPUT", id="no-attributes"),
        pytest.param({"attributes": {}, "LastName": "Ada"}, "INVALID_INPUT", id="no-type"),
        pytest.param({"attributes": {"type": "Case"}}, "INVALID_TYPE", id="another-type"),
        pytest.param("0035g0000000001", "INVALID_TYPE", id="an-id"),
    ],
)
def test_a_record_must_say_what_it_is(rig: Rig, token: str, record: Json, error_code: str) -> None:
    assert rest_error(rig.invoke("ns__Sync_Contact", token, {"contact": record})) == (
        400,
        error_code,
    )


def test_a_record_with_its_type_is_taken(rig: Rig, token: str) -> None:
    record = {"attributes": {"type": "Contact"}, "LastName": "Ada"}

    (result,) = rig.invoke("ns__Sync_Contact", token, {"contact": record}).json()

    assert result["outputValues"]["contact"] == record


@pytest.mark.parametrize(
    ("value", "error_code"),
    [
        pytest.param("a@example.com", "INVALID_TYPE", id="not-a-list"),
        pytest.param([1], "INVALID_TYPE", id="wrong-element"),
        pytest.param([["a@example.com"]], "INVALID_TYPE", id="nested-list"),
        pytest.param(["a@example.com"] * 2001, "INVALID_INPUT", id="too-many"),
    ],
)
def test_a_collection_takes_up_to_2000_elements_of_its_type(
    rig: Rig, token: str, value: Json, error_code: str
) -> None:
    sent = {"recipientEmails": value}

    assert rest_error(rig.invoke("Log_Email", token, sent)) == (400, error_code)


def test_one_bad_input_refuses_the_whole_call(rig: Rig, token: str) -> None:
    answer = rig.invoke("Log_Email", token, {"subject": "good"}, {"subject": 1})

    assert rest_error(answer) == (400, "INVALID_TYPE")
    assert rig.ledger()["invocations"] == 0
