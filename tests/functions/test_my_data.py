"""What is held about the caller, from request to response, with fakes behind the ports."""

import json
import time
from datetime import timedelta
from typing import Any

from shared.errors import SalesforceUnavailableError
from shared.model import Run
from shared.model.schema import BACKUPS_STATEMENT, LOGS_STATEMENT, TABLES
from shared.secret import Secret
from tests.fakes import CONTOSO_ORG, NOON, World
from tests.functions.host import call, failure_of, json_of
from tests.usecases.deleting import lived

_SECONDS = 10.0
_BYTES = 3 * 1024**2


async def asked(world: World, token: Secret) -> Any:  # noqa: ANN401 - any JSON value
    response = await call(world.services, "my_data", token=token)
    assert response.status_code == 200
    return json_of(response)


async def test_all_of_it_is_in_one_answer_with_purpose_and_retention(world: World) -> None:
    alice = await lived(world, "alice")

    body = await asked(world, await world.session_of("alice"))

    assert (body["user_id"], body["tenant_id"]) == (alice.user, alice.tenant)
    assert body["as_of"] == "2026-01-15T12:00:00.000Z"
    for entry in body["held"]:
        (kind,) = [one for one in TABLES[entry["table"]].kinds if one.name == entry["kind"]]
        assert (entry["purpose"], entry["retention"]) == (kind.purpose, kind.retention)
    counts = {f"{entry['table']}/{entry['kind']}": len(entry["rows"]) for entry in body["held"]}
    assert counts == {
        "tenants/tenant": 1,
        "tenants/settings_change": 0,
        "tenants/user_gate": 1,
        "users/user": 1,
        "connections/user_gate": 1,
        "connections/discarded_grant": 0,
        "connections/connection": 1,
        "pending/user_gate": 1,
        "pending/ticket": 1,
        "pending/state": 0,
        "pending/parked_grant": 1,
        "runs/user_gate": 1,
        "runs/run": 2,
        "runs/idempotency_key": 1,
        "deletions/deletion": 0,
    }


async def test_backups_and_logs_are_told_of(world: World) -> None:
    body = await asked(world, await world.session_of("alice"))

    assert (body["backups"], body["logs"]) == (BACKUPS_STATEMENT, LOGS_STATEMENT)
    assert "30 days" in body["backups"]
    assert "30 days" in body["logs"]


async def test_no_token_is_in_the_answer(world: World) -> None:
    await lived(world, "alice")
    (row,) = world.connections.rows.values()
    grant = await world.grants.open(row.place, row.sealed_grant)
    session = await world.session_of("alice")

    text = json.dumps(await asked(world, session))

    for secret in (grant.refresh_token, grant.access_token, session):
        assert secret.reveal() not in text


async def test_a_grant_that_is_still_to_be_revoked_is_told_of_without_its_tokens(
    world: World,
) -> None:
    alice = await lived(world, "alice")
    (row,) = world.connections.rows.values()
    grant = await world.grants.open(row.place, row.sealed_grant)
    world.login.faults.plan("revoke", SalesforceUnavailableError)
    await world.services.disconnect(alice, CONTOSO_ORG)

    body = await asked(world, await world.session_of("alice"))

    held = {entry["kind"]: entry["rows"] for entry in body["held"]}
    assert held["connection"] == []
    (discarded,) = held["discarded_grant"]
    assert (discarded["org_id"], discarded["attempts"]) == (CONTOSO_ORG, 0)
    assert discarded["discarded_at"] == "2026-01-15T12:00:00.000Z"
    assert discarded["next_try_at"] == "2026-01-15T12:01:00.000Z"
    assert discarded["grant"]["instance_host"] == grant.instance_host
    for token in (grant.refresh_token, grant.access_token):
        assert token.reveal() not in json.dumps(body)


async def test_a_tenant_whose_key_is_away_is_told_so(world: World) -> None:
    await lived(world, "alice")
    session = await world.session_of("alice")
    for key in world.tenant_keys.rows.values():
        world.key_wrapper.disable(key.kek_id)

    response = await call(world.another_instance().services, "my_data", token=session)

    assert failure_of(response) == (502, "key_vault_failed")


async def test_five_thousand_runs_fit_into_an_answer(world: World) -> None:
    alice = await world.signed_in("alice")
    for number in range(5_000):
        run = Run(
            id=f"r-{number:026}",
            tenant=alice.tenant,
            user=alice.user,
            org=CONTOSO_ORG,
            flow_id=f"f-{number % 20:026}",
            started_at=NOON + timedelta(seconds=number),
        )
        world.runs.rows[alice.tenant, run.id] = run
    session = await world.session_of("alice")

    began = time.monotonic()
    response = await call(world.services, "my_data", token=session)
    took = time.monotonic() - began

    assert response.status_code == 200
    assert (took < _SECONDS, len(response.get_body()) < _BYTES) == (True, True)
    (runs,) = [one for one in json_of(response)["held"] if one["kind"] == "run"]
    assert len(runs["rows"]) == 5_000
