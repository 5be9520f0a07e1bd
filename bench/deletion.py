"""`make bench-deletion`: a tenant with 10,000 rows, from the confirmation to the receipt."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from bench.control import post
from bench.rows import fill, runs_between
from local import scene
from local.addin import AddIn
from local.network import pinned_network
from local.stack import Stack
from local.stack_info import StackInfo
from shared.model import DataSubject, Deletion, DeletionState, OneTimeCode, TenantId, User, UserId
from shared.outside import Azure
from shared.services import Services
from tests.settings import settings

ROWS: Final = 10_000
CONNECTED: Final = 20
FURTHER_USERS: Final = 40
MOST_SECONDS: Final = 60.0

_VERIFIER: Final = Path(__file__).parent.parent / "tools/verify_receipt.py"


def administrator_of_many(info: StackInfo, tid: str) -> AddIn:
    """Sign users in and connect them, as add-ins do; the last one, an administrator, stays."""
    names = [f"user{number}" for number in range(CONNECTED)]
    org = {"org_id": scene.SALESFORCE_ORG_ID, "instance_host": scene.SALESFORCE_ORG_HOST}
    post(info, "/_sim/salesforce/orgs", {**org, "users": names, "flows": []})
    for name in names[:-1]:
        with AddIn(info) as pane:
            pane.sign_in_with_microsoft(tid, str(uuid4()))
            pane.connect(name)
    pane = AddIn(info)
    pane.sign_in_with_microsoft(tid, str(uuid4()), administrator=True)
    pane.connect(names[-1])
    return pane


async def fill_up(info: StackInfo, azure: Azure, tenant: TenantId) -> int:
    """Further users, and runs of the last 20 days, up to the wanted number of rows."""
    now, subject = datetime.now(UTC), DataSubject(tenant=tenant)
    for _ in range(FURTHER_USERS):
        user = UserId(f"u-{uuid4().hex[:26]}")
        await azure.gates.open_for(tenant, user)
        await azure.users.create(
            User(
                id=user,
                tenant=tenant,
                sealed_identity=b"\x01" + bytes(60),
                epoch=1,
                created_at=now,
                last_seen_day=now.date().isoformat(),
            )
        )
    there = sum((await azure.erasure.count(subject)).values())
    await fill(info, runs_between(tenant, now - timedelta(days=20), now, ROWS - there))
    return sum((await azure.erasure.count(subject)).values())


async def carry_out(azure: Azure, asked: Mapping[str, Any]) -> Deletion:
    """The worker, every second instead of every minute, until there is a receipt."""
    services = Services(settings(), azure)
    token = OneTimeCode.parse(asked["status_token"])
    while True:
        await services.work_off_deletions()
        deletion = await services.read_deletion(token, asked["id"])
        if deletion.state is DeletionState.RECEIPTED:
            return deletion
        await asyncio.sleep(1)


async def measure(info: StackInfo, folder: Path) -> bool:
    """Print the steps. Whether it took as long as it may, and the receipt verifies."""
    tid = str(uuid4())
    tenant = TenantId.parse(f"ms-{tid}")
    pane = await asyncio.to_thread(administrator_of_many, info, tid)
    chosen = settings(tables_endpoint=info.tables, backup_endpoint=info.blobs)
    azure = Azure(chosen, pinned_network(info))
    try:
        print(f"{await fill_up(info, azure, tenant):,} rows, {CONNECTED} Salesforce grants")
        scope = {"scope": "tenant"}
        asked = pane.call("POST", "/deletion-requests", body=scope, expect=201)
        code = {"confirmation_code": asked["confirmation_code"]}
        pane.call("POST", f"/deletion-requests/{asked['id']}/confirm", body=code, expect=202)
        deletion = await carry_out(azure, asked)
    finally:
        await azure.close()
    seconds = _tell(deletion)
    keys = pane.send("GET", "/keys").content
    is_good = await asyncio.to_thread(verifies, folder, str(deletion.receipt), keys)
    return seconds <= MOST_SECONDS and is_good


def verifies(folder: Path, receipt: str, keys: bytes) -> bool:
    """Whether the tool that a customer uses takes the receipt."""
    (folder / "keys.json").write_bytes(keys)
    (folder / "receipt.jws").write_text(receipt, encoding="utf-8")
    command: list[str | Path] = [
        sys.executable,
        _VERIFIER,
        folder / "receipt.jws",
        folder / "keys.json",
    ]
    return subprocess.run(command, check=False, timeout=60).returncode == 0


def _tell(deletion: Deletion) -> float:
    confirmed_at = deletion.at(DeletionState.CONFIRMED)
    for state in list(DeletionState)[1:]:
        after = (deletion.at(state) - confirmed_at).total_seconds()
        print(f"  {state.value:<12}{after:6.1f} s")
    seconds = (deletion.at(DeletionState.RECEIPTED) - confirmed_at).total_seconds()
    print(f"{seconds:.1f} s from the confirmation to the receipt (at most {MOST_SECONDS:.0f})")
    print(f"rows {dict(deletion.rows)}, revocations {dict(deletion.revocations)}")
    return seconds


def main() -> int:
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(data=Path(folder) / "stack", with_timers=False) as running,
    ):
        os.environ["IDENTITY_ENDPOINT"] = running.info.identity_endpoint
        os.environ["IDENTITY_HEADER"] = scene.IDENTITY_HEADER
        held = asyncio.run(measure(running.info, Path(folder)))
    print("as promised" if held else "NOT as promised")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
