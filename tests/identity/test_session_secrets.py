"""The secret that signs sessions: which of its versions sign, and which are believed (S-04)."""

from datetime import timedelta
from typing import Final

import jwt
import pytest

from shared.errors import KeyVaultFailedError, NotAuthenticatedError
from shared.identity.sessions import SETTLED, SIGNING_SECRET, SignedSessions
from shared.secret import Secret
from tests.attacks.rotating import Deployment, of_an_invented_version
from tests.fakes.clock import NOON, FakeClock
from tests.identity.conftest import Simulate
from tests.identity.making_sessions import CLAIMS, KEY, KID, Versions, header, session


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


async def test_s04_it_counts_from_when_the_version_was_last_changed(
    sessions: SignedSessions, versions: Versions, clock: FakeClock
) -> None:
    """It may have been enabled then."""
    versions.rotate(2, updated_at=NOON)

    assert kid_of(await sessions.issue(CLAIMS)) == KID
    clock.move(minutes=15)
    assert kid_of(await sessions.issue(CLAIMS)) == "2" * 32


async def test_s04_of_two_that_changed_of_late_the_one_signs_that_is_unchanged_for_longer(
    clock: FakeClock,
) -> None:
    versions = Versions()
    versions.rotate(7, updated_at=NOON - timedelta(minutes=1))
    versions.rotate(8, updated_at=NOON - timedelta(minutes=2))

    token = await SignedSessions(secrets=versions, clock=clock).issue(CLAIMS)

    assert kid_of(token) == "8" * 32


# --- as the vault has them -----------------------------------------------------------------------


@pytest.fixture
def deployment(simulate: Simulate) -> Deployment:
    return Deployment(simulate)


@pytest.mark.parametrize("how", ["disabled", "expired"])
async def test_s04_a_retired_version_does_not_come_back_when_a_newer_one_goes(
    deployment: Deployment, how: str
) -> None:
    """The first one leaked; the second serves on; the third was a mistake, or had its time."""
    clock, worker = deployment.clock, deployment.worker()
    clock.move(minutes=40)
    second = deployment.add_version()
    clock.move(minutes=40)
    times = {"exp": deployment.in_seconds(1_800)} if how == "expired" else {}
    third = deployment.add_version(**times)
    clock.move(minutes=11)
    assert not await deployment.accepts(worker, deployment.forged())
    if how == "disabled":
        deployment.disable(third)
    clock.move(minutes=30)

    assert not await deployment.accepts(worker, deployment.forged())
    assert not await deployment.accepts(deployment.worker(), deployment.forged())
    assert kid_of(await deployment.session(worker)) == second
    assert await deployment.accepts(worker, deployment.forged(second))


async def test_s04_a_version_that_is_enabled_late_signs_when_everybody_knows_it(
    deployment: Deployment,
) -> None:
    """`behind` has just read the vault, and may not look again: somebody invents sessions."""
    clock, behind = deployment.clock, deployment.worker()
    second = deployment.add_version(enabled=False)
    clock.move(days=1)
    await deployment.session(behind)
    assert not await deployment.accepts(behind, of_an_invented_version())
    clock.move(seconds=1)
    deployment.enable(second)
    ahead = deployment.worker()

    token = await deployment.session(ahead)

    assert kid_of(token) == deployment.first.version
    assert await deployment.accepts(behind, token)
    clock.move(seconds=SETTLED.total_seconds())
    token = await deployment.session(ahead)
    assert kid_of(token) == second
    assert await deployment.accepts(behind, token)


@pytest.mark.parametrize("is_known", [False, True], ids=["cold", "too-long-ago"])
async def test_invented_sessions_do_not_flood_a_vault_that_refuses(
    deployment: Deployment, is_known: bool
) -> None:
    worker = deployment.worker()
    if is_known:
        await deployment.session(worker)
        deployment.clock.move(minutes=11)
    deployment.vault._secrets.shelf.delete(SIGNING_SECRET)
    before = deployment.listings()

    for _ in range(100):
        with pytest.raises(KeyVaultFailedError):
            await worker.read(of_an_invented_version())
    assert deployment.listings() == before + 1

    deployment.clock.move(seconds=2)
    with pytest.raises(KeyVaultFailedError):
        await deployment.session(worker)
    assert deployment.listings() == before + 2

    deployment.vault._secrets.shelf.recover(SIGNING_SECRET)
    deployment.clock.move(seconds=2)
    assert await deployment.accepts(worker, await deployment.session(worker))


async def test_a_failed_second_look_refuses_nobody_who_is_known(deployment: Deployment) -> None:
    worker = deployment.worker()
    session = await deployment.session(worker)
    deployment.vault._secrets.shelf.delete(SIGNING_SECRET)

    assert not await deployment.accepts(worker, of_an_invented_version())

    assert await deployment.accepts(worker, session)


# --- secrets that are none -----------------------------------------------------------------------

WEAK: Final = {
    "short": "x",
    "a-character-too-short": "0123456789abcdefghijklmnopqrstu",
    "one-character": "x" * 64,
    "seven-characters": "abcdefg" * 9,
    "blanks": " " * 40,
    "short-between-blanks": f"{' ' * 9}0123456789abcdefghijklmnopqrstu{chr(10) * 9}",
    "pem": "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAmadeup\n-----END PUBLIC KEY-----\n",
    "ssh": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAImade-up-and-long-enough",
    "jwk": '{"kty": "oct", "k": "bWFkZSB1cCwgYW5kIGxvbmcgZW5vdWdo"}',
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK)
async def test_a_signing_secret_that_could_be_guessed_is_not_used(
    key: str, clock: FakeClock
) -> None:
    """RFC 7518, 3.2: the key of HS256 has 256 bits or more."""
    sessions = SignedSessions(secrets=Versions(**{KID: key}), clock=clock)

    with pytest.raises(KeyVaultFailedError):
        await sessions.issue(CLAIMS)


@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK)
async def test_a_session_under_a_signing_secret_that_could_be_guessed_is_not_believed(
    key: str, clock: FakeClock
) -> None:
    sessions = SignedSessions(secrets=Versions(**{KID: key}), clock=clock)

    with pytest.raises(KeyVaultFailedError):
        await sessions.read(session(key=key))


async def test_a_signing_secret_of_just_enough_is_used(clock: FakeClock) -> None:
    for key in ("abcdefgh" * 4, f"  {'0123456789abcdef' * 2}\n"):
        sessions = SignedSessions(secrets=Versions(**{KID: key}), clock=clock)
        assert await sessions.read(await sessions.issue(CLAIMS)) == CLAIMS
