"""What every store of backups promises: the fake, and the container in Azurite."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import uuid4

import pytest

from local import scene
from local.stack_info import StackInfo
from shared import ports
from shared.errors import StorageFailedError
from shared.outside import Azure
from shared.storage.backups import BlobBackupStore
from tests.control_client import ControlClient

BLOCKS: Final = 3 * 1024**2 + 17
"""More than one request holds."""


@pytest.fixture
def store(outside: ports.Outside) -> ports.BackupStore:
    return outside.backups


@pytest.fixture
def folder() -> str:
    """A folder of the test's own: the stack is shared by all tests."""
    return f"ms-{uuid4()}/2026-01-15/"


@pytest.mark.parametrize("size", [0, 1, BLOCKS], ids=["empty", "a-byte", "blocks"])
async def test_a_file_comes_back_as_it_was_written(
    store: ports.BackupStore, folder: str, size: int
) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]

    await store.put(f"{folder}users.0001.sealed", data)

    assert await store.get(f"{folder}users.0001.sealed") == data


@pytest.mark.parametrize("size", [2, BLOCKS], ids=["small", "blocks"])
async def test_a_file_takes_the_place_of_the_one_before(
    store: ports.BackupStore, folder: str, size: int
) -> None:
    await store.put(f"{folder}a", b"1" * BLOCKS)
    await store.put(f"{folder}a", b"2" * size)

    assert await store.get(f"{folder}a") == b"2" * size
    assert await store.names(folder) == [f"{folder}a"]


async def test_a_file_that_is_not_there_is_none(store: ports.BackupStore, folder: str) -> None:
    assert await store.get(f"{folder}a") is None


async def test_a_file_is_gone_when_deleted_and_deleting_it_again_is_no_error(
    store: ports.BackupStore, folder: str
) -> None:
    await store.put(f"{folder}a", b"1")

    await store.delete(f"{folder}a")
    await store.delete(f"{folder}a")

    assert await store.get(f"{folder}a") is None
    assert await store.names(folder) == []


async def test_names_are_those_of_the_prefix_in_order(
    store: ports.BackupStore, folder: str
) -> None:
    for name in ("b", "a/c", "a"):
        await store.put(f"{folder}{name}", b"1")

    assert await store.names(folder) == [f"{folder}a", f"{folder}a/c", f"{folder}b"]
    assert await store.names(f"{folder}a") == [f"{folder}a", f"{folder}a/c"]
    assert await store.names(f"{folder}x") == []


# --- the real one alone ---


type Call = Callable[[ports.BackupStore, str], Awaitable[object]]

CALLS: Final[dict[str, Call]] = {
    "get": lambda store, name: store.get(name),
    "put": lambda store, name: store.put(name, b"2"),
    "delete": lambda store, name: store.delete(name),
    "names": lambda store, name: store.names(name),
}


@pytest.mark.stack
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"fault": "status", "value": 500}, id="broken"),
        pytest.param({"fault": "status", "value": 403}, id="refused"),
        pytest.param({"fault": "status", "value": 404}, id="no-container"),
        pytest.param({"fault": "html"}, id="html"),
        pytest.param({"fault": "reset_before"}, id="reset"),
    ],
)
async def test_an_outage_is_a_failure_of_the_store(
    azure: Azure, control: ControlClient, folder: str, call: Call, fault: dict[str, object]
) -> None:
    await azure.backups.put(f"{folder}a", b"1")
    everywhere = {"target": "blobs", "match": f"/{scene.STORAGE_ACCOUNT}/", "times": 50}
    control.post("/_sim/faults", {**everywhere, **fault})
    try:
        with pytest.raises(StorageFailedError):
            await call(azure.backups, f"{folder}a")
    finally:
        control.post("/_sim/reset")


@pytest.mark.stack
async def test_a_file_that_is_larger_than_agreed_is_not_read(
    stack: StackInfo, azure: Azure, folder: str
) -> None:
    narrow = BlobBackupStore(
        stack.blobs,
        credential=azure._credential,
        transport=azure._azure_transport,
        max_bytes=BLOCKS,
    )
    await narrow.put(f"{folder}a", b"1" * BLOCKS)
    await narrow.put(f"{folder}b", b"1" * (BLOCKS + 1))

    assert await narrow.get(f"{folder}a") == b"1" * BLOCKS
    with pytest.raises(StorageFailedError):
        await narrow.get(f"{folder}b")


@pytest.mark.stack
async def test_a_call_that_takes_too_long_is_given_up(
    stack: StackInfo, azure: Azure, control: ControlClient, folder: str
) -> None:
    hasty = BlobBackupStore(
        stack.blobs, credential=azure._credential, transport=azure._azure_transport, seconds=0.5
    )
    await hasty.put(f"{folder}a", b"1")
    slow = {"target": "blobs", "match": "/", "fault": "delay", "value": 5, "times": 5}
    control.post("/_sim/faults", slow)
    try:
        with pytest.raises(StorageFailedError):
            await hasty.get(f"{folder}a")
    finally:
        control.post("/_sim/reset")
