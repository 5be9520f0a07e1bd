"""C-01, C-02, C-03 and C-09: sealed values that were moved, cut or altered; and their nonces.

Whoever can write rows moves ciphertexts to where they are opened for somebody else. Every value
that a journey through the service seals is tried at every other place.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from local.addin import AddIn
from local.demo import FLOW
from local.stack_info import StackInfo
from shared.crypto import envelope
from shared.errors import KeyVaultFailedError, SealBrokenError
from shared.model import Connection, Place, UserId, WrappedKey
from tests.attacks.azurite_rows import AzuriteRows
from tests.attacks.places import Places
from tests.attacks.refusals import Entrance
from tests.attacks.sealed_world import MAIL, data_key_of, invoked, lived_in
from tests.fakes import NOON, World
from tests.functions.host import failure_of, json_of

ROOT: Final = Path(__file__).parent.parent.parent

type Scene = tuple[World, dict[Place, bytes]]


@pytest.fixture
async def scene() -> Scene:
    return await lived_in()


@pytest.fixture
def alarms(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """The alarms since the last time that they were asked for."""

    def since() -> list[dict[str, Any]]:
        records = [one for one in caplog.records if one.name == "flowrunner"]
        caplog.clear()
        return [json.loads(one.getMessage()) for one in records if one.levelname == "ERROR"]

    return since


# --- C-01: moved ---------------------------------------------------------------------------------


async def test_C01_no_sealed_value_opens_at_any_other_place(
    scene: Scene, alarms: Callable[[], list[dict[str, Any]]]
) -> None:
    world, sealed = scene
    kinds = {(place.table, place.column) for place in sealed}
    assert len(kinds) >= 7, kinds
    assert len({place.tenant for place in sealed}) == 2
    tried = 0

    for place in sealed:
        assert await world.vault.open(place, sealed[place])
        for other in sealed:
            if other == place:
                continue
            alarms()
            with pytest.raises(SealBrokenError):
                await world.vault.open(place, sealed[other])
            assert alarms() == [{"event": "seal_broken", "tenant": place.tenant}]
            tried += 1

    assert tried == len(sealed) * (len(sealed) - 1) > 400


async def test_C01_a_value_does_not_open_as_sealed_by_another_key_of_its_tenant(
    scene: Scene, alarms: Callable[[], list[dict[str, Any]]]
) -> None:
    """The header is rewritten to name the other version, which exists."""
    world, sealed = scene
    for tenant in {place.tenant for place in sealed}:
        version, data_key = await data_key_of(world, tenant)
        wrapped, kek_id = await world.key_wrapper.wrap(data_key)  # even the very same key
        await world.tenant_keys.create(
            WrappedKey(
                tenant=tenant,
                version=version + 1,
                wrapped=wrapped,
                kek_id=kek_id,
                created_at=NOON,
            )
        )
    world.clock.move(seconds=5)

    for place, value in sealed.items():
        altered = value[:1] + (envelope.key_version_of(value) + 1).to_bytes(4) + value[5:]
        alarms()
        with pytest.raises(SealBrokenError):
            await world.vault.open(place, altered)
        assert [alarm["event"] for alarm in alarms()] == ["seal_broken"]


@pytest.mark.parametrize("thief", ["bob", "mallory"], ids=["same-tenant", "other-tenant"])
async def test_C01_a_stolen_grant_in_ones_own_row_runs_nothing(
    scene: Scene, alarms: Callable[[], list[dict[str, Any]]], thief: str
) -> None:
    """The thief's row gets Alice's sealed grant; then the thief runs a Flow."""
    world, _ = scene
    alice, other = await world.sign_in("alice"), await world.sign_in(thief)
    key, own = connection_of(world, other.caller.user)
    stolen = connection_of(world, alice.caller.user)[1].sealed_grant
    world.connections.rows[key] = replace(own, sealed_grant=stolen)
    fresh = world.another_instance()  # which remembers nobody's access
    calls, redemptions = len(world.flows.received), world.login.redemptions
    alarms()

    answer = await invoked(fresh, other.session)

    assert failure_of(answer) == (502, "key_vault_failed")
    assert [alarm["event"] for alarm in alarms()] == ["seal_broken"]
    assert (len(world.flows.received), world.login.redemptions) == (calls, redemptions)
    assert (await invoked(fresh, alice.session)).status_code == 200


@pytest.mark.stack
def test_C01_two_grants_that_were_swapped_on_the_store_serve_neither(
    stack: StackInfo, entrance: Entrance
) -> None:
    """On Azurite: the rows of two new users of one tenant, before the service has opened them."""
    directory, table = str(uuid4()), Places(stack)
    users = {}
    with AddIn(stack) as first, AddIn(stack) as second:
        panes = (first, second)
        for pane in panes:
            tenant = pane.sign_in_with_microsoft(directory, str(uuid4()))["tenant"]["id"]
            users[pane] = pane.connect("alice")["org_id"]
        one, other = [
            row
            for row in table.rows("connections")
            if row["PartitionKey"] == tenant and "sealed_grant" in row
        ]
        for row, grant in ((one, other["sealed_grant"]), (other, one["sealed_grant"])):
            table.delete("connections", row)
            table.insert("connections", {**_columns(row), "sealed_grant": grant})

        answers = [
            pane.send("POST", f"/flows/{FLOW}/runs", body={"email": MAIL, "org_id": org})
            for pane, org in users.items()
        ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [
        (502, "key_vault_failed")
    ] * 2
    assert [told["tenant"] for told in entrance.events("seal_broken")] == [tenant] * 2
    assert len(entrance.events("refused")) == 2
    table.close()


def _columns(row: Mapping[str, Any]) -> dict[str, str]:
    """Without what the store itself adds."""
    return {
        name: value
        for name, value in row.items()
        if name != "Timestamp" and not name.startswith(("odata.", "Timestamp@"))
    }


@pytest.fixture
def entrance(stack: StackInfo, rows: AzuriteRows) -> Iterator[Entrance]:
    opened = Entrance(stack, rows)
    yield opened
    opened.close()


# --- C-02: nonces --------------------------------------------------------------------------------

PROCESSES: Final = 8
ENVELOPES: Final = 125_000


def nonces_of(*arguments: str) -> list[bytes]:
    """Of all that the processes have sealed; see `tests/attacks/nonce_workers.py`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.attacks.nonce_workers", *arguments],
        cwd=ROOT,
        capture_output=True,
        timeout=100,
        check=True,
    )
    assert done.stderr == b""
    return [done.stdout[at : at + 12] for at in range(0, len(done.stdout), 12)]


def test_C02_no_nonce_comes_twice_in_a_million_of_8_forks_at_a_frozen_time() -> None:
    """One key, one place, the same plain text; the children are forked from a process that has
    sealed before, and none of them is executed anew."""
    found = nonces_of(str(PROCESSES), str(ENVELOPES))

    assert len(found) == len(set(found)) == PROCESSES * ENVELOPES == 1_000_000


def test_C02_a_source_of_nonces_that_a_fork_copies_would_be_found() -> None:
    found = nonces_of(str(PROCESSES), "100", "--copied-by-fork")

    assert (len(found), len(set(found))) == (800, 100)


# --- C-03: cut -----------------------------------------------------------------------------------


async def test_C03_no_part_of_a_grant_opens_and_each_attempt_is_an_alarm(
    scene: Scene, alarms: Callable[[], list[dict[str, Any]]]
) -> None:
    world, sealed = scene
    place, value = next((p, v) for p, v in sealed.items() if p.table == "connections")
    pieces = [value[:length] for length in range(len(value))]
    pieces += [value[:5] + value[5 + gone :] for gone in range(1, len(value) - 5)]
    alarms()

    for piece in pieces:
        with pytest.raises(SealBrokenError):
            await world.vault.open(place, piece)

    assert [alarm["event"] for alarm in alarms()] == ["seal_broken"] * len(pieces)
    for start in range(1, len(value)):  # whose first bytes may, by chance, name some other key
        with pytest.raises(KeyVaultFailedError):
            await world.vault.open(place, value[start:])


@pytest.mark.parametrize("length", [8, 11, 13, 16, 128])
async def test_C03_a_nonce_of_other_than_12_bytes_does_not_open(scene: Scene, length: int) -> None:
    """Not even for somebody who has the key: the library would take 8 to 128 bytes."""
    world, sealed = scene
    place, value = next((p, v) for p, v in sealed.items() if p.table == "connections")
    version, data_key = await data_key_of(world, place.tenant)
    bound_to = envelope._associated_data(place, version)
    nonce = os.urandom(length)
    forged = value[:5] + nonce + AESGCM(data_key).encrypt(nonce, b"plain", bound_to)
    twelve = os.urandom(12)
    honest = value[:5] + twelve + AESGCM(data_key).encrypt(twelve, b"plain", bound_to)

    with pytest.raises(SealBrokenError):
        await world.vault.open(place, forged)
    assert await world.vault.open(place, honest) == b"plain"


@pytest.mark.parametrize("gone", [b"", b"\x01", None], ids=["empty", "one-byte", "no-tag"])
async def test_C03_a_row_whose_grant_was_cut_answers_an_error_alone(
    scene: Scene, alarms: Callable[[], list[dict[str, Any]]], gone: bytes | None
) -> None:
    world, _ = scene
    alice = await world.sign_in("alice")
    key, row = connection_of(world, alice.caller.user)
    cut = row.sealed_grant[:-16] if gone is None else gone
    world.connections.rows[key] = replace(row, sealed_grant=cut)
    fresh = world.another_instance()
    alarms()

    assert failure_of(await invoked(fresh, alice.session)) == (502, "key_vault_failed")
    assert [alarm["event"] for alarm in alarms()] == ["seal_broken"]


# --- C-09: no oracle -----------------------------------------------------------------------------


async def test_C09_bad_tag_bad_place_and_wrong_key_cannot_be_told_apart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not by status, body, headers, or what is logged: but for the incident, which is random."""
    seen = set()
    for tamper in (bad_tag, bad_ciphertext, bad_place, wrong_key):
        world, _ = await lived_in()
        alice = await world.sign_in("alice")
        await tamper(world, alice.caller.user)
        fresh = world.another_instance()  # which remembers neither key nor access
        caplog.clear()

        answer = await invoked(fresh, alice.session)

        incident = json_of(answer)["incident"]
        records = [one for one in caplog.records if one.name == "flowrunner"]
        logged = [f"{one.levelname} {one.getMessage()}".replace(incident, "") for one in records]
        headers = {k: v.replace(incident, "") for k, v in answer.headers.items()}
        body = answer.get_body().decode().replace(incident, "")
        seen.add((answer.status_code, body, repr(sorted(headers.items())), repr(logged)))

    ((status, body, _, logged_by_all),) = seen
    assert (status, json.loads(body)["code"]) == (502, "key_vault_failed")
    assert "seal_broken" in logged_by_all


async def bad_tag(world: World, user: UserId) -> None:
    await _replace_grant(world, user, lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]))


async def bad_ciphertext(world: World, user: UserId) -> None:
    await _replace_grant(world, user, lambda sealed: sealed[:20] + b"\0\0\0" + sealed[23:])


async def bad_place(world: World, user: UserId) -> None:
    """The grant of somebody else, of the same org."""
    (other,) = [
        row for row in world.connections.rows.values()
        if row.user != user and row.tenant == connection_of(world, user)[1].tenant
    ]  # fmt: skip
    await _replace_grant(world, user, lambda _: other.sealed_grant)


async def wrong_key(world: World, user: UserId) -> None:
    """Sealed for the right place, by a key that somebody made up."""
    place = connection_of(world, user)[1].place
    version, _ = await data_key_of(world, place.tenant)
    await _replace_grant(
        world, user, lambda _: envelope.seal(os.urandom(32), version, place, b"plain")
    )


async def _replace_grant(world: World, user: UserId, by: Callable[[bytes], bytes]) -> None:
    key, row = connection_of(world, user)
    world.connections.rows[key] = replace(row, sealed_grant=by(row.sealed_grant))


def connection_of(world: World, user: UserId) -> tuple[Any, Connection]:
    """Its key in the fake store, and the row."""
    ((key, row),) = [one for one in world.connections.rows.items() if one[1].user == user]
    return key, row
