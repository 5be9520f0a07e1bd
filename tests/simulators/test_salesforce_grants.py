"""The state machine of grants: no HTTP, and a clock that the test moves."""

import pytest

from local.simulators.salesforce.errors import OAuthError
from local.simulators.salesforce.grant import Ending, Issued, Owner
from local.simulators.salesforce.grants import Grants
from local.simulators.salesforce.pkce import challenge_of
from tests.simulators.serving import Clock

ALICE = Owner("00D5g00000CONTOEA5", "alice")
BOB = Owner("00D5g00000CONTOEA5", "bob")
HOST = "login.salesforce.com"
CALLBACK = "https://flowrunner.example.com/callback"
VERIFIER = "v" * 43
SCOPES = frozenset({"refresh_token", "api", "web", "lightning"})
DAY = 24 * 3600.0


@pytest.fixture
def grants(clock: Clock) -> Grants:
    return Grants(clock=clock)


def approve(grants: Grants, owner: Owner = ALICE, scopes: frozenset[str] = SCOPES) -> str:
    return grants.approve(
        owner,
        scopes=scopes,
        host=HOST,
        redirect_uri=CALLBACK,
        challenge=challenge_of(VERIFIER),
    )


def redeem(grants: Grants, code: str, **changes: str) -> Issued:
    given = {"host": HOST, "redirect_uri": CALLBACK, "verifier": VERIFIER, **changes}
    return grants.redeem_code(code, **given)


def connect(grants: Grants, owner: Owner = ALICE) -> tuple[str, str]:
    """The access token and the refresh token."""
    issued = redeem(grants, approve(grants, owner))
    assert issued.refresh_token
    return issued.access.value, issued.refresh_token


def refresh(grants: Grants, token: str, *, rotate: bool = True) -> Issued:
    return grants.finish_refresh(grants.begin_refresh(token), rotate=rotate)


def refusal_of_refresh(grants: Grants, token: str) -> str:
    with pytest.raises(OAuthError) as caught:
        grants.begin_refresh(token)
    assert caught.value.code == "invalid_grant"
    return caught.value.message


def refusal_of_code(grants: Grants, code: str, **changes: str) -> tuple[str, str]:
    with pytest.raises(OAuthError) as caught:
        redeem(grants, code, **changes)
    return caught.value.code, caught.value.message


def test_a_code_lives_for_fifteen_minutes(grants: Grants, clock: Clock) -> None:
    early, late = approve(grants), approve(grants)
    clock.advance(15 * 60 - 1)
    redeem(grants, early)
    clock.advance(1)

    assert refusal_of_code(grants, late) == ("invalid_grant", "expired authorization code")


def test_a_code_is_good_once(grants: Grants) -> None:
    code = approve(grants)
    redeem(grants, code)

    assert refusal_of_code(grants, code) == ("invalid_grant", "expired authorization code")
    assert grants.code_redemptions == 1


def test_a_code_never_issued_is_invalid(grants: Grants) -> None:
    assert refusal_of_code(grants, "aPrxNothing==") == (
        "invalid_grant",
        "invalid authorization code",
    )


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        pytest.param(
            {"verifier": "w" * 43},
            ("invalid_grant", "invalid code verifier"),
            id="another-verifier",
        ),
        pytest.param(
            {"verifier": ""}, ("invalid_grant", "missing required code verifier"), id="no-verifier"
        ),
        pytest.param(
            {"redirect_uri": CALLBACK + "/"},
            ("redirect_uri_mismatch", "redirect_uri must match configuration"),
            id="another-callback",
        ),
        pytest.param(
            {"redirect_uri": ""},
            ("redirect_uri_missing", "redirect_uri must match configuration"),
            id="no-callback",
        ),
        pytest.param(
            {"host": "contoso.my.salesforce.com"},
            ("invalid_grant", "request not supported on this domain"),
            id="another-host",
        ),
    ],
)
def test_a_failed_attempt_spends_the_code(
    grants: Grants, changes: dict[str, str], refusal: tuple[str, str]
) -> None:
    code = approve(grants)

    assert refusal_of_code(grants, code, **changes) == refusal
    assert refusal_of_code(grants, code) == ("invalid_grant", "expired authorization code")


def test_a_verifier_shorter_than_43_characters_is_refused(grants: Grants) -> None:
    short = "v" * 42
    code = grants.approve(
        ALICE, scopes=SCOPES, host=HOST, redirect_uri=CALLBACK, challenge=challenge_of(short)
    )

    assert refusal_of_code(grants, code, verifier=short)[1] == "invalid code verifier"


def test_a_verifier_of_171_characters_is_accepted(grants: Grants) -> None:
    long = "v" * 171
    code = grants.approve(
        ALICE, scopes=SCOPES, host=HOST, redirect_uri=CALLBACK, challenge=challenge_of(long)
    )

    assert redeem(grants, code, verifier=long).refresh_token


def test_without_the_scope_there_is_no_refresh_token(grants: Grants) -> None:
    issued = redeem(grants, approve(grants, scopes=frozenset({"api"})))

    assert issued.refresh_token is None
    assert grants.live_access_token(issued.access.value)


def test_each_refresh_rotates_the_refresh_token(grants: Grants) -> None:
    _, first = connect(grants)
    second = refresh(grants, first).refresh_token
    assert second
    third = refresh(grants, second).refresh_token
    assert third

    assert len({first, second, third}) == 3
    assert [entry.generation for entry in map(grants.refresh_token, (first, third)) if entry] == [
        1,
        3,
    ]
    assert grants.redemptions == 2


def test_without_rotation_the_refresh_token_stays(grants: Grants) -> None:
    _, token = connect(grants)

    assert refresh(grants, token, rotate=False).refresh_token is None
    assert refresh(grants, token, rotate=False).refresh_token is None
    assert grants.replays == 0


def test_reuse_of_a_rotated_token_revokes_the_grant_and_all_its_access_tokens(
    grants: Grants,
) -> None:
    first_access, first = connect(grants)
    second_access, second = refresh(grants, first)
    assert second

    assert refusal_of_refresh(grants, first) == "expired access/refresh token"

    assert grants.live_access_token(first_access) is None
    assert grants.live_access_token(second_access.value) is None
    assert refusal_of_refresh(grants, second) == "expired access/refresh token"
    assert (grants.replays, grants.redemptions) == (1, 1)
    assert grants.all()[0].ended is Ending.REPLAYED


def test_reuse_leaves_other_grants_alone(grants: Grants) -> None:
    _, mine = connect(grants)
    other_access, other = connect(grants)
    bobs_access, _ = connect(grants, BOB)
    refresh(grants, mine)

    refusal_of_refresh(grants, mine)

    assert grants.live_access_token(other_access)
    assert grants.live_access_token(bobs_access)
    assert refresh(grants, other).refresh_token


def test_parallel_redemption_is_refused_without_harm(grants: Grants) -> None:
    _, token = connect(grants)
    taken = grants.begin_refresh(token)

    assert refusal_of_refresh(grants, token) == "token request is already being processed"

    rotated = grants.finish_refresh(taken, rotate=True).refresh_token
    assert rotated
    assert refresh(grants, rotated).refresh_token
    assert grants.replays == 0


def test_a_grant_that_ends_during_a_refresh_yields_nothing(grants: Grants) -> None:
    _, first = connect(grants)
    second = refresh(grants, first).refresh_token
    assert second
    taken = grants.begin_refresh(second)
    refusal_of_refresh(grants, first)

    with pytest.raises(OAuthError):
        grants.finish_refresh(taken, rotate=True)
    assert grants.redemptions == 1


def test_a_refresh_token_idle_for_more_than_thirty_days_is_dead(
    grants: Grants, clock: Clock
) -> None:
    _, token = connect(grants)
    clock.advance(30 * DAY)
    rotated = refresh(grants, token).refresh_token
    assert rotated
    clock.advance(30 * DAY + 1)

    assert refusal_of_refresh(grants, rotated) == "expired access/refresh token"
    assert grants.all()[0].ended is Ending.IDLE


def test_an_access_token_lives_for_two_hours(grants: Grants, clock: Clock) -> None:
    access, token = connect(grants)
    clock.advance(2 * 3600 - 1)
    assert grants.live_access_token(access)
    clock.advance(1)

    assert grants.live_access_token(access) is None
    assert refresh(grants, token).refresh_token


def test_a_sixth_grant_ends_the_oldest_silently(grants: Grants) -> None:
    connected = [connect(grants) for _ in range(6)]

    assert refusal_of_refresh(grants, connected[0][1]) == "expired access/refresh token"
    assert grants.live_access_token(connected[0][0]) is None
    assert all(grants.live_access_token(access) for access, _ in connected[1:])
    assert [grant.ended for grant in grants.all()] == [Ending.EVICTED, *[None] * 5]
    assert grants.replays == 0


def test_the_five_grants_are_counted_for_each_user(grants: Grants) -> None:
    access, _ = connect(grants, BOB)
    for _ in range(6):
        connect(grants, ALICE)

    assert grants.live_access_token(access)


def test_an_approval_counts_even_if_its_code_is_never_redeemed(grants: Grants) -> None:
    access, _ = connect(grants)
    for _ in range(4):
        approve(grants)
    assert grants.live_access_token(access)
    approve(grants)

    assert grants.live_access_token(access) is None


def test_an_ended_grant_no_longer_counts(grants: Grants) -> None:
    kept, _ = connect(grants)
    for _ in range(4):
        _, token = connect(grants)
        assert grants.revoke(token)
    connect(grants)

    assert grants.live_access_token(kept)


def test_revoking_a_refresh_token_takes_its_access_tokens_along(grants: Grants) -> None:
    access, token = connect(grants)
    refreshed, rotated = refresh(grants, token)
    assert rotated

    assert grants.revoke(rotated)

    assert grants.live_access_token(access) is None
    assert grants.live_access_token(refreshed.value) is None
    assert grants.revoke(rotated) is False
    assert grants.revocations == 1


def test_revoking_an_access_token_leaves_the_refresh_token_alive(grants: Grants) -> None:
    access, token = connect(grants)

    assert grants.revoke(access)

    assert grants.live_access_token(access) is None
    assert refresh(grants, token).refresh_token


def test_revoking_a_rotated_out_token_changes_nothing(grants: Grants) -> None:
    _, first = connect(grants)
    access, rotated = refresh(grants, first)

    assert grants.revoke(first) is False

    assert grants.live_access_token(access.value)
    assert rotated
    assert grants.live_refresh_token(rotated)


def test_withdrawing_ends_every_grant_and_pending_code_of_one_user(grants: Grants) -> None:
    connect(grants)
    _, token = connect(grants)
    bobs_access, _ = connect(grants, BOB)
    code = approve(grants)

    assert grants.withdraw(ALICE) == 3

    assert refusal_of_refresh(grants, token) == "expired access/refresh token"
    assert refusal_of_code(grants, code)[1] == "expired authorization code"
    assert grants.live_access_token(bobs_access)


def test_expiring_access_tokens_leaves_refresh_tokens_alive(grants: Grants) -> None:
    access, token = connect(grants)
    bobs_access, _ = connect(grants, BOB)

    assert grants.expire_access_tokens(ALICE) == 1

    assert grants.live_access_token(access) is None
    assert grants.live_access_token(bobs_access)
    assert refresh(grants, token).refresh_token
