"""A session that was verified is known again by its hash: that must change no answer.

That it is known again at all shows in `make bench-proxy` alone.
"""

from datetime import timedelta
from typing import Final

import pytest

from shared.errors import NotAuthenticatedError, SessionExpiredError
from shared.identity.sessions import SignedSessions
from shared.secret import Secret
from tests.fakes.clock import NOON, FakeClock
from tests.identity.making_sessions import CLAIMS, KEY, KID, Versions, session, version

OTHER_KEY: Final = "another made-up signing secret, as long as that"


async def test_the_same_session_says_the_same_again(sessions: SignedSessions) -> None:
    for _ in range(3):
        assert await sessions.read(session()) == CLAIMS


async def test_s06_it_ends_when_it_ends(sessions: SignedSessions, clock: FakeClock) -> None:
    await sessions.read(session())
    clock.move(minutes=15)

    with pytest.raises(SessionExpiredError):
        await sessions.read(session())


async def test_s06_it_does_not_begin_in_the_future_of_a_clock_that_was_put_back(
    sessions: SignedSessions, clock: FakeClock
) -> None:
    await sessions.read(session())
    clock.move(minutes=-6)

    with pytest.raises(NotAuthenticatedError):
        await sessions.read(session())


async def test_s03_it_is_refused_once_its_secret_is_disabled(
    sessions: SignedSessions, versions: Versions
) -> None:
    await sessions.read(session())
    versions.versions[:] = [version("2" * 32, OTHER_KEY)]

    with pytest.raises(NotAuthenticatedError):
        await sessions.read(session())


async def test_s03_it_is_refused_once_its_secret_has_ended(
    sessions: SignedSessions, versions: Versions, clock: FakeClock
) -> None:
    await sessions.read(session())
    versions.versions[:] = [version(KID, KEY, expires_at=NOON + timedelta(minutes=1))]
    clock.move(minutes=1)

    with pytest.raises(NotAuthenticatedError):
        await sessions.read(session())


async def test_s03_it_is_refused_under_another_secret_of_the_same_name(
    sessions: SignedSessions, versions: Versions
) -> None:
    await sessions.read(session())
    versions.versions[:] = [version(KID, OTHER_KEY)]

    with pytest.raises(NotAuthenticatedError):
        await sessions.read(session())


@pytest.mark.parametrize("position", [0, 30, -60, -1])
async def test_s03_an_altered_one_is_not_taken_for_it(
    sessions: SignedSessions, position: int
) -> None:
    text = session().reveal()
    await sessions.read(Secret(text))
    other = "B" if text[position] == "A" else "A"
    end = position + 1 or len(text)

    with pytest.raises(NotAuthenticatedError):
        await sessions.read(Secret(text[:position] + other + text[end:]))


async def test_one_that_was_refused_is_not_remembered_as_good(sessions: SignedSessions) -> None:
    forged = Secret(session().reveal()[:-1])

    for _ in range(2):
        with pytest.raises(NotAuthenticatedError):
            await sessions.read(forged)


@pytest.mark.parametrize("text", ["\ud800", "ä.ö.ü", "a.b.c" * 10_000])
async def test_what_is_no_token_at_all_is_refused(sessions: SignedSessions, text: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        await sessions.read(Secret(text))
