"""Users of a running stack, each with an org of their own, so that many can be tried at once.

What they do is done by the service's own use cases, in this process, which nobody kills.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from uuid import uuid4

from local.network import pinned_network
from local.stack_info import StackInfo
from shared import ports
from shared.model import Caller, Identity, OneTimeCode, OrgId, Provider
from shared.secret import Secret
from shared.services import Services
from tests.attacks.shifted_azure import ShiftedAzure
from tests.attacks.worker_settings import settings_on
from tests.contract.salesforce import SimulatedScene
from tests.control_client import ControlClient

NAME = "alice"
"""What everybody is called in their own org."""

_NOW = timedelta()


@dataclass(frozen=True, kw_only=True)
class User:
    caller: Caller
    scene: SimulatedScene

    @property
    def org(self) -> OrgId:
        return self.scene.org

    @property
    def arguments(self) -> Mapping[str, str]:
        """Who it is, for a worker."""
        return {"tenant": self.caller.tenant, "user": self.caller.user, "org": self.org}


class _Believing:
    """Satisfies `ports.IdentityVerifier`: a token is a directory, and never a lie."""

    async def verify(self, provider: Provider, unverified_token: Secret) -> Identity:
        directory = unverified_token.reveal()
        return Identity(provider=provider, directory=directory, subject=str(uuid4()), is_admin=True)


class _Outside(ShiftedAzure):
    @cached_property
    def verifier(self) -> ports.IdentityVerifier:
        return _Believing()


class Users:
    """Makes them, and does what they do, at any time: `ahead` is how far the clock is moved."""

    def __init__(self, info: StackInfo, control: ControlClient) -> None:
        self._settings = settings_on(info)
        self._info, self._control = info, control
        self._services: dict[timedelta, Services] = {}
        self._open = AsyncExitStack()
        self.azure = self._outside(_NOW)

    async def close(self) -> None:
        await self._open.aclose()

    async def new(self, directory: str, *, ahead: timedelta = _NOW) -> User:
        """Signed in, in a Microsoft tenant, and connected to nothing."""
        signed_in = await self._at(ahead).sign_in("microsoft", Secret(directory))
        return User(caller=signed_in.caller, scene=SimulatedScene(self.azure, self._control))

    async def back_from_salesforce(
        self, user: User, *, ahead: timedelta = _NOW
    ) -> Mapping[str, str]:
        """The user has consented: with what the browser comes back, for a worker."""
        services = self._at(ahead)
        ticket = await services.begin_connection(user.caller, None, None)
        departure = await services.start_connection(ticket)
        returned = user.scene.approve(departure.authorize_url, NAME)
        return {
            **user.arguments,
            "state": returned.state,
            "code": returned.code.reveal(),
            "nonce": departure.browser_nonce.reveal(),
        }

    async def connect(self, user: User) -> User:
        """Once, or once more."""
        back = await self.back_from_salesforce(user)
        services = self._at(_NOW)
        arrival = await services.finish_connection(
            OneTimeCode.parse(back["state"]), Secret(back["code"]), Secret(back["nonce"])
        )
        assert arrival.completion is not None
        await services.complete_connection(user.caller, arrival.completion)
        return user

    async def call(self, user: User, *, ahead: timedelta) -> None:
        await self._at(ahead).list_flows(user.caller, user.org)

    def expire(self, user: User) -> None:
        """Salesforce takes the user's access tokens no more: the next call has to refresh."""
        user.scene.expire_access_tokens(NAME)

    def rotate_kek(self) -> None:
        """Key Vault makes a new version of the key that wraps data keys."""
        self._control.post("/_sim/keyvault/keys/rotate", {"name": "tenant-kek"})

    def _at(self, ahead: timedelta) -> Services:
        if ahead not in self._services:
            self._services[ahead] = Services(self._settings, self._outside(ahead))
        return self._services[ahead]

    def _outside(self, ahead: timedelta) -> ShiftedAzure:
        outside = _Outside(self._settings, pinned_network(self._info))
        outside.ahead = ahead
        self._open.push_async_callback(outside.close)
        return outside
