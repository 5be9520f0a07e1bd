"""Run a Flow once: only what it declares goes out, and every run leaves its mark."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from shared.cache import TimedCache
from shared.email_vocabulary import check_email, email_inputs
from shared.errors import (
    AccessRefusedError,
    DuplicateRunError,
    FlowFailedError,
    FlowRunnerError,
    InvalidRequestError,
    Json,
    NotFoundError,
    SalesforceForbiddenError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
    UpstreamError,
)
from shared.flow_values import check_inputs
from shared.model import (
    Access,
    Caller,
    FlowDescription,
    FlowName,
    FlowResult,
    Idempotency,
    OrgId,
    Run,
    RunOutcome,
    TenantId,
    base32,
    flow_name_place,
)
from shared.ports import Clock, Pseudonyms, RunStore, SalesforceFlows, TenantStore, Vault
from shared.telemetry.events import alarm, event
from shared.usecases.describe_flow import DescribeFlow
from shared.usecases.org_access import OrgAccess

LONGEST_SECONDS: Final = 200.0
"""For the call and all that belongs to it; Azure's front end gives up after 230."""
_NOT_AS_DESCRIBED: Final = (InvalidRequestError, NotFoundError, SalesforceForbiddenError)
"""The org does not know the Flow as it was described: nothing was carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What the caller asks for, read and checked as far as that goes without the Flow."""

    flow: FlowName
    org: OrgId | None
    email: Mapping[str, Json] = field(repr=False)
    inputs: Mapping[str, Json] = field(repr=False)
    idempotency_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvokeFlow:
    describe: DescribeFlow
    access: OrgAccess
    flows: SalesforceFlows
    runs: RunStore
    tenants: TenantStore
    vault: Vault
    pseudonyms: Pseudonyms
    clock: Clock
    seconds: float = LONGEST_SECONDS
    _named: TimedCache[tuple[TenantId, str], bool] = field(
        default_factory=lambda: TimedCache(size=10_000, seconds=86_400)
    )

    async def __call__(self, caller: Caller, asked: Invocation) -> tuple[Run, FlowResult]:
        """Describe, check, write the run, call, write how it ended.

        Raises UndeclaredInputError and InvalidInputError before anything is sent;
        SalesforceLimitError before a row is written, where it is known; DuplicateRunError and
        IdempotencyKeyReusedError; FlowFailedError; and where the answer was lost after the request
        left, an UpstreamError with the run's id. Nothing is sent twice.
        """
        check_email(asked.email)
        org = await self.access.choose(caller, asked.org)
        inputs = await self._inputs(caller, org, asked)
        self.flows.require_calls_left(org)  # before the key is used up for nothing

        run = await self._start(caller, org, asked)
        call = _Call(self.flows, asked.flow, inputs)
        try:
            result = await self._called(caller, org, call)
        except FlowRunnerError as exc:
            outcome = _outcome_of(exc) if call.is_out else RunOutcome.NOT_SENT
            await self._finish(run, outcome)
            if isinstance(exc, _NOT_AS_DESCRIBED):
                self.describe.forget(caller, org, asked.flow)
            raise _with_run(exc, run, outcome)  # noqa: B904 - the same failure, told with its run
        finished = await self._finish(run, RunOutcome(result.status))
        return finished, result

    async def _called(self, caller: Caller, org: OrgId, call: "_Call") -> FlowResult:
        """The call, and one more after a refresh if the access token was refused: both together
        end before Azure's front end gives up."""
        try:
            async with asyncio.timeout(self.seconds):
                return await self.access.call(caller, org, call)
        except TimeoutError as exc:
            failure = SalesforceTimeoutError if call.is_out else SalesforceUnavailableError
            raise failure from exc

    async def _inputs(self, caller: Caller, org: OrgId, asked: Invocation) -> Mapping[str, Json]:
        """What goes out. If it does not fit what this instance remembers of the Flow, the Flow may
        have changed since, and the caller have been shown it as it is: so it is read once more."""
        is_remembered = self.describe.remembers(caller, org, asked.flow)
        flow = await self.describe.known(caller, org, asked.flow)
        try:
            return _inputs_for(flow, asked)
        except InvalidRequestError:
            if not is_remembered:
                raise
            self.describe.forget(caller, org, asked.flow)
        return _inputs_for(await self.describe.known(caller, org, asked.flow), asked)

    async def _start(self, caller: Caller, org: OrgId, asked: Invocation) -> Run:
        """The row before the call: the audit of every call that was made, and the guard of keys."""
        run = Run(
            id=f"r-{base32(os.urandom(16))}",
            tenant=caller.tenant,
            user=caller.user,
            org=org,
            flow_id=await self.pseudonyms.flow_id(caller.tenant, org, asked.flow),
            started_at=self.clock(),
        )
        await self._remember_name(run, asked.flow)
        earlier = await self.runs.start(run, await self._idempotency(caller, org, asked))
        if earlier is not None:
            raise DuplicateRunError(earlier.id, earlier.as_of(self.clock()).outcome.value)
        return run

    async def _idempotency(
        self, caller: Caller, org: OrgId, asked: Invocation
    ) -> Idempotency | None:
        """Keyed hashes of the key, which is the user's own, and of what it was used for."""
        if asked.idempotency_key is None:
            return None
        body = json.dumps(
            [org, asked.flow, dict(asked.email), dict(asked.inputs)], sort_keys=True
        ).encode()
        key = f"{caller.user}|{asked.idempotency_key}".encode()
        return Idempotency(
            key_digest=await self.pseudonyms.digest(caller.tenant, "idempotency-key", key),
            body_digest=await self.pseudonyms.digest(caller.tenant, "idempotency-body", body),
        )

    async def _remember_name(self, run: Run, flow: FlowName) -> None:
        """Keep the readable name sealed, once, for the people whose Flow it is."""
        if self._named.peek((run.tenant, run.flow_id)):
            return
        sealed = await self.vault.seal(flow_name_place(run.tenant, run.flow_id), flow.encode())
        await self.tenants.remember_flow_name(run.tenant, run.flow_id, sealed)
        self._named.put((run.tenant, run.flow_id), True)  # noqa: FBT003 - the cache's value

    async def _finish(self, run: Run, outcome: RunOutcome) -> Run:
        """Add how it ended. If that cannot be written, the answer stands all the same: the Flow
        has run, and the row without an end reads as `outcome_unknown`."""
        now = self.clock()
        duration = round((now - run.started_at) / timedelta(milliseconds=1))
        finished = replace(run, finished_at=now, outcome=outcome, duration_ms=duration)
        try:
            await self.runs.finish(finished)
        except UpstreamError:
            alarm("dependency_failed", dependency="tables", step="finish_run")
        event(
            "flow_run",
            tenant=run.tenant,
            user=run.user,
            outcome=outcome.value,
            duration_ms=duration,
        )
        return finished


class _Call:
    """The call to the Flow, which knows whether it may have been carried out.

    A refused access token proves that it was not; what fails after that, in the refresh, fails
    before anything is sent again.
    """

    def __init__(self, flows: SalesforceFlows, flow: FlowName, inputs: Mapping[str, Json]) -> None:
        self._flows, self._flow, self._inputs = flows, flow, inputs
        self.is_out = False

    async def __call__(self, access: Access) -> FlowResult:
        self.is_out = True
        try:
            return await self._flows.invoke(access, self._flow, self._inputs)
        except AccessRefusedError:
            self.is_out = False
            raise


def _inputs_for(flow: FlowDescription, asked: Invocation) -> Mapping[str, Json]:
    """Raises UndeclaredInputError, InvalidInputError, InvalidRequestError."""
    if flow.kind == "screen":
        raise InvalidRequestError  # a screen Flow runs in a page, not by a call
    return {**email_inputs(flow, asked.email), **check_inputs(flow, asked.inputs)}


def _outcome_of(failure: FlowRunnerError) -> RunOutcome:
    match failure:
        case FlowFailedError():
            return RunOutcome.FLOW_FAILED
        case SalesforceTimeoutError():
            return RunOutcome.OUTCOME_UNKNOWN
        case SalesforceUnavailableError():
            return RunOutcome.NOT_SENT
        case UpstreamError():
            return RunOutcome.OUTCOME_UNKNOWN
        case _:
            return RunOutcome.REFUSED


def _with_run(failure: FlowRunnerError, run: Run, outcome: RunOutcome) -> FlowRunnerError:
    """The failure with the run's id, where the caller may want to look it up."""
    if isinstance(failure, FlowFailedError):
        return FlowFailedError(failure.errors, run.id)
    if isinstance(failure, UpstreamError) and outcome is RunOutcome.OUTCOME_UNKNOWN:
        failure.run_id = run.id
    return failure
