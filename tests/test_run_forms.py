"""Runs as lines of an export, as a spreadsheet and a parser read them."""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.model import OrgId, RunOutcome, TenantId, UserId
from shared.run_forms import Csv, NdJson, run_members
from tests.contract.rows import run_row
from tests.fakes import NOON

TENANT = TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3")
BEGUN = run_row(TENANT, "one", started=NOON + timedelta(microseconds=1_999))
ENDED = replace(
    BEGUN,
    outcome=RunOutcome.SUCCEEDED,
    finished_at=NOON + timedelta(seconds=2),
    duration_ms=1998,
)


def rows(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline=""), strict=True))


def test_a_line_of_ndjson_is_the_run_of_the_contract() -> None:
    text = NdJson().lines([ENDED, BEGUN], {"f-flow": "Log_Email"})

    assert text.count(b"\n") == 2
    assert text.endswith(b"\n")
    assert [json.loads(line) for line in text.splitlines()] == [
        run_members(ENDED, "Log_Email"),
        run_members(BEGUN, "Log_Email"),
    ]
    assert json.loads(text.splitlines()[0])["started_at"] == "2026-01-15T12:00:00.001Z"


def test_csv_has_a_header_line_and_the_same_columns() -> None:
    """RFC 4180: fields by commas, lines by CRLF, the last one, too."""
    text = Csv().head + Csv().lines([ENDED, BEGUN], {"f-flow": "Log_Email"})

    assert text.count(b"\r\n") == text.count(b"\n") == 3
    header, ended, begun = rows(text)
    assert header == list(run_members(ENDED, None))
    assert ended == [str(value) for value in run_members(ENDED, "Log_Email").values()]
    assert dict(zip(header, begun, strict=True))["finished_at"] == ""


def test_a_flow_without_a_name_has_none() -> None:
    assert json.loads(NdJson().lines([BEGUN], {}))["flow_name"] is None
    assert rows(Csv().lines([BEGUN], {}))[0][2] == ""


def test_ndjson_begins_with_a_run() -> None:
    assert NdJson().head == b""


FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "   @x", "\uff1d1+1", "\uff0b1",
    "\uff0d1", "\uff20x", '=cmd|"/c calc"!A0', '=HYPERLINK("https://example.com")', "-",
]  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS, ids=ascii)
def test_p06_no_cell_begins_a_formula(name: str) -> None:
    """Whatever column it is in, though none of ours can hold it today."""
    run = replace(
        BEGUN, id=name, flow_id=name, user=UserId(name), org=OrgId(name), outcome=RunOutcome.WAITING
    )

    cells = rows(Csv().lines([run], {name: name}))[0]

    assert cells[:5] == [f"'{name}"] * 5
    assert all(cell.lstrip()[:1] not in "=+-@\t\r\n" or not cell for cell in cells)


@pytest.mark.parametrize("name", ['say "x"', "a,b", "a\r\nb", "a\nb", "\u00fc", "a=b", "1-2", "'x"])
def test_other_cells_stay_as_they_are(name: str) -> None:
    assert rows(Csv().lines([BEGUN], {"f-flow": name}))[0][2] == name


@pytest.mark.parametrize("name", ["a\nb", "\u2028", "\u00fc", '"', "\x00"], ids=ascii)
def test_no_name_breaks_a_line_of_ndjson(name: str) -> None:
    text = NdJson().lines([BEGUN, BEGUN], {"f-flow": name})

    assert len(text.splitlines()) == len(text.decode().splitlines()) == 2
    assert json.loads(text.splitlines()[1])["flow_name"] == name


def test_no_runs_are_no_lines() -> None:
    assert (NdJson().lines([], {}), Csv().lines([], {})) == (b"", b"")
