"""N-07: a tenant is deleted, and the same people come back: nothing that was theirs opens anything,
and nothing of it is there."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import pytest

from local import scene
from local.demo import FLOW
from local.stack_info import StackInfo
from shared.model import DEFAULT_RETENTION_DAYS, TenantId
from tests.attacks.azurite_rows import AzuriteRows, Rows, counts
from tests.attacks.hammering import Pane, Who
from tests.control_client import ControlClient

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

DONE_WITHIN: Final = 60.0  # seconds; the worker waits ten by itself
RETENTION_DAYS: Final = 7
SEALED: Final = (
    ("tenantkeys", "wrapped"),
    ("tenants", "sealed_directory"),
    ("tenants", "sealed_pseudonym_key"),
    ("users", "sealed_identity"),
    ("connections", "sealed_grant"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """An account, and the pane that was signed in to it."""

    pane: Pane
    tenant: TenantId
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What there was before the deletion, and what is left of it for its holder."""

    lives: Sequence[Life]
    runs: frozenset[str]
    rows: Rows
    asked: Any
    status: Any
    receipt: str


class Town:
    """Signs people in, each time with a pane of its own."""

    def __init__(self, stack: StackInfo, running: ExitStack) -> None:
        self._stack, self._running = stack, running

    def life(self, who: Who) -> Life:
        pane = self._running.enter_context(Pane(self._stack, who))
        signed_in = pane.sign_in()
        tenant = TenantId.parse(signed_in["tenant"]["id"])
        return Life(pane=pane, tenant=tenant, user=signed_in["user"]["id"])


@pytest.fixture
def town(stack: StackInfo, control: ControlClient) -> Iterator[Town]:
    flow = {"name": FLOW, "label": FLOW, "inputs": [{"name": "subject", "type": "STRING"}]}
    body = {
        "org_id": scene.SALESFORCE_ORG_ID,
        "instance_host": scene.SALESFORCE_ORG_HOST,
        "users": ["carol", "bob"],
        "flows": [flow],
    }
    control.post("/_sim/salesforce/orgs", body)
    with ExitStack() as running:
        yield Town(stack, running)


def test_N07_a_tenant_that_was_deleted_and_signs_in_again_finds_nothing_of_its_past(
    town: Town, rows: AzuriteRows
) -> None:
    tid = str(uuid4())
    people = [
        Who(tid=tid, oid=str(uuid4()), salesforce_user="carol", is_admin=True),
        Who(tid=tid, oid=str(uuid4()), salesforce_user="bob"),
    ]
    past = deleted([town.life(who) for who in people], rows)

    again = [town.life(who) for who in people]

    for old, new in zip(past.lives, again, strict=True):
        assert new.tenant == old.tenant  # the directory's own id: it is the same customer
        assert new.user != old.user
        require_empty(new.pane)
        assert {*old.pane.statuses_of_every_route().values()} == {401}
    require_fresh_rows(past, rows.of(again[0].tenant))
    require_a_receipt_and_nothing_more(past, again[0].pane)
    for new in again:
        new.pane.connect_again()
        new.pane.invoke()
    now = again[0].pane.call("GET", "/runs?scope=tenant")["runs"]
    assert len(now) == len(again)
    assert past.runs.isdisjoint(run["run_id"] for run in now)
    for old in past.lives:
        assert {*old.pane.statuses_of_every_route().values()} == {401}


def deleted(lives: Sequence[Life], rows: AzuriteRows) -> Past:
    """They live, the first of them deletes the tenant, and it is carried out."""
    admin = lives[0].pane
    runs = set()
    for life in lives:
        life.pane.connect_again()
        life.pane.invoke()
        runs |= {run["run_id"] for run in life.pane.call("GET", "/runs")["runs"]}
    settle(admin)
    held = rows.of(lives[0].tenant)
    assert len(runs) == counts(held)["connections"] == len(lives)

    asked = admin.call("POST", "/deletion-requests", body={"scope": "tenant"}, expect=201)
    path = f"/deletion-requests/{asked['id']}"
    code = {"confirmation_code": asked["confirmation_code"]}
    admin.call("POST", f"{path}/confirm", body=code, expect=202)
    status = receipted(admin, path, asked["status_token"])
    receipt = admin.send("GET", f"{path}/receipt", headers=bearer(asked["status_token"])).text
    return Past(
        lives=lives, runs=frozenset(runs), rows=held, asked=asked, status=status, receipt=receipt
    )


def settle(admin: Pane) -> None:
    """Settings other than those that a tenant begins with."""
    read = admin.send("GET", "/tenant/settings")
    wanted = {**read.json(), "retention_days": RETENTION_DAYS}
    if_match = {"If-Match": read.headers["ETag"]}
    admin.call("PUT", "/tenant/settings", body=wanted, headers=if_match)
    assert retention_days(admin) == RETENTION_DAYS


def retention_days(pane: Pane) -> int:
    days: int = pane.call("GET", "/tenant/settings")["retention_days"]
    return days


def receipted(pane: Pane, path: str, status_token: str) -> Any:  # noqa: ANN401 - any JSON value
    """The status at the end. The worker comes every minute: here it is asked to hurry."""
    until = time.monotonic() + DONE_WITHIN
    while time.monotonic() < until:
        pane.run_timer("deletion_worker")
        status = pane.call("GET", path, headers=bearer(status_token))
        if status["state"] == "receipted":
            return status
        time.sleep(1)
    raise AssertionError("the deletion is not done")


def require_empty(pane: Pane) -> None:
    assert pane.call("GET", "/salesforce/connections")["connections"] == []
    assert pane.call("GET", "/runs")["runs"] == []
    assert retention_days(pane) == DEFAULT_RETENTION_DAYS != RETENTION_DAYS
    held = {one["kind"] for one in pane.call("GET", "/me/data")["held"] if one["rows"]}
    assert "user" in held
    assert held.isdisjoint({"run", "idempotency_key", "connection"}), held
    pane.call("GET", f"/flows/{FLOW}", expect=409)


def require_fresh_rows(past: Past, now: Rows) -> None:
    """Other data keys, and nowhere the name of an account, a run or a sealed value of before."""
    held = counts(now)
    assert held["tenantkeys"] > 0
    assert held["runs"] == held["connections"] == 0
    for table, column in SEALED:
        old = {row[column] for row in past.rows[table] if column in row}
        assert old
        assert not any(value in repr(now) for value in old), column
    for gone in (*(life.user for life in past.lives), *past.runs):
        assert gone not in repr(now)


def require_a_receipt_and_nothing_more(past: Past, administrator: Pane) -> None:
    """The old token shows what it showed; neither it nor the receipt is good for anything else,
    and the old code confirms nothing, even of an administrator of today."""
    stranger, path = past.lives[0].pane, f"/deletion-requests/{past.asked['id']}"
    token = past.asked["status_token"]
    assert stranger.call("GET", path, headers=bearer(token)) == past.status
    receipt = stranger.send("GET", f"{path}/receipt", headers=bearer(token))
    assert (receipt.status_code, receipt.text) == (200, past.receipt)
    code = {"confirmation_code": past.asked["confirmation_code"]}
    ended = stranger._session_token
    for worthless in (token, past.receipt, past.asked["confirmation_code"]):
        stranger._session_token = worthless
        assert {*stranger.statuses_of_every_route().values()} == {401}
    stranger._session_token = ended
    for worthless in (past.receipt, past.asked["confirmation_code"]):
        for at in (path, f"{path}/receipt"):
            assert stranger.send("GET", at, headers=bearer(worthless)).status_code in (401, 404)
    administrator.call("POST", f"{path}/confirm", body=code, expect=404)
    later = administrator.call("POST", "/deletion-requests", body={"scope": "user"}, expect=201)
    stranger.call("GET", f"/deletion-requests/{later['id']}", headers=bearer(token), expect=404)
    stranger.call("GET", path, headers=bearer(later["status_token"]), expect=404)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
