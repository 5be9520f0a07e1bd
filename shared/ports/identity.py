"""Who is calling: foreign tokens, our sessions, and whether they still hold."""

from typing import Protocol

from shared.model import Identity, Provider, SessionClaims, Standing, TenantId, UserId
from shared.secret import Secret


class IdentityVerifier(Protocol):
    """Foreign tokens in, identities out."""

    async def verify(self, provider: Provider, unverified_token: Secret) -> Identity:
        """Raises NotAuthenticatedError, PersonalAccountError, GuestNotAllowedError,
        IdentityProviderFailedError."""
        ...


class OnBehalfOf(Protocol):
    """Takes a Microsoft sign-in back to Entra ID, where conditional access and MFA bite."""

    async def confirm(self, identity: Identity, token: Secret) -> None:
        """Raises InteractionRequiredError, NotAuthenticatedError, IdentityProviderFailedError."""
        ...


class Sessions(Protocol):
    """Our own session tokens: signed, short, and worth nothing once their epochs have passed."""

    async def issue(self, claims: SessionClaims) -> Secret: ...

    async def read(self, unverified_token: Secret) -> SessionClaims:
        """Verify signature and lifetime. Raises NotAuthenticatedError, SessionExpiredError."""
        ...


class Standings(Protocol):
    """Whether sessions still hold; may lag the store by a few seconds, and says by how many."""

    async def of(self, tenant: TenantId, user: UserId) -> Standing | None: ...

    def forget(self, tenant: TenantId, user: UserId) -> None:
        """What this instance remembers of the user is out of date."""
        ...
