"""The policy for Google ID tokens: one named test for each rule (T-20)."""

from datetime import timedelta
from typing import Any

import pytest

from local import scene
from shared.errors import NotAuthenticatedError, PersonalAccountError
from shared.identity.google import KEYS, GooglePolicy
from shared.identity.verifier import PolicyVerifier
from shared.model import Identity
from shared.secret import Secret
from tests.identity import test_microsoft, tokens
from tests.identity.tokens import (
    NOON,
    NOW,
    KnownKeys,
    google_claims,
    header,
    microsoft_claims,
    private_key,
    published_key,
    signed,
)

SUBJECT = "107691503500061507151"
OTHER_CLIENT = "999-other.apps.googleusercontent.com"


@pytest.fixture
def keys() -> KnownKeys:
    return KnownKeys(**{tokens.KID: published_key(None)})


def policy(
    keys: KnownKeys, *, admins: frozenset[str] = frozenset(), seconds: float = 0
) -> GooglePolicy:
    return GooglePolicy(
        keys,
        clients=frozenset({scene.GOOGLE_CLIENT_ID, "second.apps.googleusercontent.com"}),
        admins=admins,
        clock=lambda: NOON + timedelta(seconds=seconds),
    )


async def verified(keys: KnownKeys, claims: dict[str, Any]) -> Identity:
    return await policy(keys).verify(Secret(signed(header(), claims)))


async def is_accepted(keys: KnownKeys, claims: dict[str, Any]) -> bool:
    """Refused by NotAuthenticatedError; any other exception fails the test."""
    try:
        await verified(keys, claims)
    except NotAuthenticatedError:
        return False
    return True


async def test_a_good_token_says_who_it_is_by_hd_and_sub(keys: KnownKeys) -> None:
    identity = await verified(keys, google_claims())

    assert identity == Identity(
        provider="google", directory=scene.GOOGLE_DOMAIN, subject=SUBJECT, is_admin=False
    )
    assert scene.GOOGLE_DOMAIN not in identity.tenant
    assert keys.asked == [(KEYS, tokens.KID)]
    assert KEYS == "https://www.googleapis.com/oauth2/v3/certs"


async def test_names_and_addresses_are_neither_read_nor_kept(keys: KnownKeys) -> None:
    other = google_claims(email="ceo@fabrikam.example.com", name="Somebody Else")

    assert await verified(keys, other) == await verified(keys, google_claims())


@pytest.mark.parametrize(
    ("issuer", "accepted"),
    [
        pytest.param("https://accounts.google.com", True, id="with-https"),
        pytest.param("accounts.google.com", True, id="without"),
        pytest.param("http://accounts.google.com", False, id="http"),
        pytest.param("https://accounts.google.com/", False, id="a-trailing-slash"),
        pytest.param("https://accounts.google.com.evil.test", False, id="a-prefix"),
        pytest.param("https://evil.test/accounts.google.com", False, id="a-suffix"),
        pytest.param("ACCOUNTS.GOOGLE.COM", False, id="upper-case"),
        pytest.param(["accounts.google.com"], False, id="a-list"),
        pytest.param("", False, id="empty"),
        pytest.param(None, False, id="null"),
        pytest.param(..., False, id="missing"),
    ],
)
async def test_t20_the_issuer_is_google(keys: KnownKeys, issuer: object, accepted: bool) -> None:
    assert await is_accepted(keys, google_claims(iss=issuer)) is accepted


@pytest.mark.parametrize(
    "audience", [OTHER_CLIENT, [scene.GOOGLE_CLIENT_ID], [scene.GOOGLE_CLIENT_ID, OTHER_CLIENT],
                 scene.GOOGLE_CLIENT_ID.upper(), "", None, ...],
)  # fmt: skip
async def test_t20_the_audience_is_a_client_of_ours(keys: KnownKeys, audience: object) -> None:
    assert not await is_accepted(keys, google_claims(aud=audience))


@pytest.mark.parametrize(
    ("client", "accepted"),
    [
        pytest.param("second.apps.googleusercontent.com", True, id="another-of-ours"),
        pytest.param(..., True, id="missing"),
        pytest.param(OTHER_CLIENT, False, id="a-strangers"),
        pytest.param("", False, id="empty"),
        pytest.param(None, False, id="null"),
        pytest.param([scene.GOOGLE_CLIENT_ID], False, id="a-list"),
    ],
)
async def test_t20_the_client_it_was_issued_to_is_ours(
    keys: KnownKeys, client: object, accepted: bool
) -> None:
    assert await is_accepted(keys, google_claims(azp=client)) is accepted


@pytest.mark.parametrize("word", [False, "true", "True", 1, None, ..., [True]])
async def test_t20_the_address_is_verified_by_truth_itself(keys: KnownKeys, word: object) -> None:
    assert not await is_accepted(keys, google_claims(email_verified=word))


@pytest.mark.parametrize(
    "subject",
    ["", None, ..., 1, "robin@fabrikam.example.com", "12a", "-1", "1" * 256, "١٢٣", ["1"]],
)
async def test_t20_a_subject_is_a_text_of_digits(keys: KnownKeys, subject: object) -> None:
    assert not await is_accepted(keys, google_claims(sub=subject))


async def test_t20_an_account_outside_any_workspace_is_told_so(keys: KnownKeys) -> None:
    with pytest.raises(PersonalAccountError):
        await verified(keys, google_claims(hd=..., email="robin@example.com"))


async def test_t20_but_only_once_the_rest_of_the_token_is_good(keys: KnownKeys) -> None:
    assert not await is_accepted(keys, google_claims(hd=..., aud=OTHER_CLIENT))


@pytest.mark.parametrize(
    "domain",
    ["", None, 1, ["fabrikam.example.com"], "fabrikam", "Fabrikam.example.com", "a b.example.com",
     "fabrikam.example.com\n", "fabrikam.example.com:1", ".example.com", "a@b.example.com", "a/b.c",
     "fàbrikam.example.com"],
)  # fmt: skip
async def test_t20_a_domain_is_a_domain(keys: KnownKeys, domain: object) -> None:
    assert not await is_accepted(keys, google_claims(hd=domain))


async def test_t20_the_same_subject_in_another_domain_is_another_tenant(keys: KnownKeys) -> None:
    one = await verified(keys, google_claims())
    other = await verified(keys, google_claims(hd="contoso.example.com"))

    assert one.tenant != other.tenant


@pytest.mark.parametrize(
    ("admins", "is_admin"),
    [
        pytest.param({f"{scene.GOOGLE_DOMAIN}:{SUBJECT}"}, True, id="named"),
        pytest.param({f"contoso.example.com:{SUBJECT}"}, False, id="named-in-another-domain"),
        pytest.param({f"{scene.GOOGLE_DOMAIN}:1"}, False, id="somebody-else-named"),
        pytest.param(set(), False, id="nobody-named"),
    ],
)
async def test_an_administrator_is_who_the_operator_named(
    keys: KnownKeys, admins: set[str], is_admin: bool
) -> None:
    claims = google_claims(roles=["FlowRunner.Admin"])
    chosen = policy(keys, admins=frozenset(admins))

    assert (await chosen.verify(Secret(signed(header(), claims)))).is_admin is is_admin


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        pytest.param({"exp": NOW - 299}, True, id="expired-within-the-skew"),
        pytest.param({"exp": NOW - 300}, False, id="expired"),
        pytest.param({"exp": ...}, False, id="no-exp"),
        pytest.param({"exp": str(NOW + 60)}, False, id="exp-as-text"),
        pytest.param({"iat": NOW + 300}, True, id="issued-within-the-skew"),
        pytest.param({"iat": NOW + 301}, False, id="issued-later"),
        pytest.param({"iat": ...}, False, id="no-iat"),
        pytest.param({"nbf": NOW + 301}, False, id="begins-later"),
        pytest.param({"exp": NOW + 28 * 3_600 + 1}, False, id="lives-too-long"),
    ],
)
async def test_t10_the_table_of_times(
    keys: KnownKeys, claims: dict[str, Any], accepted: bool
) -> None:
    assert await is_accepted(keys, google_claims(**claims)) is accepted


async def test_t03_a_strangers_signature_is_refused(keys: KnownKeys) -> None:
    with pytest.raises(NotAuthenticatedError):
        await policy(keys).verify(
            Secret(signed(header(), google_claims(), private_key("stranger")))
        )


@pytest.mark.parametrize("kind", ["at+jwt", "flowrunner-session+jwt", "logout+jwt"])
async def test_t08_other_types_are_refused(keys: KnownKeys, kind: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        await policy(keys).verify(Secret(signed(header(typ=kind), google_claims())))


@pytest.mark.parametrize("text", ["ya29.a0AfB_byC", "ya29.a.b", "1//0refresh"])
async def test_t16_an_access_token_is_refused(keys: KnownKeys, text: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        await policy(keys).verify(Secret(text))


async def test_each_provider_accepts_its_own_tokens_only(keys: KnownKeys) -> None:
    """Even if both were signed by one key: the caller says which provider, the token must agree."""
    both = KnownKeys(**{tokens.KID: published_key()})
    verifier = PolicyVerifier(microsoft=test_microsoft.policy(both), google=policy(both))
    microsoft = Secret(signed(header(), microsoft_claims()))
    google = Secret(signed(header(), google_claims()))

    assert (await verifier.verify("microsoft", microsoft)).provider == "microsoft"
    assert (await verifier.verify("google", google)).provider == "google"
    with pytest.raises(NotAuthenticatedError):
        await verifier.verify("google", microsoft)
    with pytest.raises(NotAuthenticatedError):
        await verifier.verify("microsoft", google)


def test_t22_an_object_id_and_a_subject_of_the_same_letters_are_two_people() -> None:
    same = "123456"
    google = Identity(provider="google", directory="a.example.com", subject=same, is_admin=False)
    microsoft = Identity(
        provider="microsoft", directory=tokens.TENANT, subject=same, is_admin=False
    )

    assert google.tenant != microsoft.tenant
    assert google != microsoft
