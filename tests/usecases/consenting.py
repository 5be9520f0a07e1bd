"""A user who has said yes at Salesforce, for the tests of the way back."""

from dataclasses import dataclass

from shared.model import Caller, OneTimeCode, OrgId
from shared.secret import Secret
from shared.usecases.finish_connection import Arrival, NoCode
from tests.fakes import CONTOSO_ORG, World
from tests.settings import RETURN_URL


@dataclass
class Consent:
    """A user who has said yes at Salesforce, and is on the way back."""

    world: World
    caller: Caller
    state: OneTimeCode
    code: Secret
    nonce: Secret

    async def come_back(
        self, *, code: Secret | NoCode | None = None, nonce: Secret | None = None
    ) -> Arrival:
        """The way the browser should, but for what is given."""
        return await self.world.services.finish_connection(
            self.state, code or self.code, nonce or self.nonce
        )

    def living(self) -> int:
        return self.world.login.living(self.caller.user)


async def consent(world: World, name: str = "alice", org: OrgId = CONTOSO_ORG) -> Consent:
    caller = await world.signed_in(name)
    ticket = await world.services.begin_connection(caller, None, RETURN_URL)
    departure = await world.services.start_connection(ticket)
    back = world.login.approve(departure.authorize_url, user=caller.user, org=org)
    return Consent(
        world=world,
        caller=caller,
        state=OneTimeCode.parse(back.state),
        code=back.code,
        nonce=departure.browser_nonce,
    )
