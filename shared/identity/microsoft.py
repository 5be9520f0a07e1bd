"""Who may sign in with Microsoft: the policy for access tokens that Entra ID issues for our API.

Source: Microsoft identity platform, "Access tokens" and "Claims validation". Users are known by
`tid` and `oid`; names and addresses in the token are never read.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from shared.errors import GuestNotAllowedError, NotAuthenticatedError, PersonalAccountError
from shared.identity.claims import require_current, text_claim, verified_claims
from shared.identity.key_sets import KeySets, SigningKey
from shared.identity.unverified_token import read
from shared.model import Identity
from shared.ports import Clock
from shared.secret import Secret

KEYS: Final = "https://login.microsoftonline.com/common/discovery/v2.0/keys"
"""One fixed address for all tenants: a tenant id from an unverified token chooses no address."""

OFFICE_CLIENTS: Final = frozenset(
    {
        "ea5a67f6-b6f3-4338-b240-c655ddc3cc8e",  # all Office hosts
        "d3590ed6-52b3-4102-aeff-aad2292ab01c",  # Office
        "93d53678-613d-4013-afc1-62e9e444a0a5",  # Office on the web
        "bc59ab01-8403-45c6-8796-ac3ef710b3e3",  # Outlook on the web
    }
)
"""Office's own applications, which ask for tokens on an add-in's behalf (legacy Office SSO)."""

PERSONAL_ACCOUNTS_TENANT: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
ADMIN_ROLE: Final = "FlowRunner.Admin"
_SCOPE: Final = "access_as_user"
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class MicrosoftPolicy:
    """Verifies access tokens for our API, v2.0 and, where switched on, v1.0."""

    def __init__(
        self,
        key_sets: KeySets,
        *,
        audience: str,
        addin_clients: frozenset[str],
        accept_v1: bool,
        admit_guests: bool = False,
        clock: Clock,
    ) -> None:
        self._key_sets = key_sets
        self._audience = audience
        self._clients = OFFICE_CLIENTS | addin_clients
        self._accept_v1 = accept_v1
        self._admit_guests = admit_guests
        self._clock = clock

    async def verify(self, unverified: Secret) -> Identity:
        """Raises NotAuthenticatedError, PersonalAccountError, GuestNotAllowedError,
        IdentityProviderFailedError."""
        token = read(unverified.reveal(), algorithm="RS256", types=("JWT", "at+jwt", None))
        key = await self._key_sets.key(KEYS, token.unverified_kid)
        claims = verified_claims(token, key.key)
        return self._identity(claims, key, self._clock())

    def _identity(self, claims: Mapping[str, Any], key: SigningKey, now: datetime) -> Identity:
        """The rules, one after the other; the signature is already verified."""
        require_current(claims, now)
        tenant = text_claim(claims, "tid")
        subject = text_claim(claims, "oid")
        if not _GUID.fullmatch(tenant) or not _GUID.fullmatch(subject):
            raise NotAuthenticatedError
        self._require_issuer(claims, key, tenant)
        self._require_for_us(claims)
        if tenant == PERSONAL_ACCOUNTS_TENANT:
            raise PersonalAccountError
        is_guest = _is_guest(claims, tenant)
        if is_guest and not self._admit_guests:
            raise GuestNotAllowedError
        roles = claims.get("roles", [])
        is_admin = isinstance(roles, list) and ADMIN_ROLE in roles and not is_guest
        return Identity(provider="microsoft", directory=tenant, subject=subject, is_admin=is_admin)

    def _require_issuer(self, claims: Mapping[str, Any], key: SigningKey, tenant: str) -> None:
        """The issuer is the tenant's own, to the letter, and so is the issuer of the key."""
        version = claims.get("ver")
        expected = {"2.0": f"https://login.microsoftonline.com/{tenant}/v2.0"}
        if self._accept_v1:
            expected["1.0"] = f"https://sts.windows.net/{tenant}/"
        if not isinstance(version, str) or version not in expected:
            raise NotAuthenticatedError
        if claims.get("iss") != expected[version]:
            raise NotAuthenticatedError
        key_issuer = (key.issuer or "").replace("{tenantid}", tenant)
        if key_issuer != expected["2.0"]:
            raise NotAuthenticatedError

    def _require_for_us(self, claims: Mapping[str, Any]) -> None:
        """Issued for our API, to a client of ours, for a user, with our scope."""
        is_v1 = claims.get("ver") == "1.0"
        audiences = {self._audience, f"api://{self._audience}"} if is_v1 else {self._audience}
        audience, scopes = claims.get("aud"), claims.get("scp")
        client = claims.get("appid" if is_v1 else "azp")
        for_us = (
            isinstance(audience, str)
            and audience in audiences
            and isinstance(client, str)
            and client in self._clients
            and isinstance(scopes, str)
            and _SCOPE in scopes.split(" ")
            and claims.get("idtyp", "user") == "user"
        )
        if not for_us:
            raise NotAuthenticatedError


def _is_guest(claims: Mapping[str, Any], tenant: str) -> bool:
    """Whether the token says that its user's home is elsewhere. Raises NotAuthenticatedError.

    `idp` is the identity provider that authenticated the user, and is the tenant's own issuer, or
    missing, for everybody but guests ("Access token claims reference"). `acct` is 0 for members
    and 1 for guests ("Optional claims reference"): it is there only if the registration asks for
    it. A token with neither proves no membership.
    """
    account = claims.get("acct", 0)
    if not isinstance(account, int) or isinstance(account, bool) or account not in (0, 1):
        raise NotAuthenticatedError
    at_home = {
        f"https://login.microsoftonline.com/{tenant}/v2.0",
        f"https://sts.windows.net/{tenant}/",
    }
    is_from_elsewhere = "idp" in claims and text_claim(claims, "idp") not in at_home
    return account == 1 or is_from_elsewhere
