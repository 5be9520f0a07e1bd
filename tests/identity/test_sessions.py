"""Our own session tokens: what they say, and how long they hold."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import jwt
import pytest

from shared.errors import NotAuthenticatedError, SessionExpiredError
from shared.identity.sessions import SignedSessions
from shared.model import Provider, TenantId
from shared.secret import Secret
from tests.fakes.clock import NOON, FakeClock
from tests.identity import tokens
from tests.identity.making_sessions import (
    CLAIMS,
    GOOGLE_TENANT,
    KID,
    TENANT,
    USER,
    Versions,
    header,
    payload,
    session,
)


async def test_what_was_issued_is_read_back(sessions: SignedSessions) -> None:
    assert await sessions.read(await sessions.issue(CLAIMS)) == CLAIMS


async def test_the_rig_makes_the_same_sessions_as_the_service(sessions: SignedSessions) -> None:
    """So that each refusal below is for the one thing that is different."""
    assert await sessions.read(session()) == CLAIMS


@pytest.mark.parametrize(("provider", "tenant"), [("microsoft", TENANT), ("google", GOOGLE_TENANT)])
@pytest.mark.parametrize("is_admin", [True, False])
async def test_provider_and_role_survive(
    sessions: SignedSessions, provider: Provider, tenant: TenantId, is_admin: bool
) -> None:
    caller = replace(CLAIMS.caller, provider=provider, tenant=tenant, is_admin=is_admin)
    claims = replace(CLAIMS, caller=caller)

    assert (await sessions.read(await sessions.issue(claims))).caller == caller


async def test_a_session_holds_nothing_that_names_a_person(sessions: SignedSessions) -> None:
    token = (await sessions.issue(CLAIMS)).reveal()
    said = jwt.decode(token, options={"verify_signature": False})

    assert set(said) == set(payload())
    assert said["sub"] == USER


# --- S-03: downgrade -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": ""},
        {"alg": "HS512"},
        {"alg": "RS256"},
        {"typ": "JWT"},
        {"typ": "at+jwt"},
        {"typ": "FLOWRUNNER-SESSION+JWT"},
        {"typ": ...},
        {"crit": ["exp"]},
        {"kid": ...},
        {"kid": "2" * 32},
        {"kid": "../" + KID},
    ],
    ids=str,
)
async def test_s03_a_session_with_another_header_is_refused(
    sessions: SignedSessions, head: dict[str, Any]
) -> None:
    with pytest.raises(NotAuthenticatedError) as refused:
        await sessions.read(session(header(**head)))
    assert not isinstance(refused.value, SessionExpiredError)


async def test_s03_a_session_without_a_signature_is_refused(sessions: SignedSessions) -> None:
    unsigned = f"{tokens.part(header(alg='none'))}.{tokens.part(payload())}"
    for text in (unsigned, f"{unsigned}.", f"{tokens.part(header())}.{tokens.part(payload())}."):
        with pytest.raises(NotAuthenticatedError):
            await sessions.read(Secret(text))


@pytest.mark.parametrize("key", ["another key of enough characters, made up", "x" * 32])
async def test_s03_a_session_signed_by_somebody_else_is_refused(
    sessions: SignedSessions, key: str
) -> None:
    with pytest.raises(NotAuthenticatedError):
        await sessions.read(session(key=key))


async def test_s03_an_identity_providers_token_is_no_session(sessions: SignedSessions) -> None:
    for claims in (tokens.microsoft_claims(), tokens.google_claims()):
        with pytest.raises(NotAuthenticatedError):
            await sessions.read(Secret(tokens.signed(tokens.header(), claims)))


async def test_s03_claims_cannot_be_exchanged_under_a_signature(sessions: SignedSessions) -> None:
    head, _, signature = (await sessions.issue(CLAIMS)).reveal().split(".")
    forged = f"{head}.{tokens.part(payload(adm=True, sub='u-somebody-else'))}.{signature}"
    with pytest.raises(NotAuthenticatedError):
        await sessions.read(Secret(forged))


OF_ANOTHER_TYPE: Final[Mapping[str, tuple[object, ...]]] = {
    "iss": ("somebody-else", "", None, ["flowrunner"], "FlowRunner"),
    "aud": ("somebody-else", "", None, ["flowrunner"], {"flowrunner": 1}),
    "sub": ("", "u-abc", f"{USER}\n", USER.upper(), "mallory@example.com", 1, None, [USER]),
    "ten": ("contoso", "", 1, None, [TENANT], TENANT.upper(), f"{TENANT} ", GOOGLE_TENANT),
    "prv": ("google", "Microsoft", "okta", "", None, 1, True, ["microsoft"]),
    "adm": ("true", "false", "", 1, 0, None, [True], {}),
    "ept": ("3", "x", 3.0, 1e300, True, None, -1, 1 << 63, [3]),
    "epu": ("7", "x", 7.0, 1e300, False, None, -1, 1 << 63, {"7": 7}),
    "iat": ("soon", f"{NOON.timestamp():.0f}", NOON.timestamp(), True, None, -1, 1 << 40, 10**400),
    "exp": ("late", f"{NOON.timestamp() + 900:.0f}", 1e300, True, None, -1, 1 << 40, 10**400),
    "jti": (1, None, ["n"], True),
}
"""For each claim, values that a careless reader would take, or trip over."""


@pytest.mark.parametrize(
    "claims",
    [
        *({name: ...} for name in payload()),
        *({name: value} for name, values in OF_ANOTHER_TYPE.items() for value in values),
        {"ver": "0.9"},
        {"nbf": 0},
        {"roles": ["FlowRunner.Admin"]},
        {"ten": GOOGLE_TENANT, "prv": "microsoft"},
    ],
    ids=lambda claims: f"{claims}"[:60],
)
async def test_s03_a_session_of_another_form_is_refused_even_if_we_signed_it(
    sessions: SignedSessions, claims: dict[str, Any]
) -> None:
    with pytest.raises(NotAuthenticatedError) as refused:
        await sessions.read(session(claims=payload(**claims)))
    assert not isinstance(refused.value, SessionExpiredError)


def test_every_claim_is_tried_with_other_types() -> None:
    assert set(OF_ANOTHER_TYPE) == set(payload())


async def test_s01_no_two_sessions_are_the_same(sessions: SignedSessions) -> None:
    """Not even of one user in the same second, with the same rights."""
    issued = {(await sessions.issue(CLAIMS)).reveal() for _ in range(100)}

    assert len(issued) == 100


# --- S-06: lifetime ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "holds"),
    [
        pytest.param(timedelta(0), True, id="new"),
        pytest.param(timedelta(minutes=14, seconds=59), True, id="a-second-before-the-end"),
        pytest.param(timedelta(minutes=15), False, id="at-the-end"),
        pytest.param(timedelta(hours=24), False, id="a-day-later"),
    ],
)
async def test_s06_a_session_lives_fifteen_minutes(
    sessions: SignedSessions, clock: FakeClock, age: timedelta, holds: bool
) -> None:
    token = await sessions.issue(CLAIMS)
    clock.move(seconds=age.total_seconds())
    if holds:
        await sessions.read(token)
    else:
        with pytest.raises(SessionExpiredError):
            await sessions.read(token)


@pytest.mark.parametrize("lifetime", [0, -1, 901, 3_600, 86_400, 10 * 365 * 86_400])
async def test_s06_no_session_says_that_it_lives_longer_or_not_at_all(
    sessions: SignedSessions, lifetime: int
) -> None:
    with pytest.raises(NotAuthenticatedError) as refused:
        await sessions.read(session(claims=payload(exp=int(NOON.timestamp()) + lifetime)))
    assert not isinstance(refused.value, SessionExpiredError)


async def test_s06_a_session_may_be_shorter(sessions: SignedSessions, clock: FakeClock) -> None:
    short = session(claims=payload(exp=int(NOON.timestamp()) + 60))

    clock.move(seconds=59)
    await sessions.read(short)
    clock.move(seconds=1)
    with pytest.raises(SessionExpiredError):
        await sessions.read(short)


@pytest.mark.parametrize(
    ("ahead", "first", "last"),
    [
        pytest.param(0, 0, 899, id="clocks-agree"),
        pytest.param(60, 0, 839, id="reader-a-minute-ahead"),
        pytest.param(300, 0, 599, id="reader-five-minutes-ahead"),
        pytest.param(-60, 0, 959, id="reader-a-minute-behind"),
        pytest.param(-300, 0, 1_199, id="reader-five-minutes-behind"),
        pytest.param(-301, 1, 1_200, id="reader-further-behind"),
    ],
)
async def test_s06_another_workers_clock_moves_the_end_by_as_much_as_it_differs(
    versions: Versions, ahead: float, first: int, last: int
) -> None:
    """`first` and `last` are the seconds after the issue in which the other one takes it."""
    token = await SignedSessions(secrets=versions, clock=FakeClock()).issue(CLAIMS)
    held = []
    for second in (0, 1, last - 1, last, last + 1, last + 60, 86_400):
        clock = FakeClock()
        clock.move(seconds=second + ahead)
        try:
            await SignedSessions(secrets=versions, clock=clock).read(token)
        except NotAuthenticatedError:
            continue
        held.append(second)

    assert held == [second for second in (0, 1, last - 1, last) if second >= first]
