"""What a run of a Flow costs once the service has warmed up: calls, counted where they arrive.

One to Salesforce, two to the store at most and fewer when many run at once, none to Key Vault and
none to an identity provider. Who does not name the org costs one look at their connections more: it
is not remembered, or a Flow might run in an org that nobody meant.
"""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import aiohttp
import pytest

from local import scene
from local.demo import FLOW, MAIL
from local.stack_info import StackInfo
from shared.model import TenantId
from tests.attacks.azurite_rows import AzuriteRows
from tests.attacks.hammering import Pane, Who
from tests.control_client import ControlClient

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

BATCH: Final = f"tables POST /{scene.STORAGE_ACCOUNT}/$batch"
CALLERS: Final = 64
USERS: Final = 4
TRIES: Final = 5
NAMES: Final = tuple(f"user-{number}" for number in range(USERS))
REMEMBERED: Final = 5.0
"""Seconds for which an instance remembers the rows of a tenant and of a user."""
ROWS_OF_A_TENANT: Final = 2  # read by two who do not know of each other: sessions, descriptions
ROWS_OF_A_USER: Final = 1


@dataclass(slots=True)
class Cost:
    """Calls, by `<simulator> <method> <path>`."""

    calls: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def of(self, simulator: str) -> int:
        return sum(n for call, n in self.calls.items() if call.startswith(f"{simulator} "))

    @property
    def rows_read(self) -> int:
        return self.of("tables") - self.calls[BATCH]


class Office:
    """People of one tenant who are connected, and what their requests cost."""

    def __init__(self, stack: StackInfo, control: ControlClient, running: ExitStack) -> None:
        self._stack, self._control, self._running = stack, control, running
        self.tid = str(uuid4())

    @property
    def tenant(self) -> TenantId:
        return TenantId.parse(f"ms-{self.tid}")

    def somebody(self, name: str) -> Pane:
        """Who has run a Flow before, in either way."""
        who = Who(tid=self.tid, oid=str(uuid4()), salesforce_user=name)
        pane = self._running.enter_context(Pane(self._stack, who))
        pane.sign_in()
        pane.connect_again()
        for org in (None, scene.SALESFORCE_ORG_ID):
            self.run(pane, key=None, org=org)
        return pane

    def run(self, pane: Pane, *, key: str | None, org: str | None) -> None:
        body = {"email": MAIL, **({"org_id": org} if org else {})}
        headers = {"Idempotency-Key": key} if key else {}
        pane.call("POST", f"/flows/{FLOW}/runs", body=body, headers=headers)

    def counted(self) -> Counter[str]:
        """`<simulator> <method> <path>` to the number of its calls until now."""
        traffic: Mapping[str, Mapping[str, int]] = self._control.get("/_sim/traffic")
        return Counter(
            {
                f"{name} {call}": times
                for name, calls in traffic.items()
                for call, times in calls.items()
            }
        )

    @contextmanager
    def counting(self, panes: Sequence[Pane]) -> Iterator[Cost]:
        """What is asked in the block costs, when everybody has just run a Flow."""
        began = time.monotonic()
        for pane in panes:
            self.run(pane, key=None, org=scene.SALESFORCE_ORG_ID)
        before = self.counted()
        cost = Cost()
        yield cost
        cost.calls = self.counted() - before
        cost.seconds = time.monotonic() - began


@pytest.fixture
def office(stack: StackInfo, control: ControlClient) -> Iterator[Office]:
    flow = {"name": FLOW, "label": FLOW, "inputs": [{"name": "subject", "type": "STRING"}]}
    body = {
        "org_id": scene.SALESFORCE_ORG_ID,
        "instance_host": scene.SALESFORCE_ORG_HOST,
        "users": NAMES,
        "flows": [flow],
    }
    control.post("/_sim/salesforce/orgs", body)
    with ExitStack() as running:
        yield Office(stack, control, running)


def require_no_more_than(
    cost: Cost, *, store: int, salesforce: int, users: int = 1, unnamed: int = 0
) -> None:
    """Rows that are remembered are read once more when their time is over."""
    told = f"in {cost.seconds:.1f} s: {dict(cost.calls)}"
    assert cost.of("salesforce") == salesforce, told
    assert 0 < cost.calls[BATCH] <= store, told
    times_forgotten = 1 + int(cost.seconds // REMEMBERED)
    forgotten = times_forgotten * (ROWS_OF_A_TENANT + users * ROWS_OF_A_USER)
    assert cost.rows_read <= forgotten + unnamed, told
    telemetry = cost.of("sinks")  # sent now and then, for many requests together
    others = cost.calls.total() - cost.of("salesforce") - cost.of("tables") - telemetry
    assert others == 0, f"Key Vault or an identity provider was asked, {told}"


@pytest.mark.parametrize("with_key", [True, False], ids=["with-a-key", "without-a-key"])
@pytest.mark.parametrize("is_named", [True, False], ids=["org-named", "org-not-named"])
def test_a_warm_run_costs_one_call_to_salesforce_and_two_to_the_store(
    office: Office, *, with_key: bool, is_named: bool
) -> None:
    pane = office.somebody(NAMES[0])

    costs = []
    for _ in range(TRIES):
        key = str(uuid4()) if with_key else None
        with office.counting([pane]) as cost:
            office.run(pane, key=key, org=scene.SALESFORCE_ORG_ID if is_named else None)
        require_no_more_than(cost, store=2, salesforce=1, unnamed=0 if is_named else 1)
        costs.append(cost)

    assert min(cost.rows_read for cost in costs) == (0 if is_named else 1)


def test_so_does_the_run_of_each_of_several_users(office: Office) -> None:
    panes = [office.somebody(name) for name in NAMES]

    with office.counting(panes) as cost:
        for pane in panes:
            office.run(pane, key=str(uuid4()), org=scene.SALESFORCE_ORG_ID)

    require_no_more_than(cost, store=2 * USERS, salesforce=USERS, users=USERS)


async def test_many_who_run_at_once_share_their_calls_to_the_store(
    office: Office, stack: StackInfo, rows: AzuriteRows
) -> None:
    """At once, half of them with a key: all are served, and each has run once."""
    panes = [await asyncio.to_thread(office.somebody, name) for name in NAMES]
    runs_before = len(runs_of(rows, office.tenant)) + len(panes)  # who run once more before

    with office.counting(panes) as cost:
        await at_once(stack, panes)

    print(  # noqa: T201 - for a person
        f"\n{CALLERS} runs at once: {cost.calls[BATCH]} transactions, {cost.seconds:.1f} s"
    )
    require_no_more_than(cost, store=CALLERS // 2, salesforce=CALLERS, users=USERS)
    written = runs_of(rows, office.tenant)
    assert len(written) - runs_before == CALLERS
    assert {row["outcome"] for row in written} == {"succeeded"}


async def at_once(stack: StackInfo, panes: list[Pane]) -> None:
    tls = ssl.create_default_context(cafile=stack.authority)
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as http:

        async def run(number: int) -> int:
            headers = {"Authorization": f"Bearer {panes[number % USERS]._session_token}"}
            if number % 2:
                headers["Idempotency-Key"] = str(uuid4())
            url = f"{stack.service_https}/api/v1/flows/{FLOW}/runs"
            body = {"email": MAIL, "org_id": scene.SALESFORCE_ORG_ID}
            async with http.post(url, json=body, headers=headers) as answer:
                await answer.read()
                return answer.status

        statuses = await asyncio.gather(*(run(number) for number in range(CALLERS)))
    assert Counter(statuses) == {200: CALLERS}


def runs_of(rows: AzuriteRows, tenant: TenantId) -> list[Mapping[str, object]]:
    return [row for row in rows.of(tenant)["runs"] if str(row["RowKey"]).startswith("run|")]
