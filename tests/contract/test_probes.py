"""The probes of readiness against the local stack: each finds its own dependency, and no other."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest
from azure.data.tables.aio import TableClient

from local import scene
from shared.errors import StorageFailedError, UpstreamError
from shared.identity import google, microsoft
from shared.outside import Azure
from shared.ports import Probe
from shared.storage.probes import TablesProbe
from shared.storage.tables import Tables
from tests.control_client import ControlClient
from tests.fakes.world import DEPENDENCIES
from tests.settings import settings

pytestmark = pytest.mark.stack

SIMULATORS: Final = {
    "storage": "tables",
    "backups": "blobs",
    "key_vault": "keyvault",
    "microsoft": "entra",
    "google": "google",
    "salesforce": "salesforce",
}


@pytest.fixture(autouse=True)
def behaving(control: ControlClient) -> Iterator[None]:
    yield
    control.clear_faults()


def probe(azure: Azure, name: str) -> Probe:
    (found,) = [one for one in azure.probes if one.name == name]
    return found


def misbehave(control: ControlClient, name: str, kind: str, value: float | None = None) -> None:
    fault = {"target": SIMULATORS[name], "match": "/", "fault": kind, "times": 1_000}
    control.post("/_sim/faults", fault if value is None else {**fault, "value": value})


async def found_down(azure: Azure) -> set[str]:
    """Those of the probes that fail, in a way that the use case expects."""
    ends = await asyncio.gather(*(one() for one in azure.probes), return_exceptions=True)
    assert {type(one) for one in ends if not isinstance(one, UpstreamError)} <= {type(None)}
    return {one.name for one, end in zip(azure.probes, ends, strict=True) if end is not None}


async def test_every_dependency_has_its_probe_and_all_answer(azure: Azure) -> None:
    assert tuple(one.name for one in azure.probes) == DEPENDENCIES == tuple(SIMULATORS)
    assert await found_down(azure) == set()


async def test_google_is_no_dependency_where_nobody_signs_in_with_it() -> None:
    azure = Azure(settings(google_client_ids=()), None)

    assert [one.name for one in azure.probes] == [one for one in DEPENDENCIES if one != "google"]
    await azure.close()


@pytest.mark.parametrize("name", DEPENDENCIES)
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param("status", 503, id="down"),
        pytest.param("status", 500, id="broken"),
        pytest.param("reset_before", None, id="cut"),
        pytest.param("reset_after", None, id="answers-lost"),
    ],
)
async def test_x02_one_that_is_down_is_found_and_no_other(
    azure: Azure, control: ControlClient, name: str, kind: str, value: float | None
) -> None:
    """After it was reached once: no probe takes an earlier answer, or a cache, for an answer."""
    await probe(azure, name)()
    misbehave(control, name, kind, value)

    assert await found_down(azure) == {name}

    control.clear_faults()
    assert await found_down(azure) == set()


@pytest.mark.parametrize("name", [one for one in DEPENDENCIES if one != "salesforce"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param("status", 401, id="refuses-our-identity"),
        pytest.param("status", 403, id="refuses-our-role-or-network"),
        pytest.param("status", 404, id="table-container-or-key-is-gone"),
        pytest.param("status", 302, id="leads-elsewhere"),
        pytest.param("html", None, id="a-page-for-people"),
    ],
)
async def test_an_answer_that_is_no_answer_does_not_count(
    azure: Azure, control: ControlClient, name: str, kind: str, value: float | None
) -> None:
    misbehave(control, name, kind, value)

    with pytest.raises(UpstreamError):
        await probe(azure, name)()


class _Gone(Tables):
    """Gives out a table that nobody made."""

    def __getitem__(self, _name: str) -> TableClient:
        return super().__getitem__("gone")


async def test_a_store_without_its_tables_is_not_there(azure: Azure) -> None:
    tables = _Gone(
        azure._settings.tables_endpoint,
        credential=azure._credential,
        transport=azure._azure_transport,
    )

    with pytest.raises(StorageFailedError):
        await TablesProbe(tables)()


@pytest.mark.parametrize(
    ("status", "is_there"),
    [(200, True), (302, True), (404, True), (429, True), (499, True), (500, False), (599, False)],
)
async def test_salesforce_is_there_with_any_answer_below_500(
    azure: Azure, control: ControlClient, status: int, is_there: bool
) -> None:
    misbehave(control, "salesforce", "status", status)

    assert await found_down(azure) == (set() if is_there else {"salesforce"})


async def test_a_host_that_the_settings_do_not_admit_is_not_called(azure: Azure) -> None:
    elsewhere = replace(azure._settings, salesforce_login_host="login.example.com")
    other = Azure(elsewhere, azure._network)

    with pytest.raises(UpstreamError):
        await probe(other, "salesforce")()


async def test_each_asks_for_what_sign_in_and_sealing_use_and_for_nothing_else(
    azure: Azure, control: ControlClient
) -> None:
    """No secret is read, nothing is wrapped: the public half of a key, and public key sets."""
    await probe(azure, "key_vault")()  # whose first call is sent away, to come back with a token
    before = {name: calls(control, name) for name in ("keyvault", "entra", "google")}

    for name in ("key_vault", "microsoft", "google"):
        await probe(azure, name)()

    assert {name: dict(calls(control, name) - before[name]) for name in before} == {
        "keyvault": {"GET /keys/{name}/{version}": 1},  # of no version: the newest
        "entra": {"GET /{tenant}/discovery/v2.0/keys": 1},
        "google": {"GET /oauth2/v3/certs": 1},
    }
    assert microsoft.KEYS.startswith(f"https://{scene.ENTRA_HOST}/")
    assert google.KEYS.split("/")[2] in scene.GOOGLE_HOSTS


def calls(control: ControlClient, simulator: str) -> Counter[str]:
    return Counter(control.get(f"/_sim/{simulator}/ledger")["calls"])
