"""Real adapters while what they depend on answers nonsense, or not at all."""

import pytest

from shared.errors import StorageFailedError
from shared.identity.sessions import SIGNING_SECRET
from shared.model import TenantId
from shared.outside import Azure
from tests.control_client import ControlClient

pytestmark = pytest.mark.stack


async def test_x12_a_page_instead_of_an_answer_is_a_failure_of_the_store(
    azure: Azure, control: ControlClient, tenant: TenantId
) -> None:
    assert await azure.tenants.load(tenant) is None
    html = {"target": "tables", "match": "/devstoreaccount1/", "fault": "html", "times": 1}
    control.post("/_sim/faults", html)

    with pytest.raises(StorageFailedError):
        await azure.tenants.load(tenant)

    assert await azure.tenants.load(tenant) is None


async def test_c08_a_failed_second_look_leaves_the_signing_secrets_in_place(
    azure: Azure, control: ControlClient
) -> None:
    """The second look is caused by a key id that anybody can invent."""
    known = await azure._secrets.newest_two(SIGNING_SECRET)
    down = {"target": "keyvault", "match": "/", "fault": "status", "value": 503, "times": 50}
    control.post("/_sim/faults", down)
    try:
        assert await azure._secrets.newest_two_by_now(SIGNING_SECRET) == known
        assert await azure._secrets.newest_two(SIGNING_SECRET) == known
    finally:
        control.post("/_sim/reset")
