"""D-05: eight clients sign in, invoke, refresh and connect while a deletion is carried out; and
nothing comes back. With it S-02 (their sessions end) and N-07 (who comes back begins anew)."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final
from uuid import uuid4

import pytest

from local import scene
from local.addin import UnexpectedAnswerError
from local.demo import FLOW
from local.stack_info import StackInfo
from shared.model import DataSubject, TenantId, UserId
from tests.attacks.azurite_rows import AzuriteRows, Rows, naming
from tests.attacks.hammering import Answer, Hammer, Pane, Who, is_documented
from tests.attacks.leavers import Leavers
from tests.control_client import ControlClient

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

CLIENTS: Final = 8
ENDED_WITHIN: Final = 10.0  # seconds after the confirmation: the promise
BEFORE: Final = 1.0  # seconds of hammering before it
VICTIMS: Final = tuple(f"victim{number}" for number in range(CLIENTS))
STAYS: Final = "stays"


@pytest.fixture
def org(control: ControlClient) -> None:
    """Everybody's own Salesforce user, so that all grants ever issued can be told apart."""
    flow = {"name": FLOW, "label": FLOW, "inputs": [{"name": "subject", "type": "STRING"}]}
    body = {
        "org_id": scene.SALESFORCE_ORG_ID,
        "instance_host": scene.SALESFORCE_ORG_HOST,
        "users": [*VICTIMS, STAYS],
        "flows": [flow],
    }
    control.post("/_sim/salesforce/orgs", body)


@pytest.fixture
async def leavers(
    stack: StackInfo, control: ControlClient, rows: AzuriteRows, identity_endpoint: None
) -> AsyncIterator[Leavers]:
    made = Leavers(stack, control, rows)
    yield made
    await made.close()


class Case:
    """The panes of one case, signed in and connected, and what is known of their deletions."""

    def __init__(self, info: StackInfo, running: ExitStack, grants_before: int) -> None:
        self._info, self._running, self.grants_before = info, running, grants_before
        self.panes: list[Pane] = []
        self.asked: dict[Pane, Any] = {}
        self.confirmed_at: dict[Pane, float] = {}
        self.users: dict[Pane, str] = {}
        self.tenant = TenantId("")

    def pane(self, who: Who, *, connect: bool = True) -> Pane:
        pane = self._running.enter_context(Pane(self._info, who))
        signed_in = signed_in_patiently(pane)
        self.users[pane] = signed_in["user"]["id"]
        self.tenant = TenantId.parse(signed_in["tenant"]["id"])
        if connect:
            pane.connect_again()
            pane.invoke()
        return pane

    def ask(self, pane: Pane, scope: str) -> None:
        body = {"scope": scope}
        self.asked[pane] = pane.call("POST", "/deletion-requests", body=body, expect=201)

    def confirm(self, pane: Pane) -> None:
        body = {"confirmation_code": self.asked[pane]["confirmation_code"]}
        path = f"/deletion-requests/{self.asked[pane]['id']}/confirm"
        pane.call("POST", path, body=body, expect=202)
        self.confirmed_at[pane] = time.monotonic()

    def states(self) -> set[str]:
        """Of all deletions, as the holders of the status tokens see them."""
        found = set()
        for pane, asked in self.asked.items():
            bearer = {"Authorization": f"Bearer {asked['status_token']}"}
            found.add(
                pane.call("GET", f"/deletion-requests/{asked['id']}", headers=bearer)["state"]
            )
        return found


@pytest.fixture
def case(stack: StackInfo, control: ControlClient, org: None) -> Iterator[Case]:
    with ExitStack() as running:
        yield Case(stack, running, len(grants(control)))


async def test_d05_nothing_of_users_comes_back_while_they_hammer(
    case: Case, leavers: Leavers, rows: AzuriteRows, control: ControlClient
) -> None:
    """Four users of a tenant are deleted at once, each at work in two panes; a colleague stays."""
    tid = str(uuid4())
    people = [Who(tid=tid, oid=str(uuid4()), salesforce_user=name) for name in VICTIMS[:4]]
    asking = [case.pane(who) for who in people]
    hammering = [case.pane(who, connect=False) for who in people for _ in range(2)]
    stays = case.pane(Who(tid=tid, oid=str(uuid4()), salesforce_user=STAYS))
    for pane in asking:
        case.ask(pane, "user")

    await race(case, leavers, control, asking, hammering, stays, rows)

    for pane in asking:
        again = case.pane(pane.who, connect=False)
        assert case.users[again] == case.users[pane]  # the same pseudonym, of a new account
        require_anew(again)
    assert stays.call("GET", "/salesforce/connections")["connections"]


async def test_d05_nothing_of_a_tenant_comes_back_while_it_hammers(
    case: Case, leavers: Leavers, rows: AzuriteRows, control: ControlClient
) -> None:
    """Eight users at work while their administrator deletes the tenant; another tenant stays."""
    stays = case.pane(Who(tid=str(uuid4()), oid=str(uuid4()), salesforce_user=STAYS))
    tid = str(uuid4())
    people = [Who(tid=tid, oid=str(uuid4()), salesforce_user=name) for name in VICTIMS]
    hammering = [case.pane(who) for who in people]
    admin = case.pane(
        Who(tid=tid, oid=str(uuid4()), salesforce_user="", is_admin=True), connect=False
    )
    case.ask(admin, "tenant")
    keys = {row["RowKey"] for row in rows.of(case.tenant)["tenantkeys"]}

    await race(case, leavers, control, [admin], hammering, stays, rows)

    for pane in hammering[:2]:
        again = case.pane(pane.who, connect=False)
        assert case.users[again] != case.users[pane]  # another pseudonym: the key is a new one
        require_anew(again)
    assert keys.isdisjoint(row["RowKey"] for row in rows.of(case.tenant)["tenantkeys"])


async def race(
    case: Case,
    leavers: Leavers,
    control: ControlClient,
    asking: Sequence[Pane],
    hammering: Sequence[Pane],
    stays: Pane,
    rows: AzuriteRows,
) -> None:
    """Confirm under load, work the deletions off, and require what is promised of it."""
    hammer, began = Hammer(), time.monotonic()
    subjects = [subject_of(case, pane) for pane in asking]
    with hammer.of(*hammering):
        await asyncio.sleep(BEFORE)
        for pane in asking:
            await asyncio.to_thread(case.confirm, pane)
        last_confirmed = max(case.confirmed_at.values())
        while time.monotonic() < last_confirmed + ENDED_WITHIN:
            await leavers.services.work_off_deletions()
            assert "receipted" not in await asyncio.to_thread(case.states)
            await asyncio.to_thread(stays.read)
            await asyncio.sleep(1)
        for pane in asking:
            assert {*(await asyncio.to_thread(pane.statuses_of_every_route)).values()} == {401}
        await asyncio.to_thread(hammer.end_sign_ins)
        while await asyncio.to_thread(case.states) != {"receipted"}:
            await leavers.services.work_off_deletions()
        left = [held(rows, subject) for subject in subjects]
    assert left == [{}] * len(subjects)
    assert [held(rows, subject) for subject in subjects] == left, "it came back after the receipt"
    require_promised_answers(case, asking, hammering, stays)
    issued = grants(control)[case.grants_before :]
    tell(hammering, len(issued), time.monotonic() - began)
    assert {grant["user"] for grant in issued if is_alive(grant)} == {STAYS}
    for pane in asking:
        assert {*pane.statuses_of_every_route().values()} == {401}


def signed_in_patiently(pane: Pane) -> Any:  # noqa: ANN401 - any JSON value
    """Who has hammered has used up the share of sign-ins, and gets one more every six seconds."""
    until = time.monotonic() + 15
    while True:
        try:
            return pane.sign_in()
        except UnexpectedAnswerError:
            if pane.answers[-1].status != 429 or time.monotonic() > until:
                raise
            time.sleep(1)


def require_anew(pane: Pane) -> None:
    """N-07: no connection, no run, and everything works again."""
    assert pane.call("GET", "/salesforce/connections")["connections"] == []
    assert pane.call("GET", "/runs")["runs"] == []
    pane.connect_again()
    pane.invoke()
    assert len(pane.call("GET", "/runs")["runs"]) == 1


def subject_of(case: Case, pane: Pane) -> DataSubject:
    user = UserId(case.users[pane]) if case.asked[pane]["scope"] == "user" else None
    return DataSubject(tenant=case.tenant, user=user)


def held(rows: AzuriteRows, subject: DataSubject) -> Rows:
    """The tables that hold anything of them, gates included."""
    whole = rows.of(subject.tenant)
    own = whole if subject.user is None else naming(whole, subject.user)
    return {name: table for name, table in own.items() if table}


def require_promised_answers(
    case: Case, asking: Sequence[Pane], hammering: Sequence[Pane], stays: Pane
) -> None:
    answers = [answer for pane in (*asking, *hammering, stays) for answer in pane.answers]
    assert [answer for answer in answers if not is_documented(answer)] == []
    assert [answer for answer in answers if answer.status == 500] == []
    assert [answer for answer in stays.answers if answer.status >= 400] == []
    first, last = min(case.confirmed_at.values()), max(case.confirmed_at.values())
    for pane in hammering:
        signed_in = [one for one in pane.answers if one.path == "/v1/sso/exchange"]
        assert {one.status for one in signed_in if one.asked_at > last} <= {409, 429}
        served = [
            one.asked_at
            for one in pane.answers
            if one.status < 400
            and one.path.startswith("/v1/")
            and "/salesforce/start" not in one.path
            and "/callback" not in one.path
        ]
        assert max(served) < last + ENDED_WITHIN
    assert any(one.asked_at > first for one in hammering[0].answers)


def is_page(answer: Answer) -> bool:
    """Of the browser, which has no session: it is told in the page how it went."""
    return answer.path in ("/v1/salesforce/start", "/v1/salesforce/callback")


def grants(control: ControlClient) -> list[Any]:
    """Every grant ever issued, in order, by Salesforce's own ledger."""
    found: list[Any] = control.get("/_sim/salesforce/ledger")["grants"]
    return found


def is_alive(grant: Mapping[str, Any]) -> bool:
    """An approval whose code nobody redeemed has no token."""
    return grant["redeemed"] and grant["ended"] is None


def tell(hammering: Sequence[Pane], issued: int, seconds: float) -> None:
    answers = Counter(
        f"{answer.status} {answer.code}".strip() for pane in hammering for answer in pane.answers
    )
    total = answers.total()
    told = ", ".join(f"{count} {name}" for name, count in answers.most_common())
    print(  # noqa: T201 - the figures, for a person
        f"\nD-05: {len(hammering)} clients had {total} answers in {seconds:.0f} s ({told}); "
        f"{issued} grants were issued; no row and no grant is left"
    )
