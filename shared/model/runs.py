"""Flows, what they take and give, and their runs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, Self

from shared.errors import InvalidRequestError, Json
from shared.model.connections import OrgId
from shared.model.who import TenantId, UserId


class FlowName(str):
    """The API name of a Flow, with its namespace: `Log_Email`, `ns__Log_Email`.

    It becomes part of an address, so nothing but letters, digits and underscores passes.
    """

    __slots__ = ()
    _FORM: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}", re.ASCII)

    @classmethod
    def parse(cls, text: str) -> Self:
        if not cls._FORM.fullmatch(text):
            raise InvalidRequestError
        return cls(text)


LONGEST_RUN: Final = timedelta(seconds=240)
"""Longer than any call to an org is waited for, with all that comes before and after it."""

type FlowKind = Literal["autolaunched", "screen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSummary:
    """A line in the list of Flows that a user can run."""

    name: FlowName
    label: str
    description: str | None
    kind: FlowKind
    org: OrgId


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowVariable:
    """An input or output of a Flow. `type` is Salesforce's word in upper case (`STRING`, …)."""

    name: str
    type: str
    is_collection: bool
    record_type: str | None
    description: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowDescription:
    """What a Flow takes and gives.

    `input_aliases` are not the org's: the tenant's own further names of this Flow's inputs, each
    with the email field that it takes.
    """

    name: FlowName
    label: str
    kind: FlowKind
    inputs: tuple[FlowVariable, ...]
    outputs: tuple[FlowVariable, ...]
    input_aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowResult:
    """A Flow that came to an end, or waits. The outputs pass through memory only."""

    status: Literal["succeeded", "waiting"]
    outputs: Mapping[str, Json] = field(repr=False)


class RunOutcome(StrEnum):
    """How a run ended, as far as is known. `STARTED` is written before the call leaves."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    WAITING = "waiting"
    FLOW_FAILED = "flow_failed"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    OUTCOME_UNKNOWN = "outcome_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The metadata of one run: ids, times and an outcome code; never a name, an input or a text."""

    id: str
    tenant: TenantId
    user: UserId
    org: OrgId
    flow_id: str
    started_at: datetime
    finished_at: datetime | None = None
    outcome: RunOutcome = RunOutcome.STARTED
    duration_ms: int | None = None

    def as_of(self, now: datetime) -> Self:
        """A run that never told its end is, after the longest a call can take, unknown."""
        if self.outcome is RunOutcome.STARTED and self.started_at + LONGEST_RUN < now:
            return replace(self, outcome=RunOutcome.OUTCOME_UNKNOWN)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `begin` to before `end`; None: without a bound on that side.

    A run belongs to the period by the time at which it is said to have started, which is told to
    the millisecond: periods that adjoin hold every run once. Raises InvalidRequestError if it ends
    before it begins.
    """

    begin: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        if self.begin is not None and self.end is not None and self.end < self.begin:
            raise InvalidRequestError


ALL_TIME: Final = Period()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs; None: whatever it is.

    Outcomes are compared as they read at `as_of` (`Run.as_of`); None: as they were written.
    """

    outcome: RunOutcome | None = None
    flow_id: str | None = None
    org: OrgId | None = None
    as_of: datetime | None = None

    def holds(self, run: Run) -> bool:
        """Whether the run is one of these."""
        read = run if self.as_of is None else run.as_of(self.as_of)
        return (
            self.outcome in (None, read.outcome)
            and self.flow_id in (None, run.flow_id)
            and self.org in (None, run.org)
        )


EVERY_RUN: Final = RunFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """An idempotency key and the request it was used for, both as keyed hashes."""

    key_digest: str
    body_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """One page of runs, newest first. `next` continues it; None on the last page.

    A page may be short, or even empty, and still have a next one.
    """

    runs: tuple[Run, ...]
    next: str | None
