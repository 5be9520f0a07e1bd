"""Sessions made to order, and the versions of the secret that signs them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from shared.identity.sessions import LIFETIME, SIGNING_SECRET
from shared.model import Caller, SessionClaims, TenantId, UserId
from shared.secret import Secret, SecretVersion
from tests.fakes.clock import NOON
from tests.identity import tokens

TENANT: Final = TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3")
GOOGLE_TENANT: Final = TenantId.parse(f"g-{'a' * 26}")
USER: Final = UserId.parse(f"u-{'b' * 26}")
KEY: Final = "a made-up signing secret of enough characters"
KID: Final = "1" * 32
CLAIMS: Final = SessionClaims(
    caller=Caller(
        tenant=TENANT,
        user=USER,
        provider="microsoft",
        is_admin=True,
        signed_in_at=NOON,
    ),
    tenant_epoch=3,
    user_epoch=7,
    expires_at=NOON + LIFETIME,
)


class Versions:
    """The signing secret in Key Vault: newest first, at most two are handed out."""

    def __init__(self, **versions: str) -> None:
        self.versions = [version(kid, text) for kid, text in versions.items()]

    def rotate(self, number: int, **times: datetime) -> None:
        text = f"made-up signing secret number {number}, long enough"
        self.versions.insert(0, version(str(number) * 32, text, **times))

    async def newest_two(self, name: str) -> Sequence[SecretVersion]:
        assert name == SIGNING_SECRET
        return self.versions[:2]

    async def newest_two_by_now(self, name: str) -> Sequence[SecretVersion]:
        return await self.newest_two(name)


def version(kid: str, text: str, **times: datetime) -> SecretVersion:
    """Long settled, if nothing else is said."""
    times = {"created_at": NOON - timedelta(days=1), **times}
    return SecretVersion(id=kid, secret=Secret(text), **times)


def payload(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    now = int(NOON.timestamp())
    return tokens.changed(
        {
            "iss": "flowrunner",
            "aud": "flowrunner",
            "sub": USER,
            "ten": TENANT,
            "prv": "microsoft",
            "adm": True,
            "ept": 3,
            "epu": 7,
            "iat": now,
            "exp": now + 900,
            "jti": "n" * 22,
        },
        changes,
    )


def header(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return tokens.changed({"typ": "flowrunner-session+jwt", "alg": "HS256", "kid": KID}, changes)


def session(
    head: Mapping[str, Any] | None = None, claims: Mapping[str, Any] | None = None, key: str = KEY
) -> Secret:
    return Secret(tokens.hmac_signed(head or header(), claims or payload(), key.encode()))
