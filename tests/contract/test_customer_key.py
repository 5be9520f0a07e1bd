"""A customer's key, from the settings to Key Vault: the adapters as deployed, against the stack.

The stack has one vault; a second key in it stands for the customer's own.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from azure.keyvault.keys.aio import KeyClient

from local import scene
from local.network import pinned_network
from local.stack_info import StackInfo
from shared.errors import KeyVaultFailedError
from shared.model import (
    Caller,
    Grant,
    Health,
    TenantId,
    TenantSettings,
)
from shared.outside import Azure
from shared.secret import Secret
from shared.services import Services
from shared.tenant_settings import revision_of
from shared.usecases.sealed_grants import SealedGrants
from tests.contract.conftest import admit
from tests.contract.rows import ALICE, connection_row, tenant_row
from tests.control_client import ControlClient
from tests.fakes import CONTOSO_ORG, NOON

pytestmark = pytest.mark.stack

NAME = "contoso-own-key"
OWN_VAULT = "https://flowrunner-own.vault.azure.net"
KEY = f"https://{scene.KEY_VAULT_HOST}/keys/{NAME}"


@pytest.fixture(autouse=True)
def vault(control: ControlClient) -> Iterator[None]:
    """The vault as it was, afterwards."""
    yield
    control.post("/_sim/reset")


@pytest.fixture
async def customer_key(azure: Azure) -> str:
    """A key of the customer's, with which we may wrap and unwrap."""
    await create_key(azure, NAME, "wrapKey", "unwrapKey")
    return KEY


async def create_key(azure: Azure, name: str, *operations: str) -> None:
    client = KeyClient(
        f"https://{scene.KEY_VAULT_HOST}",
        credential=azure._credential,
        transport=azure._azure_transport(),
    )
    await client.create_rsa_key(name, size=3072, key_operations=list(operations))


@pytest.fixture
async def carol(azure: Azure, tenant: TenantId) -> Caller:
    """An administrator of a new tenant."""
    return await settled(azure, tenant)


async def settled(azure: Azure, tenant: TenantId) -> Caller:
    """A tenant with a data key and one connection, and its administrator."""
    await admit(azure, tenant)
    await azure.tenants.create(replace(tenant_row(tenant), settings=TenantSettings()))
    await azure.vault.create_key(tenant)
    row = connection_row(tenant)
    sealed = await SealedGrants(vault=azure.vault).seal(row.place, grant())
    await azure.connections.create(replace(row, sealed_grant=sealed))
    return Caller(tenant=tenant, user=ALICE, provider="microsoft", is_admin=True, signed_in_at=NOON)


def grant() -> Grant:
    return Grant(
        org=CONTOSO_ORG,
        salesforce_user="0055g00000CONTOEA5",
        instance_host=scene.SALESFORCE_ORG_HOST,
        login_host="login.salesforce.com",
        refresh_token=Secret("refresh"),
        access_token=Secret("access"),
    )


@pytest.fixture
def services(azure: Azure) -> Services:
    """The service on the instance that wraps the keys, for which the stack's one vault is the
    customer's: in its own nobody may name a key."""
    return Services(replace(azure._settings, key_vault_uri=OWN_VAULT), azure)


async def health(azure: Azure, stack: StackInfo, caller: Caller) -> list[Health]:
    """As an instance sees it that remembers nothing."""
    fresh = Azure(azure._settings, pinned_network(stack))
    try:
        listed = await Services(azure._settings, fresh).list_connections(caller)
    finally:
        await fresh.close()
    return [one.health for one in listed]


async def settle(services: Services, caller: Caller, key: str | None) -> None:
    seen = await services.read_settings(caller)
    wanted = replace(seen.settings, customer_key=key)
    changed = await services.change_settings(caller, wanted, revision=revision_of(seen.settings))
    assert changed.settings.customer_key == key


async def wrapped_by(azure: Azure, tenant: TenantId) -> set[str]:
    return {key.kek_id.rpartition("/")[0] for key in await azure.tenant_keys.all(tenant)}


async def test_everything_opens_after_the_customers_key_has_wrapped_the_data_keys(
    azure: Azure, stack: StackInfo, services: Services, carol: Caller, customer_key: str
) -> None:
    before = await azure.tenant_keys.all(carol.tenant)

    await settle(services, carol, customer_key)

    assert await wrapped_by(azure, carol.tenant) == {customer_key}
    after = await azure.tenant_keys.all(carol.tenant)
    assert [key.version for key in after] == [key.version for key in before]
    assert await health(azure, stack, carol) == [Health.ACTIVE]
    found = await azure.tenants.load(carol.tenant)
    assert found is not None
    assert found.settings.customer_key == customer_key

    await settle(services, carol, None)

    assert await wrapped_by(azure, carol.tenant) == {before[0].kek_id.rpartition("/")[0]}
    assert await health(azure, stack, carol) == [Health.ACTIVE]


async def test_a_disabled_customers_key_closes_its_tenant_and_no_other(
    azure: Azure,
    stack: StackInfo,
    services: Services,
    control: ControlClient,
    carol: Caller,
    other_tenant: TenantId,
    customer_key: str,
) -> None:
    other = await settled(azure, other_tenant)
    await settle(services, carol, customer_key)
    (key,) = await azure.tenant_keys.all(carol.tenant)
    version = {"name": NAME, "version": key.kek_id.rpartition("/")[2]}

    control.post("/_sim/keyvault/keys/disable", version)

    assert await health(azure, stack, carol) == [Health.KEY_UNAVAILABLE]
    assert await health(azure, stack, other) == [Health.ACTIVE]

    control.post("/_sim/keyvault/keys/enable", version)

    assert await health(azure, stack, carol) == [Health.ACTIVE]


async def test_a_key_that_is_not_there_changes_nothing(
    azure: Azure, stack: StackInfo, services: Services, carol: Caller
) -> None:
    before = await azure.tenant_keys.all(carol.tenant)

    with pytest.raises(KeyVaultFailedError):
        await settle(services, carol, f"https://{scene.KEY_VAULT_HOST}/keys/nobodys-key")

    assert await azure.tenant_keys.all(carol.tenant) == before
    assert (await services.read_settings(carol)).settings == TenantSettings()
    assert await health(azure, stack, carol) == [Health.ACTIVE]


async def test_a_key_that_may_wrap_but_not_unwrap_changes_nothing(
    azure: Azure, stack: StackInfo, services: Services, carol: Caller
) -> None:
    """What it wrapped could never be opened again."""
    await create_key(azure, "one-way", "wrapKey")
    before = await azure.tenant_keys.all(carol.tenant)

    with pytest.raises(KeyVaultFailedError):
        await settle(services, carol, f"https://{scene.KEY_VAULT_HOST}/keys/one-way")

    assert await azure.tenant_keys.all(carol.tenant) == before
    assert (await services.read_settings(carol)).settings == TenantSettings()
