"""Run metadata as it leaves the service: as members of JSON, and as lines of an export."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from shared.errors import Json
from shared.model import Run

_COLUMNS: Final = (
    "run_id",
    "flow_id",
    "flow_name",
    "user_id",
    "org_id",
    "started_at",
    "finished_at",
    "outcome",
    "duration_ms",
)
_BEGINS_A_FORMULA: Final = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")
"""What spreadsheets take for the beginning of a formula, in its wide spelling as well
(https://owasp.org/www-community/attacks/CSV_Injection)."""

type FlowNames = Mapping[str, str]
"""Readable names by Flow id. What has none is told by its id alone."""


class RunForm(Protocol):
    """How an export spells runs."""

    @property
    def media_type(self) -> str: ...
    @property
    def suffix(self) -> str:
        """Of the file's name."""
        ...

    @property
    def head(self) -> bytes:
        """What stands before the first run."""
        ...

    def lines(self, runs: Iterable[Run], flow_names: FlowNames) -> bytes: ...


@dataclass(frozen=True, slots=True)
class NdJson:
    """One JSON object a line (https://github.com/ndjson/ndjson-spec), in ASCII."""

    media_type: str = "application/x-ndjson"
    suffix: str = "ndjson"
    head: bytes = b""

    def lines(self, runs: Iterable[Run], flow_names: FlowNames) -> bytes:
        members = (run_members(run, flow_names.get(run.flow_id)) for run in runs)
        return "".join(f"{json.dumps(m, separators=(',', ':'))}\n" for m in members).encode("ascii")


@dataclass(frozen=True, slots=True)
class Csv:
    """RFC 4180 with a header line, in UTF-8; what is not known is an empty field."""

    media_type: str = "text/csv"
    suffix: str = "csv"
    head: bytes = ",".join(_COLUMNS).encode("ascii") + b"\r\n"

    def lines(self, runs: Iterable[Run], flow_names: FlowNames) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(
            [_cell(value) for value in run_members(run, flow_names.get(run.flow_id)).values()]
            for run in runs
        )
        return text.getvalue().encode()


def run_members(run: Run, flow_name: str | None) -> dict[str, Json]:
    """A run as the contract's schema `Run`; its members are the columns of an export."""
    return {
        "run_id": run.id,
        "flow_id": run.flow_id,
        "flow_name": flow_name,
        "user_id": run.user,
        "org_id": run.org,
        "started_at": _time(run.started_at),
        "finished_at": None if run.finished_at is None else _time(run.finished_at),
        "outcome": run.outcome.value,
        "duration_ms": run.duration_ms,
    }


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cell(value: Json) -> str:
    """A field that no spreadsheet computes: an apostrophe goes before what might begin a formula.
    Spaces do not hide the beginning; some programs cut them off."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_BEGINS_A_FORMULA) else text
