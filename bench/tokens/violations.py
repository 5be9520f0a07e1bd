"""Tokens that are signed with the right key and break a rule of the policy.

Each is told as changes to the claims of a good token (`...` takes one away), so that whoever holds
the key can sign them: the benches' own, or the simulators of the providers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from shared.identity.microsoft import PERSONAL_ACCOUNTS_TENANT
from tests.identity.tokens import OTHER_TENANT

NOT_AUTHENTICATED: Final = "not_authenticated"
PERSONAL: Final = "personal_account_not_supported"
GUEST: Final = "guest_not_allowed"
EXPIRED: Final = "session_expired"

_HOUR: Final = 3_600
_OTHER_APP: Final = "0f1e2d3c-4b5a-4697-8897-a6b5c4d3e2f1"
_MICROSOFT: Final = "https://login.microsoftonline.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    kind: str
    claims: Mapping[str, Any] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)
    expected: str = NOT_AUTHENTICATED
    """The code that the contract has for this."""


type Violations = Callable[[Random, Mapping[str, Any], int], Violation]
"""Of these good claims, at this time (Unix seconds)."""


def _otherwise(rng: Random, value: object) -> object:
    """Another type, another spelling, or nothing, for a value that is right as it is."""
    if isinstance(value, str):
        return rng.choice(
            (..., None, "", 0, True, 1.5, [value], {"value": value}, [], f"{value}\n", f"{value}\0",
             f"{value}/", f"\ufeff{value}", f"x{value}", f"{value}x", value[1:], value[:-1],
             value * 2)
        )  # fmt: skip
    if isinstance(value, bool):
        return rng.choice((..., None, not value, str(value), str(value).lower(), 1, [value]))
    assert isinstance(value, int)
    return rng.choice(
        (..., None, "", str(value), float(value), True, False, [value], {"value": value}, -value,
         value * 1_000, 1e300, 2**63, 10**30, value + 0.5)
    )  # fmt: skip


def _one_claim(rng: Random, claims: Mapping[str, Any], names: Sequence[str]) -> Violation:
    name = rng.choice(names)
    return Violation(kind=f"re-signed: {name}", claims={name: _otherwise(rng, claims[name])})


def _of_time(rng: Random, now: int) -> Violation:
    changes = rng.choice(
        (
            {"exp": now - rng.randrange(301, 40 * _HOUR), "iat": now - 41 * _HOUR, "nbf": ...},
            {"exp": now - rng.randrange(301, 3 * _HOUR)},
            {"iat": now + rng.randrange(400, _HOUR)},
            {"nbf": now + rng.randrange(400, _HOUR)},
            {"nbf": rng.choice((None, "", str(now), float(now), True, [now]))},
            {"iat": now - rng.randrange(29 * _HOUR, 90 * 24 * _HOUR), "nbf": ...},
            {"exp": now + rng.randrange(29 * _HOUR, 90 * 24 * _HOUR)},
        )
    )
    return Violation(kind="re-signed: time", claims=changes)


def _of_header(rng: Random) -> Violation:
    changes = rng.choice(
        (
            {"typ": rng.choice(("flowrunner-session+jwt", "logout+jwt", "id+jwt", "jwt", "", 1))},
            {"kid": rng.choice(("unknown", "", None, 1, ["key-1"], "../../x"))},
            {"crit": [rng.choice(("exp", "b64", "x"))]},
            {"b64": rng.choice((True, False))},
            {"cty": "JWT"},
        )
    )
    return Violation(kind="re-signed: header", header=changes)


def _of_microsoft(rng: Random, claims: Mapping[str, Any]) -> Violation:
    tenant = claims["tid"]
    changes: Mapping[str, Any] = rng.choice(
        (
            {"tid": OTHER_TENANT},
            {"iss": f"{_MICROSOFT}/{OTHER_TENANT}/v2.0"},
            {"iss": f"{_MICROSOFT}.evil.example.com/{tenant}/v2.0"},
            {"iss": f"https://sts.windows.net/{tenant}/"},
            {"iss": f"https://sts.windows.net/{tenant}/", "ver": "1.0"},
            {"tid": tenant.upper()},
            {"tid": "common", "iss": f"{_MICROSOFT}/common/v2.0"},
            {"aud": [claims["aud"], _OTHER_APP]},
            {"aud": rng.choice((_OTHER_APP, f"api://{claims['aud']}", claims["azp"]))},
            {"azp": rng.choice((_OTHER_APP, claims["aud"]))},
            {"azp": ..., "appid": claims["azp"]},
            {"scp": rng.choice(("User.Read", "access_as_user.all", "ACCESS_AS_USER", "access"))},
            {"scp": ..., "roles": ["access_as_user", "FlowRunner.Admin"]},
            {"idtyp": rng.choice(("app", "device", "", None))},
            {"ver": rng.choice(("1.0", "2", "3.0", 2))},
        )
    )
    return Violation(kind="re-signed: Microsoft's rules", claims=changes)


def _of_google(rng: Random, claims: Mapping[str, Any]) -> Violation:
    changes: Mapping[str, Any] = rng.choice(
        (
            {"aud": "999-other.apps.googleusercontent.com"},
            {"aud": [claims["aud"], "999-other.apps.googleusercontent.com"]},
            {"azp": "999-other.apps.googleusercontent.com"},
            {"iss": "https://accounts.google.com.evil.example.com"},
            {"iss": "http://accounts.google.com"},
            {"hd": rng.choice(("", None, "fabrikam", "FABRIKAM.example.com", "a@b.example.com"))},
            {"email_verified": rng.choice((False, "true", ..., 1))},
            {"sub": rng.choice(("", "robin@fabrikam.example.com", "12a", "1" * 256, 12))},
        )
    )
    return Violation(kind="re-signed: Google's rules", claims=changes)


def microsoft_violations(rng: Random, claims: Mapping[str, Any], now: int) -> Violation:
    personal = PERSONAL_ACCOUNTS_TENANT
    return rng.choice(
        (
            _one_claim(
                rng, claims, ("aud", "iss", "azp", "oid", "scp", "tid", "ver", "iat", "exp")
            ),
            _of_microsoft(rng, claims),
            _of_time(rng, now),
            _of_header(rng),
            Violation(
                kind="re-signed: a personal account",
                claims={"tid": personal, "iss": f"{_MICROSOFT}/{personal}/v2.0"},
                expected=PERSONAL,
            ),
            Violation(
                kind="re-signed: a guest",
                claims=rng.choice(
                    (
                        {"acct": 1},
                        {"idp": f"https://sts.windows.net/{OTHER_TENANT}/"},
                        {"idp": "live.com", "acct": 1, "roles": ["FlowRunner.Admin"]},
                    )
                ),
                expected=GUEST,
            ),
        )
    )


def google_violations(rng: Random, claims: Mapping[str, Any], now: int) -> Violation:
    return rng.choice(
        (
            _one_claim(rng, claims, ("aud", "iss", "email_verified", "iat", "exp")),
            _of_google(rng, claims),
            _of_time(rng, now),
            _of_header(rng),
            Violation(kind="re-signed: a personal account", claims={"hd": ...}, expected=PERSONAL),
        )
    )


def session_violations(rng: Random, claims: Mapping[str, Any], now: int) -> Violation:
    """Nobody but the service has the key; its own old and odd tokens are refused all the same."""
    numbers = ("ept", "epu", "iat", "exp")
    over = now - rng.randrange(900, 40 * _HOUR)
    return rng.choice(
        (
            _one_claim(rng, claims, ("iss", "aud", "prv")),
            Violation(
                kind="re-signed: odd numbers",
                claims={
                    rng.choice(numbers): rng.choice((None, "", "3", 3.5, True, [3], -1, 1e300))
                },
            ),
            Violation(
                kind="re-signed: adm", claims={"adm": rng.choice((1, 0, None, "true", [True], {}))}
            ),
            Violation(kind="re-signed: a claim is missing", claims={rng.choice(list(claims)): ...}),
            Violation(kind="re-signed: a claim too many", claims={"roles": ["FlowRunner.Admin"]}),
            Violation(
                kind="re-signed: time",
                claims=rng.choice(
                    (
                        {"iat": now + 400, "exp": now + 1_000},
                        {"exp": claims["iat"] + rng.randrange(901, 40 * _HOUR)},
                        {"exp": claims["iat"] - rng.randrange(_HOUR)},
                    )
                ),
            ),
            Violation(
                kind="re-signed: a session that is over",
                claims={"iat": over, "exp": over + 900},
                expected=EXPIRED,
            ),
            Violation(
                kind="re-signed: header",
                header={"typ": rng.choice(("JWT", "at+jwt", "logout+jwt", "", None, 1))},
            ),
        )
    )
