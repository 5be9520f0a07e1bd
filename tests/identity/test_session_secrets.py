"""The secret that signs sessions: which of its versions sign, and which are believed (S-04)."""

from datetime import timedelta

import jwt
import pytest

from shared.errors import KeyVaultFailedError, NotAuthenticatedError, UpstreamError
from shared.identity.sessions import SignedSessions
from shared.secret import Secret
from tests.fakes.clock import NOON, FakeClock
from tests.identity.making_sessions import CLAIMS, KEY, KID, Versions, header, session


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def versions() -> Versions:
    return Versions(**{KID: KEY})


@pytest.fixture
def sessions(versions: Versions, clock: FakeClock) -> SignedSessions:
    return SignedSessions(secrets=versions, clock=clock)


def kid_of(token: Secret) -> str:
    return str(jwt.get_unverified_header(token.reveal())["kid"])


@pytest.mark.parametrize(
    ("age", "signs"),
    [
        pytest.param(timedelta(), "1", id="new"),
        pytest.param(timedelta(minutes=14, seconds=59), "1", id="not-settled"),
        pytest.param(timedelta(minutes=15), "2", id="settled"),
    ],
)
async def test_s04_a_new_version_signs_when_everybody_knows_it(
    sessions: SignedSessions, versions: Versions, age: timedelta, signs: str
) -> None:
    """Another instance may have read the versions ten minutes ago, by a clock of its own."""
    versions.rotate(2, created_at=NOON - age)

    assert kid_of(await sessions.issue(CLAIMS)) == signs * 32


async def test_s04_it_counts_from_when_the_version_became_valid(
    sessions: SignedSessions, versions: Versions, clock: FakeClock
) -> None:
    versions.rotate(2, not_before=NOON)

    assert kid_of(await sessions.issue(CLAIMS)) == KID
    clock.move(minutes=15)
    assert kid_of(await sessions.issue(CLAIMS)) == "2" * 32


async def test_s04_the_first_version_of_all_signs_at_once(clock: FakeClock) -> None:
    versions = Versions()
    versions.rotate(7, created_at=NOON + timedelta(minutes=4))  # by the vault's own clock
    sessions = SignedSessions(secrets=versions, clock=clock)

    assert await sessions.read(await sessions.issue(CLAIMS)) == CLAIMS


async def test_s04_of_two_that_are_new_the_older_one_signs(clock: FakeClock) -> None:
    """More of the others know it."""
    versions = Versions()
    versions.rotate(7, created_at=NOON - timedelta(minutes=2))
    versions.rotate(8, created_at=NOON - timedelta(minutes=1))

    token = await SignedSessions(secrets=versions, clock=clock).issue(CLAIMS)

    assert kid_of(token) == "7" * 32


# --- versions that are over, or have not begun ---------------------------------------------------


async def test_a_version_is_not_used_before_it_is_valid(
    sessions: SignedSessions, versions: Versions, clock: FakeClock
) -> None:
    versions.rotate(2, not_before=NOON + timedelta(seconds=1))
    early = session(header(kid="2" * 32), key=versions.versions[0].secret.reveal())

    with pytest.raises(NotAuthenticatedError):
        await sessions.read(early)
    clock.move(seconds=1)
    await sessions.read(early)


async def test_a_version_is_not_used_from_its_end_on(clock: FakeClock) -> None:
    versions = Versions(**{KID: KEY})
    versions.rotate(2, expires_at=NOON + timedelta(seconds=5))
    sessions = SignedSessions(secrets=versions, clock=clock)
    token = await sessions.issue(CLAIMS)
    assert kid_of(token) == "2" * 32

    clock.move(seconds=4)
    await sessions.read(token)
    clock.move(seconds=1)
    with pytest.raises(NotAuthenticatedError):
        await sessions.read(token)
    assert kid_of(await sessions.issue(CLAIMS)) == KID


async def test_without_any_version_that_is_valid_nobody_gets_a_session(clock: FakeClock) -> None:
    versions = Versions()
    versions.rotate(2, expires_at=NOON)
    sessions = SignedSessions(secrets=versions, clock=clock)

    with pytest.raises(KeyVaultFailedError):
        await sessions.issue(CLAIMS)


# --- S-04, with what is accepted -----------------------------------------------------------------


async def test_s04_the_previous_version_is_still_accepted(
    sessions: SignedSessions, versions: Versions
) -> None:
    token = await sessions.issue(CLAIMS)
    versions.rotate(2)

    assert await sessions.read(token) == CLAIMS


async def test_s04_the_one_before_is_not(sessions: SignedSessions, versions: Versions) -> None:
    """Though it had signed a moment ago: rotations are to be half an hour apart."""
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
