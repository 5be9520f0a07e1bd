"""The rehearsal: every table is lost, and what comes back is what was promised; and C-07.

Two tenants sign in, connect and run Flows over HTTP; they are backed up through the real adapters;
a user is deleted; every table is dropped and made again. The restore is the runbook's own command,
for the local stack.
"""

import asyncio
import base64
import gzip
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_DNS, UUID, uuid4, uuid5

import pytest
from azure.data.tables.aio import TableServiceClient

from local import scene
from local.addin import AddIn, UnexpectedAnswerError
from local.demo import FLOW, MAIL
from local.network import pinned_network
from local.preparation import prepare_tables
from local.stack import Stack
from local.stack_info import StackInfo
from shared.crypto.key_vault import KeyVaultKeyWrapper
from shared.errors import KeyVaultFailedError, SealBrokenError
from shared.model import (
    SETTLING,
    DataSubject,
    Deletion,
    DeletionScope,
    DeletionState,
    TenantId,
    UserId,
    subject_hash,
)
from shared.model.backups import BACKED_UP, day_of, keys_name, manifest_name, part_place
from shared.outside import Azure
from shared.services import Services
from shared.storage import TABLE_NAMES
from shared.usecases.deletion_ledger import DeletionLedger
from shared.usecases.read_backup import KeysOfBackup
from shared.usecases.sealed_grants import SealedGrants
from tests.settings import settings
from tests.telemetry.canaries import hits

pytestmark = pytest.mark.stack

ROOT: Final = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Alice and Bob of contoso (Microsoft), Carol of fabrikam (Google)."""

    directory: str
    domain: str

    def sign_in(self, pane: AddIn, name: str) -> tuple[TenantId, UserId]:
        subject = str(uuid5(NAMESPACE_DNS, name))
        if name == "carol":
            answer = pane.sign_in_with_google(self.domain, str(UUID(subject).int)[:21])
        else:
            answer = pane.sign_in_with_microsoft(self.directory, subject)
        return TenantId.parse(answer["tenant"]["id"]), UserId(answer["user"]["id"])

    def use(self, info: StackInfo, name: str) -> tuple[TenantId, UserId]:
        """Sign in, connect, and run a Flow twice."""
        with AddIn(info) as pane:
            ids = self.sign_in(pane, name)
            org = pane.connect(name)["org_id"]
            for _ in range(2):
                pane.call("POST", f"/flows/{FLOW}/runs", body={"email": MAIL, "org_id": org})
        return ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What was there before the loss."""

    info: StackInfo
    azure: Azure
    people: People
    contoso: TenantId
    fabrikam: TenantId
    alice: UserId
    bob: UserId
    grants: dict[str, str]

    @property
    def services(self) -> Services:
        return Services(settings(), self.azure)

    async def files(self) -> dict[str, bytes]:
        """Every file among the backups."""
        names = await self.azure.backups.names("")
        return {name: await self.azure.backups.get(name) or b"" for name in names}


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    """A stack of these tests' own: the others keep their tables."""
    with Stack(data=tmp_path_factory.mktemp("lost"), with_timers=False) as running:
        yield running.info


@pytest.fixture
async def azure(own_stack: StackInfo, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Azure]:
    monkeypatch.setenv("IDENTITY_ENDPOINT", own_stack.identity_endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", scene.IDENTITY_HEADER)
    chosen = settings(tables_endpoint=own_stack.tables, backup_endpoint=own_stack.blobs)
    outside = Azure(chosen, pinned_network(own_stack))
    yield outside
    await outside.close()


@pytest.fixture
async def before(own_stack: StackInfo, azure: Azure) -> Scene:
    """Three people of two tenants, connected, with runs; backed up. Tenants are each test's own,
    because the service remembers keys for ten minutes; what earlier tests left is removed."""
    await lose_every_table(own_stack, azure)
    for name in await azure.backups.names(""):
        await azure.backups.delete(name)
    people = People(directory=str(uuid4()), domain=f"{uuid4()}.example.com")
    contoso, alice = people.use(own_stack, "alice")
    _, bob = people.use(own_stack, "bob")
    fabrikam, _ = people.use(own_stack, "carol")
    found = Scene(
        info=own_stack,
        azure=azure,
        people=people,
        contoso=contoso,
        fabrikam=fabrikam,
        alice=alice,
        bob=bob,
        grants=await grants_of(azure, contoso, fabrikam),
    )
    await found.services.back_up_tenants()
    return found


async def grants_of(azure: Azure, *tenants: TenantId) -> dict[str, str]:
    """Every token that is stored, in clear."""
    opening = SealedGrants(vault=azure.vault)
    found: dict[str, str] = {}
    for tenant in tenants:
        for row in (await azure.connections.of_subject(DataSubject(tenant=tenant)))[0]:
            grant = await opening.open(row.place, row.sealed_grant)
            found[f"refresh token of {row.user}"] = grant.refresh_token.reveal()
            found[f"access token of {row.user}"] = grant.access_token.reveal()
    return found


async def lose_every_table(info: StackInfo, azure: Azure) -> None:
    async with TableServiceClient(
        info.tables, credential=azure._credential, transport=azure._azure_transport()
    ) as service:
        for name in TABLE_NAMES:
            await service.delete_table(name)
    await asyncio.to_thread(prepare_tables, info)
    assert await azure.tenants.ids() == []


async def restore(info: StackInfo, *arguments: str) -> tuple[int, str]:
    """The runbook's command, for the local stack."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "local.restore", *arguments],
        cwd=ROOT,
        env={**os.environ, "FLOWRUNNER_LOCAL_STACK": str(info.data / "stack.json")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


async def delete_bob(before: Scene) -> None:
    """Confirmed after the backup, and carried out or not: the tables are lost all the same."""
    now = datetime.now(UTC)
    await DeletionLedger(store=before.azure.backups).write(
        Deletion(
            id=f"d-{uuid4().hex}",
            tenant=before.contoso,
            scope=DeletionScope.USER,
            state=DeletionState.CONFIRMED,
            times={DeletionState.REQUESTED: now, DeletionState.CONFIRMED: now},
            requested_by=before.bob,
            user=before.bob,
            subject_sha256=subject_hash(before.bob),
            code_digest="",
            status_digest="",
        )
    )


async def rows_of(azure: Azure, tenant: TenantId) -> dict[str, int]:
    """How many rows each table has of the tenant, gates left aside."""
    return {
        table: len([1 async for row in azure.copies.rows(table, tenant)
                    if not str(row["RowKey"]).startswith("gate")])
        for table in TABLE_NAMES
    }  # fmt: skip


async def until_deletions_are_done(azure: Azure, tenant: TenantId, pane: AddIn) -> None:
    """Hurry the worker, and wait for what it has to wait for. A timer's run is only begun by the
    call that asks for it."""
    for _ in range(6 * int(SETTLING.total_seconds())):
        pane.run_timer("deletion_worker")
        found = await azure.deletions.of_tenant(tenant)
        if all(deletion.state is DeletionState.RECEIPTED for deletion in found):
            return
        await asyncio.sleep(0.5)
    pytest.fail("a deletion does not come to its end")


def counted(printed: str, tenant: TenantId) -> list[str]:
    """The line of a tenant: date and outcome, rows of each table, and what is held back."""
    (line,) = [line.split() for line in printed.splitlines() if line.startswith(tenant)]
    return line[2:]


async def test_after_a_total_loss_users_and_runs_are_back_and_grants_are_not(before: Scene) -> None:
    azure = before.azure
    was = {tenant: await rows_of(azure, tenant) for tenant in (before.contoso, before.fabrikam)}
    await delete_bob(before)
    await lose_every_table(before.info, before.azure)

    code, printed = await restore(before.info, "--tenant", "all", "--date", "latest", "--dry-run")
    assert code == 0, printed
    assert counted(printed, before.contoso) == ["checked", "2", "1", "2", "3"]
    assert counted(printed, before.fabrikam) == ["checked", "2", "1", "2", "0"]
    for tenant in (before.contoso, before.fabrikam):
        assert await azure.copies.is_empty(tenant)

    code, printed = await restore(before.info, "--tenant", "all", "--date", "latest")
    assert code == 0, printed
    assert counted(printed, before.contoso) == ["restored", "2", "1", "2", "3"]
    now = {tenant: await rows_of(azure, tenant) for tenant in was}
    assert now[before.fabrikam] == was[before.fabrikam] | {"connections": 0, "pending": 0}
    assert now[before.contoso] == was[before.contoso] | {
        "connections": 0, "pending": 0, "users": 1, "runs": 2, "deletions": 1,
    }  # fmt: skip

    with AddIn(before.info) as pane:
        assert before.people.sign_in(pane, "alice") == (before.contoso, before.alice)
        history = pane.call("GET", "/runs")["runs"]
        assert [(run["flow_name"], run["outcome"]) for run in history] == [(FLOW, "succeeded")] * 2
        assert pane.call("GET", "/salesforce/connections")["connections"] == []
        org = pane.connect("alice")["org_id"]
        pane.call("POST", f"/flows/{FLOW}/runs", body={"email": MAIL, "org_id": org})
    with AddIn(before.info) as pane:
        # His deletion was under way when everything was lost: it is finished first.
        with pytest.raises(UnexpectedAnswerError, match="deletion_in_progress"):
            before.people.sign_in(pane, "bob")
        await until_deletions_are_done(azure, before.contoso, pane)
        before.people.sign_in(pane, "bob")  # a new account: nothing of the old one is there
        assert pane.call("GET", "/runs")["runs"] == []

    code, printed = await restore(before.info, "--tenant", before.contoso, "--date", "latest")
    assert (code, "REFUSED tenant_not_empty" in printed) == (1, True)


async def opened(before: Scene) -> dict[str, bytes]:
    """Each file, and each sealed one once more as the tenant's key opens it, unpacked."""
    found = await before.files()
    for name, data in dict(found).items():
        day = day_of(name)
        if name.endswith(".sealed") and day is not None:
            tenant, _, file = name.split("/")
            table, number, _ = file.split(".")
            place = part_place(TenantId.parse(tenant), day, table, int(number))
            rows = gzip.decompress(await before.azure.vault.open(place, data))
            found[f"{name} opened"] = rows
    return found


async def test_no_grant_is_in_any_backup_not_even_opened(before: Scene) -> None:
    assert len(before.grants) == 6

    files = await opened(before)

    assert sum(name.endswith(" opened") for name in files) == 2 * len(BACKED_UP)
    assert b"sealed_identity" in b"".join(files.values())
    assert {
        name: found for name, data in files.items() if (found := hits(data, before.grants))
    } == {}


async def test_a_grant_in_a_backup_would_be_found(before: Scene) -> None:
    token = next(iter(before.grants.values()))
    await before.azure.copies.insert("users", before.contoso, [{"RowKey": "u-leak", "leak": token}])
    await before.services.back_up_tenants()

    found = [name for name, data in (await opened(before)).items() if hits(data, before.grants)]

    assert [name.rpartition("/")[2] for name in found] == ["users.0001.sealed opened"]


@pytest.mark.parametrize("kind", ["part", "manifest", "keys"])
async def test_a_flipped_byte_refuses_the_restore(before: Scene, kind: str) -> None:
    files = await before.files()
    today = next(day for name in files if (day := day_of(name)))
    name = {
        "part": f"{before.contoso}/{today}/runs.0001.sealed",
        "manifest": manifest_name(before.contoso, today),
        "keys": keys_name(before.contoso),
    }[kind]
    middle = len(files[name]) // 2
    bent = files[name][:middle] + bytes([files[name][middle] ^ 1]) + files[name][middle + 1 :]
    await before.azure.backups.put(name, bent)
    await lose_every_table(before.info, before.azure)

    code, printed = await restore(before.info, "--tenant", "all", "--date", "latest")

    assert code == 1
    assert counted(printed, before.contoso)[0] in ("REFUSED", "FAILED"), printed
    assert counted(printed, before.fabrikam)[0] == "restored"
    assert await before.azure.copies.is_empty(before.contoso)


async def test_C07_with_the_key_file_gone_nothing_opens(before: Scene) -> None:
    """An attacker has every other file, the key in Key Vault, and a tenant of the same name."""
    (key,) = await before.azure.tenant_keys.all(before.contoso)
    await before.azure.backups.delete(keys_name(before.contoso))
    await lose_every_table(before.info, before.azure)
    files = await before.files()

    for name, data in files.items():
        for form in (key.wrapped, base64.b64encode(key.wrapped), key.wrapped.hex().encode()):
            assert form not in data, name
    code, printed = await restore(before.info, "--tenant", "all", "--date", "latest")
    assert code == 1
    assert counted(printed, before.contoso)[:2] == ["REFUSED", "keys_missing"]
    assert await before.azure.copies.is_empty(before.contoso)

    wrapper = KeyVaultKeyWrapper(
        settings().key_vault_uri,
        credential=before.azure._credential,
        transport=before.azure._azure_transport,
    )
    guessed, kek_id = await wrapper.wrap(os.urandom(32))
    forged = replace(key, wrapped=guessed, kek_id=kek_id)
    for keys, failure in (([], KeyVaultFailedError), ([forged], SealBrokenError)):
        vault = before.azure.vaults(KeysOfBackup(keys))
        tried = 0
        for name, data in files.items():
            day = day_of(name)
            if name.startswith(before.contoso) and name.endswith(".sealed") and day is not None:
                table, number, _ = name.rpartition("/")[2].split(".")
                tried += 1
                with pytest.raises(failure):
                    await vault.open(part_place(before.contoso, day, table, int(number)), data)
        assert tried == len(BACKED_UP)
