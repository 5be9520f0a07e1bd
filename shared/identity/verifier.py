"""Foreign tokens in, identities out: one policy for each provider."""

from shared.identity.google import GooglePolicy
from shared.identity.microsoft import MicrosoftPolicy
from shared.model import Identity, Provider
from shared.secret import Secret


class PolicyVerifier:
    """Satisfies `ports.IdentityVerifier`. The caller says which provider; the token must agree."""

    def __init__(self, *, microsoft: MicrosoftPolicy, google: GooglePolicy) -> None:
        self._microsoft, self._google = microsoft, google

    async def verify(self, provider: Provider, unverified_token: Secret) -> Identity:
        match provider:
            case "microsoft":
                return await self._microsoft.verify(unverified_token)
            case "google":
                return await self._google.verify(unverified_token)
