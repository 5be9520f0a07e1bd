"""Who is calling: signing in, the session of each request, signing out."""

# ruff: noqa: PLC0415 - imported at first use: see shared/services/__init__.py

from functools import cached_property
from typing import TYPE_CHECKING

from shared.services.steps import Steps

if TYPE_CHECKING:
    from shared.usecases.authenticate import Authenticate
    from shared.usecases.sign_in import SignIn
    from shared.usecases.sign_out import SignOut


class SignInServices(Steps):
    @cached_property
    def authenticate(self) -> "Authenticate":
        from shared.limits import RateLimit
        from shared.usecases.authenticate import Authenticate

        return Authenticate(
            sessions=self._outside.sessions,
            standings=self._outside.standings,
            user_limit=RateLimit(per_minute=120, burst=30),
            tenant_limit=RateLimit(per_minute=3_000, burst=750),
        )

    @cached_property
    def sign_in(self) -> "SignIn":
        from shared.limits import RateLimit
        from shared.usecases.sign_in import SignIn

        return SignIn(
            verifier=self._outside.verifier,
            on_behalf_of=self._outside.on_behalf_of,
            allowed_tenants=self.settings.allowed_tenants,
            tenant_regions=self.settings.tenant_regions,
            region=self.settings.deployment_region,
            gates=self._outside.gates,
            deletions=self._outside.deletions,
            tenants=self._outside.tenants,
            users=self._outside.users,
            connections=self._outside.connections,
            vault=self._outside.vault,
            pseudonyms=self._outside.pseudonyms,
            sessions=self._outside.sessions,
            limit=RateLimit(per_minute=10, burst=10),
            clock=self._outside.clock,
        )

    @cached_property
    def sign_out(self) -> "SignOut":
        from shared.usecases.sign_out import SignOut

        return SignOut(users=self._outside.users, standings=self._outside.standings)
