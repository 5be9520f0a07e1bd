"""Which JSON values fit which type of Flow variable: a table, by Salesforce's own words."""

import pytest

from shared.errors import InvalidInputError, InvalidRequestError, Json, UndeclaredInputError
from shared.flow_values import (
    LARGEST_INPUT_BYTES,
    MOST_INPUTS,
    TEXT_TYPES,
    check_inputs,
    fitting,
)
from shared.model import FlowDescription, FlowName, FlowVariable

FITS: list[tuple[str, Json]] = [
    *((kind, "text") for kind in sorted(TEXT_TYPES - {"ID", "REFERENCE"})),
    *((kind, "001xx000003DGb2") for kind in ("ID", "REFERENCE")),
    ("ID", "001xx000003DGb2AAG"),
    ("STRING", ""),
    ("STRING", "ünïcode \U0001f600"),
    *((kind, 7) for kind in ("INTEGER", "INT", "LONG")),
    *((kind, number) for kind in ("INTEGER", "INT") for number in (-(2**31), 2**31 - 1)),
    *(("LONG", number) for number in (-(2**63), 2**63 - 1)),
    *((kind, 1.5) for kind in ("DOUBLE", "DECIMAL", "CURRENCY", "PERCENT")),
    ("DOUBLE", 7),
    ("DOUBLE", -0.0),
    ("BOOLEAN", True),
    ("BOOLEAN", False),
    ("DATE", "2026-02-28"),
    ("DATE", "2024-02-29"),
    ("DATETIME", "2026-01-15T12:00:00Z"),
    ("DATETIME", "2026-01-15T12:00:00.123456789+05:30"),
    ("DATETIME", "2026-01-15T12:00:00-08:00"),
    ("TIME", "23:59:59"),
    ("TIME", "10:30:00.123Z"),
    ("GEOLOCATION", "a type of the future takes a text"),
    ("GEOLOCATION", 1.5),
    ("GEOLOCATION", True),
]

DOES_NOT_FIT: list[tuple[str, Json]] = [
    *((kind, 7) for kind in sorted(TEXT_TYPES)),
    ("STRING", True),
    ("STRING", ["text"]),
    ("STRING", {"a": "b"}),
    ("INTEGER", 1.0),
    ("INTEGER", "1"),
    ("INTEGER", True),
    *((kind, number) for kind in ("INTEGER", "INT") for number in (-(2**31) - 1, 2**31)),
    *(("LONG", number) for number in (-(2**63) - 1, 2**63)),
    *(("ID", text) for text in ("", "001", "001xx000003DGb2A", "001xx000003DGb2AAGX")),
    ("REFERENCE", "001xx000003DGb2' OR"),
    ("DOUBLE", "1.5"),
    ("DOUBLE", True),
    ("DOUBLE", float("inf")),
    ("DOUBLE", float("nan")),
    ("DOUBLE", 10**400),
    ("BOOLEAN", 1),
    ("BOOLEAN", "true"),
    ("DATE", "2026-02-30"),
    ("DATE", "20260228"),
    ("DATE", "2026-2-8"),
    ("DATE", "2026-W07-1"),
    ("DATE", "2026-02-28T00:00:00Z"),
    ("DATE", "٢٠٢٦-02-28"),
    ("DATE", 20260228),
    ("DATETIME", "2026-01-15"),
    ("DATETIME", "2026-01-15T12:00:00"),
    ("DATETIME", "2026-01-15 12:00:00Z"),
    ("DATETIME", "2026-13-15T12:00:00Z"),
    ("DATETIME", "2026-01-15T25:00:00Z"),
    ("DATETIME", "2026-01-15T12:00:00Z\n"),
    ("DATETIME", 1_768_478_400),
    ("TIME", "24:00:01"),
    ("TIME", "10:30"),
    ("TIME", "10:30:00+02:00"),
    ("GEOLOCATION", ["text"]),
    ("GEOLOCATION", {"a": 1}),
    ("GEOLOCATION", float("inf")),
    ("SOBJECT", "001000000000001"),
    ("APEX", ["x"]),
]


def variable(
    name: str = "value",
    kind: str = "STRING",
    *,
    is_collection: bool = False,
    record_type: str | None = None,
) -> FlowVariable:
    return FlowVariable(
        name=name, type=kind, is_collection=is_collection, record_type=record_type, description=None
    )


def flow(*inputs: FlowVariable) -> FlowDescription:
    return FlowDescription(
        name=FlowName("Any"), label="Any", kind="autolaunched", inputs=inputs, outputs=()
    )


@pytest.mark.parametrize(("kind", "value"), FITS)
def test_a_value_of_the_type_is_sent_as_it_is(kind: str, value: Json) -> None:
    assert fitting(value, variable(kind=kind)) == value


@pytest.mark.parametrize(("kind", "value"), DOES_NOT_FIT)
def test_a_value_of_another_type_is_refused(kind: str, value: Json) -> None:
    with pytest.raises(InvalidInputError):
        fitting(value, variable(kind=kind))


def test_the_refusal_names_the_input_and_the_type_and_never_the_value() -> None:
    with pytest.raises(InvalidInputError) as refused:
        fitting("canary-value", variable("age", "INTEGER"))

    assert refused.value.members() == {"input": "age", "wanted": "INTEGER"}
    assert "canary-value" not in repr(refused.value) + str(refused.value)


@pytest.mark.parametrize("kind", ["STRING", "INTEGER", "SOBJECT"])
def test_null_inside_a_collection_is_refused(kind: str) -> None:
    with pytest.raises(InvalidInputError):
        fitting([None], variable(kind=kind, is_collection=True))


def test_a_collection_is_a_list_of_values_that_fit() -> None:
    texts = variable(is_collection=True)

    assert fitting(["a", "b"], texts) == ["a", "b"]
    assert fitting([], texts) == []
    wrong: tuple[Json, ...] = ("a", {"a": "b"}, ["a", 1], [["a"]])
    for value in wrong:
        with pytest.raises(InvalidInputError):
            fitting(value, texts)


def test_a_collection_has_an_exact_limit() -> None:
    texts = variable(is_collection=True)
    fitting(["a"] * 2_000, texts)

    with pytest.raises(InvalidInputError) as refused:
        fitting(["a"] * 2_001, texts)
    assert refused.value.members()["wanted"] == "list of STRING"


def test_a_record_gets_the_type_that_salesforce_asks_for() -> None:
    case = variable(kind="SOBJECT", record_type="Case")

    assert fitting({"Subject": "x"}, case) == {"Subject": "x", "attributes": {"type": "Case"}}


def test_a_record_that_says_its_type_keeps_what_it_says() -> None:
    case = variable(kind="SOBJECT", record_type="Case")
    given: Json = {"attributes": {"type": "Case", "url": "/x"}, "Subject": "x"}

    assert fitting(given, case) == given


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"attributes": {"type": "Account"}}, id="another-type"),
        pytest.param({"attributes": {}}, id="no-type"),
        pytest.param({"attributes": "Case"}, id="attributes-of-another-shape"),
        pytest.param({"attributes": None}, id="null-attributes"),
        pytest.param(["x"], id="a-list"),
        pytest.param("x", id="a-text"),
    ],
)
def test_a_record_of_another_type_is_refused(value: Json) -> None:
    with pytest.raises(InvalidInputError) as refused:
        fitting(value, variable(kind="SOBJECT", record_type="Case"))
    assert refused.value.members()["wanted"] == "Case"


def test_an_apex_value_is_any_object() -> None:
    assert fitting({"a": [1]}, variable(kind="APEX")) == {"a": [1]}


def test_declared_inputs_pass_and_null_ones_are_left_out() -> None:
    declared = flow(variable("a"), variable("b", "INTEGER"), variable("c"))

    assert check_inputs(declared, {"a": "x", "b": 1, "c": None}) == {"a": "x", "b": 1}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("B", id="another-case"),
        pytest.param("", id="empty"),
        pytest.param("Flow__InterviewGuid", id="salesforces-own"),
        pytest.param("__proto__", id="a-name-of-scripts"),
    ],
)
@pytest.mark.parametrize("value", ["x", None])
def test_an_undeclared_input_is_refused_by_name(name: str, value: Json) -> None:
    with pytest.raises(UndeclaredInputError) as refused:
        check_inputs(flow(variable("b")), {name: value})
    assert refused.value.members() == {"input": name}


def test_the_number_of_inputs_has_an_exact_limit() -> None:
    names = [f"input{number}" for number in range(MOST_INPUTS + 1)]
    declared = flow(*(variable(name) for name in names))
    check_inputs(declared, dict.fromkeys(names[:MOST_INPUTS], "x"))

    with pytest.raises(InvalidRequestError):
        check_inputs(declared, dict.fromkeys(names, "x"))


@pytest.mark.parametrize(
    ("kind", "is_collection", "value"),
    [
        pytest.param("STRING", False, "x" * (LARGEST_INPUT_BYTES + 1), id="a-text"),
        pytest.param("STRING", False, "ü" * (LARGEST_INPUT_BYTES // 2 + 1), id="in-bytes"),
        pytest.param("STRING", True, ["x" * 1_024] * 33, id="a-collection"),
        pytest.param("APEX", False, {"a": "x" * LARGEST_INPUT_BYTES}, id="an-object"),
    ],
)
def test_an_input_of_more_than_32_kib_is_refused(
    kind: str, is_collection: bool, value: Json
) -> None:
    """Measured as JSON in UTF-8."""
    declared = flow(variable("big", kind, is_collection=is_collection))

    with pytest.raises(InvalidRequestError):
        check_inputs(declared, {"big": value})


def test_an_input_of_somewhat_less_than_32_kib_passes() -> None:
    given: Json = {"big": "x" * (LARGEST_INPUT_BYTES - 64)}

    assert check_inputs(flow(variable("big")), {"big": "x" * (LARGEST_INPUT_BYTES - 64)}) == given
