"""What the stores answer when a user asks what is held: the user's own, on the fake and on the
tables."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import ports
from shared.model import SettingsChange, TenantId, TenantSettings, UserId
from tests.contract.rows import ALICE, BOB, EXACT, LONGER, idempotency, run_row, tenant_row
from tests.fakes import NOON

pytestmark = pytest.mark.usefixtures("admitted")


async def test_the_tables_with_a_users_gate_are_named(
    outside: ports.Outside, tenant: TenantId
) -> None:
    found = await outside.gates.of_user(tenant, ALICE)

    assert list(found) == ["tenants", "connections", "pending", "runs"]


async def test_who_was_never_let_in_has_no_gate(outside: ports.Outside, tenant: TenantId) -> None:
    assert list(await outside.gates.of_user(tenant, UserId("u-nobody"))) == []


async def test_the_times_of_a_users_keys_come_newest_first_and_nobody_elses(
    outside: ports.Outside, tenant: TenantId, other_tenant: TenantId
) -> None:
    own = [run_row(tenant, f"own-{n}", later=n * 1_000) for n in range(3)]
    for number, run in enumerate(own):
        await outside.runs.start(run, idempotency(f"own-{number}"))
    await outside.runs.start(run_row(tenant, "without", later=9), None)
    for user in (BOB, LONGER):
        theirs = run_row(tenant, f"of-{user[2:5]}-{len(user)}", user=user)
        await outside.runs.start(theirs, idempotency(f"of-{user}"))
    await outside.runs.start(run_row(other_tenant, "elsewhere"), idempotency("elsewhere"))

    found = await outside.runs.keys_used(tenant, ALICE)

    assert list(found) == [NOON + timedelta(seconds=n) for n in (2, 1, 0)]


async def test_who_used_no_key_has_none(outside: ports.Outside, tenant: TenantId) -> None:
    assert list(await outside.runs.keys_used(tenant, ALICE)) == []


async def change(outside: ports.Outside, tenant: TenantId, user: UserId, number: int) -> None:
    row = await outside.tenants.load(tenant)
    assert row is not None
    changed_at = EXACT + timedelta(seconds=number)
    told = SettingsChange(
        id=f"{number}", changed_at=changed_at, changed_by=user, changed=("retention_days",)
    )
    wanted = replace(row, settings=TenantSettings(retention_days=number + 1))
    assert await outside.tenants.change_settings(wanted, told) is not None


async def test_the_changes_that_a_user_made_come_newest_first_and_nobody_elses(
    outside: ports.Outside, tenant: TenantId, other_tenant: TenantId
) -> None:
    for one in (tenant, other_tenant):
        await outside.tenants.create(tenant_row(one))
    for number, user in enumerate((ALICE, BOB, LONGER, ALICE)):
        await change(outside, tenant, user, number)
    await change(outside, other_tenant, ALICE, 7)

    found = await outside.tenants.settings_changes_by(tenant, ALICE)

    assert [one.id for one in found] == ["3", "0"]
    assert {one.changed_by for one in found} == {ALICE}
    assert [one.id for one in await outside.tenants.settings_changes_by(tenant, BOB)] == ["1"]
