"""A world in which everything that the service ever seals is written down, with where it belongs;
and whoever holds all keys, to seal and to open beside the service."""

from typing import Final

import azure.functions as func

from shared.crypto import envelope
from shared.crypto.tenant_vault import TenantVault
from shared.model import Place, TenantId
from shared.secret import Secret
from tests.fakes import World
from tests.functions.host import call

MAIL: Final = {"sender_email": "sender@example.com", "subject": "canary-subject"}


class _Recording(TenantVault):
    """The vault of the service, which also remembers what it sealed."""

    def __init__(self, world: World) -> None:
        super().__init__(
            keys=world.tenant_keys,
            wrapper=world.key_wrapper,
            clock=world.clock,
            monotonic_clock=world.clock.monotonic,
        )
        self.sealed: dict[Place, bytes] = {}

    async def seal(self, place: Place, plain: bytes) -> bytes:
        sealed = await super().seal(place, plain)
        self.sealed[place] = sealed
        return sealed


async def lived_in() -> tuple[World, dict[Place, bytes]]:
    """Two users of one tenant and one of another have done all that leaves something sealed: each
    has signed in, connected, run a Flow and begun a second connection, and the nightly backup was
    made. All keys are of the same version: time stands still."""
    world = World()
    vault = _Recording(world)
    world.__dict__["vault"] = vault
    for name in ("alice", "bob", "mallory"):
        signed_in = await world.sign_in(name)
        await world.connect(signed_in.caller)
        await world.services.begin_connection(signed_in.caller, None, None)
        assert (await invoked(world, signed_in.session)).status_code == 200
    await world.services.back_up_tenants()
    return world, dict(vault.sealed)


async def invoked(world: World, session: Secret) -> func.HttpResponse:
    """Run a Flow: what needs the grant in the end, and the tenant's keys on the way."""
    return await call(
        world.services,
        "flow_invoke",
        token=session,
        route={"flow": "Log_Email"},
        body={"email": MAIL},
    )


async def data_key_of(world: World, tenant: TenantId) -> tuple[int, bytes]:
    """The newest version and the key itself, as only Key Vault gives it out."""
    version = max(row.version for row in world.tenant_keys.rows.values() if row.tenant == tenant)
    row = world.tenant_keys.rows[tenant, version]
    data_key = await world.key_wrapper.unwrap(row.wrapped, row.kek_id)
    assert len(data_key) == envelope.KEY_BYTES
    return version, data_key
