"""D-02: the store fails at each of the calls that listing, describing and running a Flow make, in
turn: it is busy for a moment, or down from there on, or carries the call out and its answer is
lost. The Flow never runs twice, and of what has run a row tells."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import aiohttp
import pytest

from local import scene
from local.demo import FLOW, MAIL
from local.network import pinned_network
from local.stack_info import StackInfo
from shared.errors import DuplicateRunError, FlowRunnerError, StorageFailedError
from shared.model import LONGEST_RUN, Caller, FlowName, RunOutcome, TenantId
from shared.outside import Azure
from shared.services import Services
from tests.attacks.azurite_rows import AzuriteRows, Row
from tests.attacks.hammering import Pane, Who
from tests.attacks.outgoing import step_of
from tests.attacks.serving_clients import connected
from tests.attacks.worker_settings import settings_on
from tests.contract.salesforce import SimulatedScene
from tests.control_client import ControlClient
from tests.fakes import FakeFlow, variable
from tests.usecases.invoking import LOG, invocation

type Fault = Mapping[str, object]

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

BUSY: Final[Fault] = {"fault": "status", "value": 503}
TIMED_OUT: Final[Fault] = {"fault": "status", "value": 500}
LOST: Final[Fault] = {"fault": "reset_after"}
FOREVER: Final = 1_000
TRIES: Final = 6


@dataclass(slots=True)
class Trouble:
    """What befalls the store's calls of one instance: `times` of them, from the `first` on."""

    info: StackInfo
    control: ControlClient
    fault: Fault
    first: int
    times: int
    steps: list[str] = field(default_factory=list)

    def befall(self, session: aiohttp.ClientSession) -> None:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(self._before)
        tracing.freeze()
        session.trace_configs.append(tracing)

    async def _before(self, _: object, __: object, params: aiohttp.TraceRequestStartParams) -> None:
        """Ordered just before the request leaves, so that none is left over."""
        step = step_of(self.info, params.method, str(params.url))
        if not step.startswith("store "):
            return
        self.steps.append(step)
        if 0 <= len(self.steps) - 1 - self.first < self.times:
            self.control.post("/_sim/faults", {"target": "tables", "match": "/", **self.fault})


@dataclass(slots=True)
class Told:
    """What one call came to."""

    failure: FlowRunnerError | None
    steps: list[str]
    executions: int
    added: list[Row]

    @property
    def runs(self) -> list[Row]:
        return [row for row in self.added if row["RowKey"].startswith("run|")]

    @property
    def keys(self) -> list[Row]:
        return [row for row in self.added if row["RowKey"].startswith("idem|")]


type Use = Callable[[Services, Caller], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """Somebody who is connected to an org with one Flow, and whose instance knows nothing yet."""

    info: StackInfo
    control: ControlClient
    rows: AzuriteRows
    caller: Caller

    async def call(
        self, use: Use, fault: Fault | None = None, *, at: int = 0, times: int = 1
    ) -> Told:
        """By a new instance; the store fails `times` calls, of which `at` is the first."""
        trouble = Trouble(self.info, self.control, fault or {}, at, times if fault else 0)
        before, ran = self._run_rows(), self._executions()
        failure = None
        network = pinned_network(self.info)
        outside = Azure(settings_on(self.info), network)
        services = Services(outside._settings, outside)
        trouble.befall(network.session())
        try:
            await use(services, self.caller)
        except FlowRunnerError as exc:
            failure = exc
        finally:
            await until_nobody_works()
            await services.close()
        after = self._run_rows()
        return Told(
            failure=failure,
            steps=trouble.steps,
            executions=self._executions() - ran,
            added=[row for row in after if row["RowKey"] not in {r["RowKey"] for r in before}],
        )

    def _executions(self) -> int:
        calls = self.control.get("/_sim/traffic").get("salesforce", {})
        path = f"/actions/custom/flow/{LOG}"
        return sum(n for call, n in calls.items() if call.startswith("POST") and path in call)

    def _run_rows(self) -> list[Row]:
        return self.rows.of(self.caller.tenant)["runs"]


@pytest.fixture
async def victim(
    stack: StackInfo, control: ControlClient, rows: AzuriteRows, identity_endpoint: None
) -> Victim:
    outside = Azure(settings_on(stack), pinned_network(stack))
    services = Services(outside._settings, outside)
    scene = SimulatedScene(outside, control)
    scene.put(FakeFlow(name=LOG, inputs=(variable("subject"),)))
    caller = await connected(services, control, scene, str(uuid4()), "alice")
    await services.close()
    return Victim(info=stack, control=control, rows=rows, caller=caller)


async def list_them(services: Services, caller: Caller) -> None:
    assert [one.name for one in await services.list_flows(caller, None)] == [LOG]


async def describe_it(services: Services, caller: Caller) -> None:
    described = await services.describe_flow(caller, None, FlowName.parse(LOG))
    assert [one.name for one in described.inputs] == ["subject"]


def run_it(key: str | None) -> Use:
    async def run(services: Services, caller: Caller) -> None:
        asked = invocation(email={"subject": "a subject"}, key=key)
        finished, _ = await services.invoke_flow(caller, asked)
        assert finished.outcome is RunOutcome.SUCCEEDED

    return run


KEYS: Final = pytest.mark.parametrize("with_key", [True, False], ids=["with-a-key", "no-key"])


@pytest.mark.parametrize(
    ("use", "optional"),
    [
        # Last of all the day of the use is noted, and that need not succeed.
        pytest.param(list_them, 1, id="list"),
        pytest.param(describe_it, 0, id="describe"),
    ],
)
async def test_d02_reading_succeeds_or_fails_as_the_store_does_at_every_call(
    victim: Victim, use: Use, optional: int
) -> None:
    whole = await victim.call(use)
    assert whole.failure is None
    needed = len(whole.steps) - optional
    assert needed > 1

    for number in range(len(whole.steps)):
        passing = (BUSY, TIMED_OUT, LOST)[number % 3]
        assert (await victim.call(use, passing, at=number)).failure is None
        down = await victim.call(use, BUSY, at=number, times=FOREVER)
        assert (down.executions, down.added) == (0, [])
        if number < needed:
            require_told_to_come_back(down.failure)
        else:
            assert down.failure is None


@pytest.mark.parametrize(
    ("with_key", "passing"),
    [
        pytest.param(True, BUSY, id="503-with-a-key"),
        pytest.param(False, TIMED_OUT, id="500-no-key"),
    ],
)
async def test_d02_what_the_store_refuses_for_a_moment_changes_nothing(
    victim: Victim, *, with_key: bool, passing: Fault
) -> None:
    whole = await victim.call(run_it(new_key(with_key)))

    for number in range(len(whole.steps)):
        befallen = await victim.call(run_it(new_key(with_key)), passing, at=number)

        assert befallen.failure is None, whole.steps[number]
        require_ran_once(befallen, with_key=with_key)


@KEYS
async def test_d02_with_the_store_down_from_any_call_on_nothing_runs_untold(
    victim: Victim, *, with_key: bool
) -> None:
    """Before the run's row is there, nothing runs; when only its end cannot be written, it reads
    as unknown later on. Who tries again with the same key is served or told, and never twice."""
    whole = await victim.call(run_it(new_key(with_key)))
    kinds = Counter[str]()
    count = len(whole.steps)

    for number in range(0 if with_key else count - 2, count):  # reading is the same for both
        key = new_key(with_key)
        down = await victim.call(run_it(key), BUSY, at=number, times=FOREVER)

        is_last = number == count - 1
        kinds["answered" if down.failure is None else "refused"] += 1
        if is_last:
            assert down.failure is None, "the Flow has run, and its answer stands"
            assert (down.executions, [row["outcome"] for row in down.runs]) == (1, ["started"])
            await require_reads_as_unknown(victim, down.runs[0])
        else:
            require_told_to_come_back(down.failure)
            assert (down.executions, down.added) == (0, [])
        if number < count - 3:  # so far nothing but reading
            continue
        again = await victim.call(run_it(key))
        if with_key and is_last:
            require_duplicate_of(again, down.runs[0])
        else:
            assert again.failure is None
            require_ran_once(again, with_key=with_key)
    assert kinds == {"refused": count - 1 if with_key else 1, "answered": 1}


@KEYS
async def test_d02_whichever_answer_of_the_store_is_lost_it_runs_once_and_is_no_duplicate(
    victim: Victim, *, with_key: bool
) -> None:
    """Among them the row of the run, which was written: the second try finds it, and finds that it
    is its own."""
    whole = await victim.call(run_it(new_key(with_key)))
    count = len(whole.steps)

    for number in range(0 if with_key else count - 2, count):
        key = new_key(with_key)
        lost = await victim.call(run_it(key), LOST, at=number)

        if lost.failure is None:
            require_ran_once(lost, with_key=with_key)
            continue
        require_told_to_come_back(lost.failure)
        assert (lost.executions, lost.added) == (0, []), whole.steps[number]
        again = await victim.call(run_it(key))
        assert again.failure is None
        require_ran_once(again, with_key=with_key)


@KEYS
async def test_d02_where_the_row_was_written_and_no_answer_comes_at_all_a_row_tells_of_it(
    victim: Victim, *, with_key: bool
) -> None:
    """Both tries are carried out or refused, and both answers are lost: nothing is known, so
    nothing runs, and the row says that nobody knows."""
    whole = await victim.call(run_it(new_key(with_key)))
    start = len(whole.steps) - 2
    key = new_key(with_key)

    lost = await victim.call(run_it(key), LOST, at=start, times=FOREVER)

    require_told_to_come_back(lost.failure)
    assert (lost.executions, [row["outcome"] for row in lost.runs]) == (0, ["started"])
    await require_reads_as_unknown(victim, lost.runs[0])
    if with_key:
        require_duplicate_of(await victim.call(run_it(key)), lost.runs[0])


@pytest.mark.parametrize("step", ["start", "finish"])
def test_d02_over_http_the_caller_is_told_when_to_come_back_and_what_has_run_stands(
    stack: StackInfo, control: ControlClient, rows: AzuriteRows, step: str
) -> None:
    """The two transactions of an instance that knows everything else. Each is tried twice, and by
    azure-core three times each."""
    who = Who(tid=str(uuid4()), oid=str(uuid4()), salesforce_user="alice")
    with Pane(stack, who) as pane:
        put_the_flow(control)
        pane.sign_in()
        pane.connect_again()
        pane.invoke()
        others = {"target": "tables", "match": "/", "fault": "delay", "value": 0}
        if step == "finish":
            control.post("/_sim/faults", others)
        control.post("/_sim/faults", {"target": "tables", "match": "/", **BUSY, "times": TRIES})

        key = {"Idempotency-Key": str(uuid4())}
        body = {"email": MAIL, "org_id": scene.SALESFORCE_ORG_ID}
        befallen = pane.send("POST", f"/flows/{FLOW}/runs", body=body, headers=key)
        again = pane.send("POST", f"/flows/{FLOW}/runs", body=body, headers=key)

    *_, newest = sorted(
        (r for r in rows.of(TenantId.parse(f"ms-{who.tid}"))["runs"] if "run_id" in r),
        key=lambda row: str(row["started_at"]),
    )
    if step == "start":
        assert (befallen.status_code, befallen.json()["code"]) == (502, "storage_failed")
        assert befallen.headers["Retry-After"] == "5"
        assert "run_id" not in befallen.json()
        assert (again.status_code, newest["outcome"]) == (200, "succeeded")
    else:
        assert (befallen.status_code, befallen.json()["status"]) == (200, "succeeded")
        assert (again.status_code, again.json()["code"]) == (409, "duplicate_run")
        assert again.json()["run_id"] == befallen.json()["run_id"] == newest["run_id"]
        assert newest["outcome"] == "started"


async def until_nobody_works() -> None:
    """Of several calls at once the first to fail is told; the others go on for a moment."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=20)


def put_the_flow(control: ControlClient) -> None:
    flow = {"name": FLOW, "label": FLOW, "inputs": [{"name": "subject", "type": "STRING"}]}
    org = {"org_id": scene.SALESFORCE_ORG_ID, "instance_host": scene.SALESFORCE_ORG_HOST}
    control.post("/_sim/salesforce/orgs", {**org, "users": ["alice"], "flows": [flow]})


def new_key(with_key: bool) -> str | None:
    return str(uuid4()) if with_key else None


def require_told_to_come_back(failure: FlowRunnerError | None) -> None:
    assert isinstance(failure, StorageFailedError)
    assert failure.retry_after == StorageFailedError.retry_after == 5
    assert failure.members() == {}


def require_ran_once(told: Told, *, with_key: bool) -> None:
    assert told.executions == 1
    (run,) = told.runs
    assert run["outcome"] == "succeeded"
    assert run["finished_at"] >= run["started_at"]
    assert [row["run_row"] for row in told.keys] == ([run["RowKey"]] if with_key else [])
    assert len(told.added) == 1 + with_key


def require_duplicate_of(again: Told, run: Row) -> None:
    assert isinstance(again.failure, DuplicateRunError)
    assert again.failure.run_id == run["run_id"]
    assert (again.executions, again.added) == (0, [])


async def require_reads_as_unknown(victim: Victim, row: Row) -> None:
    """For whoever looks when the longest call must be over."""
    network = pinned_network(victim.info)
    outside = Azure(settings_on(victim.info), network)
    tenant = victim.caller.tenant
    page = await outside.runs.page(tenant, None, after=None, limit=1)
    await outside.close()
    (run,) = page.runs
    assert run.id == row["run_id"]
    later = run.started_at + LONGEST_RUN + timedelta(seconds=1)
    assert run.as_of(later).outcome is RunOutcome.OUTCOME_UNKNOWN
