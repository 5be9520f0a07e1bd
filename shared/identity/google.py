"""Who may sign in with Google: the policy for ID tokens of Google Workspace accounts.

Source: Google, "Verify the Google ID token on your server side". Users are known by `hd` and
`sub`; names and addresses in the token are never read.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from shared.errors import NotAuthenticatedError, PersonalAccountError
from shared.identity.claims import require_current, text_claim, verified_claims
from shared.identity.key_sets import KeySets
from shared.identity.unverified_token import read
from shared.model import Identity
from shared.ports import Clock
from shared.secret import Secret

KEYS: Final = "https://www.googleapis.com/oauth2/v3/certs"
ISSUERS: Final = frozenset({"https://accounts.google.com", "accounts.google.com"})
_SUBJECT: Final = re.compile(r"[0-9]{1,255}", re.ASCII)
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.ASCII)


class GooglePolicy:
    """Verifies ID tokens that were issued to our own clients."""

    def __init__(
        self,
        key_sets: KeySets,
        *,
        clients: frozenset[str],
        admins: frozenset[str],
        clock: Clock,
    ) -> None:
        self._key_sets, self._clients, self._admins = key_sets, clients, admins
        self._clock = clock

    async def verify(self, unverified: Secret) -> Identity:
        """Raises NotAuthenticatedError, PersonalAccountError, IdentityProviderFailedError."""
        token = read(unverified.reveal(), algorithm="RS256", types=("JWT", None))
        key = await self._key_sets.key(KEYS, token.unverified_kid)
        return self._identity(verified_claims(token, key.key), self._clock())

    def _identity(self, claims: Mapping[str, Any], now: datetime) -> Identity:
        """The rules, one after the other; the signature is already verified."""
        require_current(claims, now)
        audience = text_claim(claims, "aud")
        issued_to = claims.get("azp", audience)
        subject = text_claim(claims, "sub")
        if (
            text_claim(claims, "iss") not in ISSUERS
            or audience not in self._clients
            or not isinstance(issued_to, str)
            or issued_to not in self._clients
            or claims.get("email_verified") is not True
            or not _SUBJECT.fullmatch(subject)
        ):
            raise NotAuthenticatedError
        if "hd" not in claims:
            raise PersonalAccountError
        domain = text_claim(claims, "hd")
        if not _DOMAIN.fullmatch(domain):
            raise NotAuthenticatedError
        is_admin = f"{domain}:{subject}" in self._admins
        return Identity(provider="google", directory=domain, subject=subject, is_admin=is_admin)
