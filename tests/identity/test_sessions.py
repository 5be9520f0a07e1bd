"""Our own session tokens: what they say, how long they hold, and with which keys."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from time import time
from typing import Any, Final, Self

import jwt
import pytest
from azure.core.credentials import AccessToken

from local import scene
from local.simulators.azure_tokens import AzureTokens
from local.simulators.key_vault import KeyVault
from shared.azure_transport import NetworkTransport
from shared.crypto.key_vault import KeyVaultSecrets
from shared.errors import NotAuthenticatedError, SessionExpiredError, UpstreamError
from shared.identity.sessions import LIFETIME, SIGNING_SECRET, SignedSessions
from shared.model import Caller, Provider, SessionClaims, TenantId, UserId
from shared.secret import Secret
from tests.fakes.clock import NOON, FakeClock
from tests.identity import tokens
from tests.identity.conftest import Simulate
from tests.simulators.serving import Clock

TENANT: Final = TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3")
KEY: Final = "a made-up signing secret of enough characters"
KID: Final = "1" * 32
CLAIMS: Final = SessionClaims(
    caller=Caller(
        tenant=TENANT,
        user=UserId("u-abc"),
        provider="google",
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
        self.versions = versions

    def rotate(self, number: int) -> None:
        self.versions = {
            str(number) * 32: f"made-up signing secret number {number}, long enough",
            **self.versions,
        }

    async def newest_two(self, name: str) -> Mapping[str, Secret]:
        assert name == SIGNING_SECRET
        return {kid: Secret(text) for kid, text in list(self.versions.items())[:2]}

    async def newest_two_by_now(self, name: str) -> Mapping[str, Secret]:
        return await self.newest_two(name)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def versions() -> Versions:
    return Versions(**{KID: KEY})


@pytest.fixture
def sessions(versions: Versions, clock: FakeClock) -> SignedSessions:
    return SignedSessions(secrets=versions, clock=clock)


def payload(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    now = int(NOON.timestamp())
    return tokens.changed(
        {
            "iss": "flowrunner",
            "aud": "flowrunner",
            "sub": "u-abc",
            "ten": TENANT,
            "prv": "google",
            "adm": True,
            "ept": 3,
            "epu": 7,
            "iat": now,
            "exp": now + 900,
        },
        changes,
    )


def header(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return tokens.changed({"typ": "flowrunner-session+jwt", "alg": "HS256", "kid": KID}, changes)


def session(
    head: Mapping[str, Any] | None = None, claims: Mapping[str, Any] | None = None, key: str = KEY
) -> Secret:
    return Secret(tokens.hmac_signed(head or header(), claims or payload(), key.encode()))


async def test_what_was_issued_is_read_back(sessions: SignedSessions) -> None:
    assert await sessions.read(await sessions.issue(CLAIMS)) == CLAIMS


async def test_the_rig_makes_the_same_sessions_as_the_service(sessions: SignedSessions) -> None:
    """So that each refusal below is for the one thing that is different."""
    assert await sessions.read(session()) == CLAIMS


@pytest.mark.parametrize("provider", ["microsoft", "google"])
@pytest.mark.parametrize("is_admin", [True, False])
async def test_provider_and_role_survive(
    sessions: SignedSessions,
    provider: Provider,
    is_admin: bool,
) -> None:
    caller = replace(CLAIMS.caller, provider=provider, is_admin=is_admin)
    claims = replace(CLAIMS, caller=caller)

    assert (await sessions.read(await sessions.issue(claims))).caller == caller


async def test_a_session_holds_nothing_that_names_a_person(sessions: SignedSessions) -> None:
    token = (await sessions.issue(CLAIMS)).reveal()
    said = jwt.decode(token, options={"verify_signature": False})

    assert set(said) == {"iss", "aud", "sub", "ten", "prv", "adm", "ept", "epu", "iat", "exp"}
    assert said["sub"] == "u-abc"


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


@pytest.mark.parametrize(
    "claims",
    [
        *({name: ...} for name in payload()),
        {"iss": "somebody-else"},
        {"aud": "somebody-else"},
        {"aud": ["flowrunner"]},
        {"ten": "contoso"},
        {"ten": 1},
        {"iat": "soon"},
        {"exp": None},
        {"exp": 1e300},
        {"ept": "x"},
    ],
    ids=str,
)
async def test_a_session_of_another_shape_is_refused_even_if_we_signed_it(
    sessions: SignedSessions, claims: dict[str, Any]
) -> None:
    with pytest.raises(NotAuthenticatedError) as refused:
        await sessions.read(session(claims=payload(**claims)))
    assert not isinstance(refused.value, SessionExpiredError)


async def test_an_administrator_is_who_the_session_says_in_truth_itself(
    sessions: SignedSessions,
) -> None:
    for word in ("true", 1, [True]):
        assert not (await sessions.read(session(claims=payload(adm=word)))).caller.is_admin


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


async def test_s06_no_session_lives_longer_whatever_it_says(
    sessions: SignedSessions, clock: FakeClock
) -> None:
    now = int(NOON.timestamp())
    eternal = session(claims=payload(exp=now + 10 * 365 * 86_400))
    await sessions.read(eternal)

    clock.move(minutes=15)

    with pytest.raises(SessionExpiredError):
        await sessions.read(eternal)


@pytest.mark.parametrize(
    ("behind", "holds"),
    [
        pytest.param(0, True, id="clocks-agree"),
        pytest.param(60, True, id="a-minute-behind"),
        pytest.param(61, False, id="more-than-a-minute-behind"),
        pytest.param(300, False, id="five-minutes-behind"),
    ],
)
async def test_s06_a_worker_whose_clock_is_behind_accepts_a_minute(
    versions: Versions, behind: float, holds: bool
) -> None:
    token = await SignedSessions(secrets=versions, clock=FakeClock()).issue(CLAIMS)
    late = FakeClock()
    late.move(seconds=-behind)
    other = SignedSessions(secrets=versions, clock=late)
    if holds:
        await other.read(token)
    else:
        with pytest.raises(NotAuthenticatedError):
            await other.read(token)


# --- S-04: the signing secret rotates ------------------------------------------------------------


async def test_s04_the_newest_version_signs(sessions: SignedSessions, versions: Versions) -> None:
    versions.rotate(2)

    token = (await sessions.issue(CLAIMS)).reveal()

    assert jwt.get_unverified_header(token)["kid"] == "2" * 32


async def test_s04_the_previous_version_is_still_accepted(
    sessions: SignedSessions, versions: Versions
) -> None:
    token = await sessions.issue(CLAIMS)
    versions.rotate(2)

    assert await sessions.read(token) == CLAIMS


async def test_s04_the_one_before_is_not(sessions: SignedSessions, versions: Versions) -> None:
    token = await sessions.issue(CLAIMS)
    versions.rotate(2)
    versions.rotate(3)

    with pytest.raises(NotAuthenticatedError):
        await sessions.read(token)


async def test_s04_a_version_does_not_vouch_for_anothers_key_id(
    sessions: SignedSessions, versions: Versions
) -> None:
    versions.rotate(2)

    with pytest.raises(NotAuthenticatedError):
        await sessions.read(session(header(kid="2" * 32), key=KEY))


class Directory:
    """A managed identity: it gets tokens from the operator's directory."""

    def __init__(self, tokens: AzureTokens) -> None:
        self._tokens = tokens

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        resource = scopes[0].removesuffix("/.default")
        return AccessToken(self._tokens.issue(resource), int(time()) + 3_600)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""


async def test_s04_while_the_secret_rotates_no_session_is_refused_on_any_instance(
    simulate: Simulate, clock: FakeClock
) -> None:
    """Two instances over Key Vault: one has read the new version, the other remembers the old.

    Each remembers for ten minutes, so a rotation must not be noticed at once to be noticed.
    """
    azure_tokens = AzureTokens(clock=time)
    vault_clock = Clock(time() - 60)
    served, network = simulate(KeyVault(azure_tokens, vault_clock))

    def instance() -> SignedSessions:
        secrets = KeyVaultSecrets(
            f"https://{scene.KEY_VAULT_HOST}",
            credential=Directory(azure_tokens),
            transport=lambda: NetworkTransport(network),
        )
        return SignedSessions(secrets=secrets, clock=clock)

    behind = instance()
    assert await behind.read(await behind.issue(CLAIMS)) == CLAIMS
    vault_clock.advance(60)
    newest = {"name": SIGNING_SECRET, "value": "a new signing secret, made up and long enough"}
    served.control_post("/_sim/keyvault/secrets", newest)
    ahead = instance()

    assert await behind.read(await ahead.issue(CLAIMS)) == CLAIMS
    assert await ahead.read(await behind.issue(CLAIMS)) == CLAIMS


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("key", ["x", "x" * 31])
async def test_a_signing_secret_that_could_be_guessed_is_not_used(
    key: str, clock: FakeClock
) -> None:
    """RFC 7518, 3.2: the key of HS256 has 256 bits or more."""
    sessions = SignedSessions(secrets=Versions(**{KID: key}), clock=clock)

    with pytest.raises(UpstreamError):
        await sessions.issue(CLAIMS)


@pytest.mark.parametrize("key", ["x", "x" * 31])
async def test_a_session_under_a_signing_secret_that_could_be_guessed_is_not_believed(
    key: str, clock: FakeClock
) -> None:
    sessions = SignedSessions(secrets=Versions(**{KID: key}), clock=clock)

    with pytest.raises(UpstreamError):
        await sessions.read(session(key=key))
