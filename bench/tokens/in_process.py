"""The real policies and the real session reader, with key sets from memory, at noon."""

from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any, Final
from uuid import UUID

from bench.tokens.cases import Case, Target
from bench.tokens.keys import providers_key
from bench.tokens.report import ACCEPTED, Answer
from bench.tokens.specimen import Specimen
from bench.tokens.violations import (
    Violation,
    google_violations,
    microsoft_violations,
    session_violations,
)
from shared.errors import FlowRunnerError
from shared.identity.key_sets import SigningKey
from shared.identity.sessions import LIFETIME, SignedSessions
from shared.model import Caller, SessionClaims, TenantId, UserId
from shared.secret import Secret
from tests.fakes.clock import FakeClock
from tests.fakes.keys import MemorySecrets
from tests.identity import test_google, test_microsoft, tokens
from tests.identity.tokens import (
    ANY_TENANT_ISSUER,
    KID,
    NOW,
    KnownKeys,
    changed,
    google_claims,
    header,
    hmac_signed,
    microsoft_claims,
    signed,
)

type Verify = Callable[[Secret], Awaitable[object]]

_CLAIMS: Final = SessionClaims(
    caller=Caller(
        tenant=TenantId.parse(f"ms-{tokens.TENANT}"),
        user=UserId.parse("u-" + "a" * 26),
        provider="microsoft",
        is_admin=False,
        signed_in_at=tokens.NOON,
    ),
    tenant_epoch=3,
    user_epoch=7,
    expires_at=tokens.NOON + LIFETIME,
)
_USERS: Final = 20


def verifiers() -> dict[str, Verify]:
    """By the target's name."""
    clock = FakeClock()
    sessions = SignedSessions(secrets=MemorySecrets(clock), clock=clock)
    return {
        "microsoft": test_microsoft.policy(published(ANY_TENANT_ISSUER)).verify,
        "google": test_google.policy(published(None)).verify,
        "session": sessions.read,
    }


async def targets() -> list[Target]:
    """Each with tokens of several users, so that there is something to swap."""
    public = providers_key().public_key()
    microsoft = [microsoft_claims(oid=str(UUID(int=number))) for number in range(_USERS)]
    google = [google_claims(sub=str(10**20 + number)) for number in range(_USERS)]
    issue, secret = await _sessions()
    return [
        Target(
            name="microsoft",
            specimens=[Specimen.parse(_signed(header(), claims), public) for claims in microsoft],
            violations=microsoft_violations,
            sign=lambda specimen, violation: _signed(*_broken(specimen, violation)),
            now=lambda: NOW,
        ),
        Target(
            name="google",
            specimens=[Specimen.parse(_signed(header(), claims), public) for claims in google],
            violations=google_violations,
            sign=lambda specimen, violation: _signed(*_broken(specimen, violation)),
            now=lambda: NOW,
        ),
        Target(
            name="session",
            specimens=[Specimen.parse(issue(number), None) for number in range(_USERS)],
            violations=session_violations,
            sign=lambda specimen, violation: hmac_signed(*_broken(specimen, violation), secret),
            now=lambda: NOW,
        ),
    ]


async def _sessions() -> tuple[Callable[[int], str], bytes]:
    """What makes the session of a number, and the secret; as the service does, but the same in
    every run: what is different in each session (`jti`) is told by the number."""
    clock = FakeClock()
    secrets = MemorySecrets(clock)
    (version,) = await secrets.newest_two("")
    secret = version.secret.reveal().encode()
    session = await SignedSessions(secrets=secrets, clock=clock).issue(_CLAIMS)
    own = Specimen.parse(session.reveal(), None)

    def issue(number: int) -> str:
        return hmac_signed(own.header, {**own.claims, "jti": f"session-{number}"}, secret)

    return issue, secret


def answering(verify: Mapping[str, Verify]) -> Answer:
    """What came of it, as the boundary would tell it; an exception of another kind by its type."""

    async def code(case: Case) -> str:
        try:
            await verify[case.target](Secret(case.text))
        except FlowRunnerError as exc:
            return exc.code
        except Exception as exc:  # noqa: BLE001 - finding these is the purpose
            return f"crashed ({type(exc).__name__})"
        return ACCEPTED

    async def answer(case: Case) -> tuple[str, float]:
        began = perf_counter()
        told = await code(case)
        return told, perf_counter() - began

    return answer


def _broken(specimen: Specimen, violation: Violation) -> tuple[dict[str, Any], dict[str, Any]]:
    return (
        changed(specimen.header, violation.header),
        changed(specimen.claims, violation.claims),
    )


def _signed(head: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    return signed(head, claims, providers_key())


def published(issuer: str | None) -> KnownKeys:
    """The key set that the good tokens verify with."""
    return KnownKeys(**{KID: SigningKey(key=providers_key().public_key(), issuer=issuer)})
