"""What stands in the tokens of Entra ID, version 2.0 and 1.0.

Follows https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference and the
example in https://learn.microsoft.com/office/dev/add-ins/develop/sso-in-office-add-ins.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any, Final

from local import scene
from local.simulators.signing_keys import base64url

GRAPH: Final = "https://graph.microsoft.com"
SCOPE: Final = "access_as_user"

_BACKDATED_SECONDS: Final = 300  # Entra dates a token five minutes back
_SERVICE_PRINCIPAL: Final = "1b8f2d4c-90e7-4a35-8c16-d3f5a7e0b924"  # our own app in each tenant


@dataclass(frozen=True, slots=True)
class User:
    """A member of the tenant `tid` with the object id `oid`."""

    tid: str
    oid: str

    @property
    def name(self) -> str:
        return f"Robin Example {self.oid[:4]}"

    @property
    def address(self) -> str:
        return f"robin.{self.oid[:8]}@contoso.example.com"

    def subject_for(self, app: str) -> str:
        """`sub` is pairwise: another one for each application."""
        return base64url(hashlib.sha256(f"{self.tid}/{self.oid}/{app}".encode()).digest())


def issuer_v2(tid: str) -> str:
    return f"https://{scene.ENTRA_HOST}/{tid}/v2.0"


def issuer_v1(tid: str) -> str:
    return f"https://sts.windows.net/{tid}/"


def _times(now: int, life: int) -> dict[str, int]:
    issued = now - _BACKDATED_SECONDS
    return {"iat": issued, "nbf": issued, "exp": now + life}


def _opaque() -> dict[str, str]:
    """Claims that Entra writes for itself; nobody else may read a meaning into them."""
    return {
        "aio": f"ATQAy/8GAAAA{secrets.token_urlsafe(48)}",
        "rh": f"0.A{secrets.token_urlsafe(40)}.",
        "uti": secrets.token_urlsafe(16),
    }


def access_token_v2(user: User, *, now: int, life: int) -> dict[str, Any]:
    """For our API, asked for by the add-in; `now` and `life` in seconds."""
    return {
        "aud": scene.ENTRA_API_CLIENT_ID,
        "iss": issuer_v2(user.tid),
        **_times(now, life),
        **_opaque(),
        "azp": scene.ENTRA_ADDIN_CLIENT_ID,
        "azpacr": "0",
        "name": user.name,
        "oid": user.oid,
        "preferred_username": user.address,
        "scp": SCOPE,
        "sub": user.subject_for(scene.ENTRA_API_CLIENT_ID),
        "tid": user.tid,
        "ver": "2.0",
    }


def access_token_v1(
    user: User,
    *,
    now: int,
    life: int,
    audience: str = f"api://{scene.ENTRA_API_CLIENT_ID}",
    app: str = scene.ENTRA_ADDIN_CLIENT_ID,
    app_authentication: str = "0",
    scope: str = SCOPE,
) -> dict[str, Any]:
    """What an API gets whose registration does not ask for version 2: ours by default."""
    return {
        "aud": audience,
        "iss": issuer_v1(user.tid),
        **_times(now, life),
        "acr": "1",
        **_opaque(),
        "amr": ["pwd", "mfa"],
        "appid": app,
        "appidacr": app_authentication,
        "family_name": "Example",
        "given_name": "Robin",
        "name": user.name,
        "oid": user.oid,
        "scp": scope,
        "sub": user.subject_for(audience),
        "tid": user.tid,
        "unique_name": user.address,
        "upn": user.address,
        "ver": "1.0",
    }


def graph_token(
    user: User, *, now: int, life: int, scope: str, credential: str, cae: bool
) -> dict[str, Any]:
    """What on-behalf-of yields: Graph registers for version 1.0. `credential` is "1" for a
    secret and "2" for an assertion; `cae` marks a client that understands claims challenges."""
    claims = access_token_v1(
        user,
        now=now,
        life=life,
        audience=GRAPH,
        app=scene.ENTRA_API_CLIENT_ID,
        app_authentication=credential,
        scope=scope,
    )
    return {**claims, "xms_cc": ["CP1"]} if cae else claims


def app_token(tid: str, *, now: int, life: int, audience: str, credential: str) -> dict[str, Any]:
    """What client credentials yield: no user, no `scp`."""
    return {
        "aud": audience,
        "iss": issuer_v1(tid),
        **_times(now, life),
        **_opaque(),
        "appid": scene.ENTRA_API_CLIENT_ID,
        "appidacr": credential,
        "idp": issuer_v1(tid),
        "idtyp": "app",
        "oid": _SERVICE_PRINCIPAL,
        "sub": _SERVICE_PRINCIPAL,
        "tid": tid,
        "ver": "1.0",
    }


def id_token(user: User, *, now: int, life: int, client_id: str) -> dict[str, Any]:
    return {
        "aud": client_id,
        "iss": issuer_v2(user.tid),
        **_times(now, life),
        **_opaque(),
        "name": user.name,
        "oid": user.oid,
        "preferred_username": user.address,
        "sub": user.subject_for(client_id),
        "tid": user.tid,
        "ver": "2.0",
    }


def client_info(user: User) -> str:
    return base64url(json.dumps({"uid": user.oid, "utid": user.tid}).encode())
