"""Altered tokens by the thousand: a small run of `make fuzz-tokens`, and proof that it can fail.

Every mutation and every broken rule of `bench/tokens` takes part, with a fixed seed.
"""

from collections.abc import Mapping

import jwt
import pytest

from bench.fuzz_tokens import in_process, over_http, rows_of
from bench.tokens.cases import MUTATIONS, Case, cases
from bench.tokens.in_process import Verify, answering, published, targets, verifiers
from bench.tokens.keys import providers_key
from bench.tokens.report import Report, tried
from local import scene
from local.addin import AddIn
from local.stack_info import StackInfo
from shared.errors import IdentityProviderFailedError, NotAuthenticatedError
from shared.identity.unverified_token import read
from shared.secret import Secret
from tests.identity import test_microsoft
from tests.identity.tokens import ANY_TENANT_ISSUER, NOON

SEED = 20_260_115


def told(report: Report) -> str:
    return "\n" + "\n".join(report.lines())


async def test_of_10_000_altered_tokens_none_is_accepted() -> None:
    report = await in_process(SEED, 10_000)

    print(told(report))  # noqa: T201 - for who asks with -s
    assert report.is_right, told(report)
    assert report.accepted == 0
    assert report.answers.total() == 10_000
    assert report.by_kind.keys() >= MUTATIONS.keys()


@pytest.mark.stack
def test_of_300_over_http_none_is_accepted_and_nothing_is_stored(stack: StackInfo) -> None:
    report, is_clean = over_http(stack, SEED, 300)

    print(told(report))  # noqa: T201 - for who asks with -s
    assert report.is_right, told(report)
    assert report.answers.total() == 300
    assert is_clean


@pytest.mark.stack
def test_the_comparison_of_rows_would_notice_a_sign_in(stack: StackInfo) -> None:
    before = rows_of(stack)
    with AddIn(stack) as pane:
        pane.sign_in_with_microsoft(scene.ENTRA_TENANT, "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d")

    assert rows_of(stack) != before


async def test_the_good_tokens_are_accepted_so_that_it_is_the_alteration_that_is_refused() -> None:
    verify = verifiers()
    for target in await targets():
        for specimen in target.specimens:
            await verify[target.name](Secret(specimen.text))


async def test_a_seed_makes_the_same_tokens_every_time() -> None:
    one, again = [list(cases(SEED, 500, await targets())) for _ in range(2)]
    other = list(cases(SEED + 1, 500, await targets()))

    assert one == again
    assert one != other


# --- the detector can fail -----------------------------------------------------------------------


async def found_in(verify: Verify) -> Report:
    """What is reported of a verifier of Microsoft's tokens."""
    broken: Mapping[str, Verify] = {**verifiers(), "microsoft": verify}
    return await tried(cases(SEED, 3_000, await targets()), answering(broken))


def wrong_kinds(report: Report, answer: str) -> set[str]:
    return {case.kind for case, told_ in report.wrong if told_ == answer}


async def test_a_verifier_that_forgets_the_signature_is_found_out() -> None:
    async def verify(token: Secret) -> object:
        keys = published(ANY_TENANT_ISSUER)
        unverified = read(token.reveal(), algorithm="RS256", types=("JWT", None))
        key = await keys.key("", unverified.unverified_kid)
        return test_microsoft.policy(keys)._identity(unverified.unverified_claims, key, NOON)

    report = await found_in(verify)

    assert not report.is_right
    assert wrong_kinds(report, "accepted") >= {"a stranger's signature", "parts swapped"}


async def test_a_verifier_that_tidies_up_first_is_found_out() -> None:
    policy = test_microsoft.policy(published(ANY_TENANT_ISSUER))

    async def verify(token: Secret) -> object:
        return await policy.verify(Secret(token.reveal().strip().rstrip("=") or "x"))

    report = await found_in(verify)

    assert {"white space", "concatenated"} <= wrong_kinds(report, "accepted")


async def test_a_verifier_that_leaves_the_rules_to_the_library_is_found_out() -> None:
    """As PyJWT does by itself: lists of audiences, times as texts, and no rule of Microsoft's."""

    async def verify(token: Secret) -> object:
        try:
            return jwt.decode(
                token.reveal(),
                providers_key().public_key(),
                algorithms=["RS256"],
                audience=scene.ENTRA_API_CLIENT_ID,
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except jwt.PyJWTError:
            raise NotAuthenticatedError from None

    report = await found_in(verify)

    kinds = wrong_kinds(report, "accepted")
    assert {"re-signed: Microsoft's rules", "re-signed: time", "re-signed: tid"} <= kinds
    assert {"re-signed: a guest", "re-signed: a personal account", "re-signed: header"} <= kinds


async def test_a_verifier_that_crashes_or_answers_otherwise_is_found_out() -> None:
    async def crashing(token: Secret) -> object:
        return len(token.reveal().encode("ascii")) // 0

    async def failing(_: Secret) -> object:
        raise IdentityProviderFailedError

    crashed, failed = await found_in(crashing), await found_in(failing)

    assert wrong_kinds(crashed, "crashed (ZeroDivisionError)")
    assert wrong_kinds(crashed, "crashed (UnicodeEncodeError)") >= {"look-alikes"}
    assert wrong_kinds(failed, "identity_provider_failed") >= MUTATIONS.keys()
    assert not crashed.is_right
    assert not failed.is_right


async def test_a_run_of_nothing_is_no_success() -> None:
    nothing: list[Case] = []

    assert not (await tried(nothing, answering(verifiers()))).is_right
