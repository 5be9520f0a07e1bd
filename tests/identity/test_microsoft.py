"""The policy for Microsoft access tokens: one named test for each rule."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from local import scene
from shared.errors import GuestNotAllowedError, NotAuthenticatedError, PersonalAccountError
from shared.identity.microsoft import KEYS, OFFICE_CLIENTS, MicrosoftPolicy
from shared.model import Identity
from shared.network import Network
from shared.outside import Azure
from shared.secret import Secret
from tests.identity import tokens
from tests.identity.entra_upstream import user_token
from tests.identity.tokens import (
    NOON,
    NOW,
    OTHER_TENANT,
    TENANT,
    USER,
    KnownKeys,
    header,
    microsoft_claims,
    microsoft_v1_claims,
    private_key,
    published_key,
    signed,
)
from tests.settings import settings
from tests.simulators.serving import Served

OTHER_APP = "0f1e2d3c-4b5a-4697-8897-a6b5c4d3e2f1"
V2_ISSUER = f"https://login.microsoftonline.com/{TENANT}/v2.0"
HOURS = 3_600


@pytest.fixture
def keys() -> KnownKeys:
    return KnownKeys(**{tokens.KID: published_key()})


def policy(
    keys: KnownKeys, *, accept_v1: bool = False, admit_guests: bool = False, seconds: float = 0
) -> MicrosoftPolicy:
    return MicrosoftPolicy(
        keys,
        audience=scene.ENTRA_API_CLIENT_ID,
        addin_clients=frozenset({scene.ENTRA_ADDIN_CLIENT_ID}),
        accept_v1=accept_v1,
        admit_guests=admit_guests,
        clock=lambda: NOON + timedelta(seconds=seconds),
    )


async def verified(
    keys: KnownKeys,
    claims: dict[str, Any],
    *,
    accept_v1: bool = False,
    admit_guests: bool = False,
    seconds: float = 0,
) -> Identity:
    chosen = policy(keys, accept_v1=accept_v1, admit_guests=admit_guests, seconds=seconds)
    return await chosen.verify(Secret(signed(header(), claims)))


async def is_accepted(
    keys: KnownKeys, claims: dict[str, Any], *, accept_v1: bool = False, seconds: float = 0
) -> bool:
    """Refused by NotAuthenticatedError; any other exception fails the test."""
    try:
        await verified(keys, claims, accept_v1=accept_v1, seconds=seconds)
    except NotAuthenticatedError:
        return False
    return True


async def test_a_good_token_says_who_it_is_by_tid_and_oid(keys: KnownKeys) -> None:
    identity = await verified(keys, microsoft_claims())

    assert identity == Identity(
        provider="microsoft", directory=TENANT, subject=USER, is_admin=False
    )
    assert identity.tenant == f"ms-{TENANT}"


async def test_names_and_addresses_are_neither_read_nor_kept(keys: KnownKeys) -> None:
    """T-18, ASVS 6.8.1: a guest is known by the object id in the tenant visited."""
    guest = {
        "preferred_username": "robin_contoso.example.com#EXT#@fabrikam.example.com",
        "email": "ceo@contoso.example.com",
        "upn": "ceo@contoso.example.com",
        "idp": f"https://sts.windows.net/{OTHER_TENANT}/",
        "acct": 1,
    }

    assert await verified(keys, microsoft_claims(**guest), admit_guests=True) == await verified(
        keys, microsoft_claims()
    )


async def test_the_keys_come_from_one_fixed_address_for_all_tenants(keys: KnownKeys) -> None:
    await verified(keys, microsoft_claims())

    assert keys.asked == [(KEYS, tokens.KID)]
    assert KEYS == "https://login.microsoftonline.com/common/discovery/v2.0/keys"


# --- T-01 to T-03, T-06: algorithm and key -------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "", "HS256", "RS384", "PS256"])
async def test_t01_no_key_is_looked_up_for_another_algorithm(
    keys: KnownKeys, algorithm: str
) -> None:
    text = signed(header(alg=algorithm), microsoft_claims())
    with pytest.raises(NotAuthenticatedError):
        await policy(keys).verify(Secret(text))

    assert keys.asked == []


def _spellings_of_the_public_key() -> list[Any]:
    public = private_key().public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    jwk = tokens.part(tokens.jwk()).encode()
    return [
        pytest.param(pem, id="pem"),
        pytest.param(der, id="der"),
        pytest.param(jwk, id="jwk"),
        pytest.param(b'{"keys":[' + jwk + b"]}", id="jwks"),
        pytest.param(b"\xef\xbb\xbf" + pem, id="pem-with-a-byte-order-mark"),
    ]


@pytest.mark.parametrize("shared_secret", _spellings_of_the_public_key())
async def test_t02_a_public_key_is_no_shared_secret(keys: KnownKeys, shared_secret: bytes) -> None:
    text = tokens.hmac_signed(header(alg="HS256"), microsoft_claims(), shared_secret)
    with pytest.raises(NotAuthenticatedError):
        await policy(keys).verify(Secret(text))

    lie = tokens.hmac_signed(header(alg="RS256"), microsoft_claims(), shared_secret)
    with pytest.raises(NotAuthenticatedError):
        await policy(keys).verify(Secret(lie))


async def test_t03_the_right_key_id_does_not_vouch_for_a_wrong_key(keys: KnownKeys) -> None:
    text = signed(header(), microsoft_claims(), private_key("stranger"))
    with pytest.raises(NotAuthenticatedError):
        await policy(keys).verify(Secret(text))


async def test_t03_a_signature_holds_for_its_own_claims_only(keys: KnownKeys) -> None:
    head, _, signature = signed(header(), microsoft_claims()).split(".")
    for claims in (
        microsoft_claims(oid=OTHER_TENANT),
        microsoft_claims(roles=["FlowRunner.Admin"]),
    ):
        with pytest.raises(NotAuthenticatedError):
            await policy(keys).verify(Secret(f"{head}.{tokens.part(claims)}.{signature}"))


async def test_t06_a_key_that_the_token_brings_along_is_not_used(keys: KnownKeys) -> None:
    stranger = private_key("stranger")
    own = {
        "jwk": tokens.jwk(key=stranger),
        "jku": "https://127.0.0.1/keys",
        "x5u": "https://127.0.0.1/certificate",
    }
    with pytest.raises(NotAuthenticatedError):
        await policy(keys).verify(Secret(signed(header(**own), microsoft_claims(), stranger)))

    assert keys.asked == [(KEYS, tokens.KID)]


async def test_an_unknown_key_id_is_refused(keys: KnownKeys) -> None:
    with pytest.raises(NotAuthenticatedError):
        await policy(keys).verify(Secret(signed(header(kid="key-2"), microsoft_claims())))


# --- T-04, T-05: issuer and tenant ---------------------------------------------------------------


@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param(f"https://login.microsoftonline.com.evil.test/{TENANT}/v2.0", id="a-prefix"),
        pytest.param(f"https://evil.test/{V2_ISSUER}", id="a-suffix"),
        pytest.param(f"https://evil.test@login.microsoftonline.com/{TENANT}/v2.0", id="at"),
        pytest.param(f"{V2_ISSUER}/", id="a-trailing-slash"),
        pytest.param(V2_ISSUER.replace("https", "http"), id="http"),
        pytest.param(V2_ISSUER.upper(), id="upper-case"),
        pytest.param(V2_ISSUER.replace(TENANT, TENANT.upper()), id="an-upper-case-tenant"),
        pytest.param(f" {V2_ISSUER}", id="a-space"),
        pytest.param(f"{V2_ISSUER}\n", id="a-line-break"),
        pytest.param(V2_ISSUER.replace(TENANT, "common"), id="common"),
        pytest.param(V2_ISSUER.replace(TENANT, "{tenantid}"), id="the-template"),
        pytest.param(f"https://sts.windows.net/{TENANT}/", id="of-version-1"),
        pytest.param(f"https://login.microsoftonline.us/{TENANT}/v2.0", id="another-cloud"),
        pytest.param("accounts.google.com", id="google"),
        pytest.param([V2_ISSUER], id="a-list"),
        pytest.param({"iss": V2_ISSUER}, id="an-object"),
        pytest.param("", id="empty"),
        pytest.param(None, id="null"),
        pytest.param(..., id="missing"),
        pytest.param(True, id="a-truth"),
    ],
)
async def test_t04_the_issuer_is_the_tenants_own_to_the_letter(
    keys: KnownKeys, issuer: object
) -> None:
    assert not await is_accepted(keys, microsoft_claims(iss=issuer))


async def test_t05_issuer_and_tid_name_the_same_tenant(keys: KnownKeys) -> None:
    assert not await is_accepted(keys, microsoft_claims(tid=OTHER_TENANT))
    assert await is_accepted(
        keys, microsoft_claims(tid=OTHER_TENANT, iss=V2_ISSUER.replace(TENANT, OTHER_TENANT))
    )


@pytest.mark.parametrize(
    "tid",
    ["common", "organizations", "consumers", "contoso.example.com", TENANT.upper(), f"{TENANT}\n",
     f"{{{TENANT}}}", TENANT.replace("-", ""), "../x", "", None, ..., 1, [TENANT]],
)  # fmt: skip
async def test_t05_a_tenant_id_is_a_guid(keys: KnownKeys, tid: object) -> None:
    issuer = f"https://login.microsoftonline.com/{tid}/v2.0"

    assert not await is_accepted(keys, microsoft_claims(tid=tid, iss=issuer))


@pytest.mark.parametrize(
    "oid", ["", None, ..., 1, "robin@contoso.example.com", USER.upper(), [USER]]
)
async def test_an_object_id_is_a_guid(keys: KnownKeys, oid: object) -> None:
    assert not await is_accepted(keys, microsoft_claims(oid=oid))


@pytest.mark.parametrize(
    ("issuer", "accepted"),
    [
        pytest.param("https://login.microsoftonline.com/{tenantid}/v2.0", True, id="any-tenant"),
        pytest.param(V2_ISSUER, True, id="this-tenant"),
        pytest.param(V2_ISSUER.replace(TENANT, OTHER_TENANT), False, id="another-tenant"),
        pytest.param(
            "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
            False,
            id="personal-accounts",
        ),
        pytest.param("https://login.microsoftonline.us/{tenantid}/v2.0", False, id="other-cloud"),
        pytest.param("{tenantid}", False, id="nothing-but-the-template"),
        pytest.param(None, False, id="none"),
    ],
)
async def test_t05_a_key_signs_for_its_own_issuer_only(issuer: str | None, accepted: bool) -> None:
    keys = KnownKeys(**{tokens.KID: published_key(issuer)})

    assert await is_accepted(keys, microsoft_claims()) is accepted


@pytest.mark.parametrize(
    "version", ["1.0", "2", "2.1", "3.0", "", 2, 2.0, None, ..., ["2.0"], {"2.0": 1}]
)
async def test_no_other_version_is_accepted(keys: KnownKeys, version: object) -> None:
    for issuer in (microsoft_claims()["iss"], "", None, ...):
        assert not await is_accepted(keys, microsoft_claims(ver=version, iss=issuer))


async def test_t05_a_version_that_is_switched_off_is_not_let_in_by_an_empty_issuer(
    keys: KnownKeys,
) -> None:
    claims = microsoft_v1_claims(iss="")

    assert not await is_accepted(keys, claims)


# --- T-10: time, by an injected clock ------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        pytest.param({"exp": NOW + 1}, True, id="expires-in-a-second"),
        pytest.param({"exp": NOW}, True, id="expires-now"),
        pytest.param({"exp": NOW - 299}, True, id="expired-within-the-skew"),
        pytest.param({"exp": NOW - 300}, False, id="expired-at-the-end-of-the-skew"),
        pytest.param({"exp": NOW - 301}, False, id="expired"),
        pytest.param({"exp": ...}, False, id="no-exp"),
        pytest.param({"exp": None}, False, id="exp-null"),
        pytest.param({"exp": str(NOW + 60)}, False, id="exp-as-text"),
        pytest.param({"exp": float(NOW + 60)}, False, id="exp-as-a-fraction"),
        pytest.param({"exp": True}, False, id="exp-as-truth"),
        pytest.param({"exp": 1e300}, False, id="exp-beyond-reason"),
        pytest.param({"exp": -1}, False, id="exp-negative"),
        pytest.param({"exp": [NOW + 60]}, False, id="exp-as-a-list"),
        pytest.param({"exp": 10**15}, False, id="exp-in-another-age"),
        pytest.param({"exp": NOW * 1_000}, False, id="exp-in-milliseconds"),
        pytest.param({"nbf": NOW + 300}, True, id="begins-within-the-skew"),
        pytest.param({"nbf": NOW + 301}, False, id="begins-later"),
        pytest.param({"nbf": ...}, True, id="no-nbf"),
        pytest.param({"nbf": None}, False, id="nbf-null"),
        pytest.param({"nbf": str(NOW)}, False, id="nbf-as-text"),
        pytest.param({"iat": NOW + 300, "nbf": ...}, True, id="issued-within-the-skew"),
        pytest.param({"iat": NOW + 301}, False, id="issued-later"),
        pytest.param({"iat": ...}, False, id="no-iat"),
        pytest.param({"iat": str(NOW)}, False, id="iat-as-text"),
        pytest.param({"iat": False}, False, id="iat-as-truth"),
        pytest.param({"iat": NOW - 5 * 365 * 24 * HOURS}, False, id="issued-years-ago"),
        pytest.param({"exp": NOW + 28 * HOURS}, True, id="lives-28-hours"),
        pytest.param({"exp": NOW + 28 * HOURS + 1}, False, id="lives-longer-than-any-token"),
    ],
)
async def test_t10_the_table_of_times(
    keys: KnownKeys, claims: dict[str, Any], accepted: bool
) -> None:
    assert await is_accepted(keys, microsoft_claims(**claims)) is accepted


@pytest.mark.parametrize(
    ("seconds", "accepted"),
    [(-301, False), (-300, True), (0, True), (3_600 + 299, True), (3_600 + 300, False)],
)
async def test_t10_a_tokens_life_begins_and_ends_with_five_minutes_of_skew(
    keys: KnownKeys, seconds: float, accepted: bool
) -> None:
    assert await is_accepted(keys, microsoft_claims(), seconds=seconds) is accepted


# --- T-15, T-16: for our API, by our clients, for a user -----------------------------------------


@pytest.mark.parametrize(
    "audience",
    [
        pytest.param(OTHER_APP, id="another-app"),
        pytest.param([scene.ENTRA_API_CLIENT_ID], id="a-list-of-ours"),
        pytest.param([scene.ENTRA_API_CLIENT_ID, OTHER_APP], id="ours-and-another"),
        pytest.param(f"api://{scene.ENTRA_API_CLIENT_ID}", id="as-version-1-writes-it"),
        pytest.param(scene.ENTRA_API_CLIENT_ID.upper(), id="upper-case"),
        pytest.param(scene.ENTRA_ADDIN_CLIENT_ID, id="the-add-in-itself"),
        pytest.param("https://graph.microsoft.com", id="graph"),
        pytest.param("00000003-0000-0000-c000-000000000000", id="graph-by-its-id"),
        pytest.param("", id="empty"),
        pytest.param(None, id="null"),
        pytest.param(..., id="missing"),
    ],
)
async def test_t15_the_audience_is_our_api_alone(keys: KnownKeys, audience: object) -> None:
    assert not await is_accepted(keys, microsoft_claims(aud=audience))


@pytest.mark.parametrize("client", sorted(OFFICE_CLIENTS | {scene.ENTRA_ADDIN_CLIENT_ID}))
async def test_t15_our_add_in_and_office_may_ask_for_the_token(
    keys: KnownKeys, client: str
) -> None:
    assert await is_accepted(keys, microsoft_claims(azp=client))


@pytest.mark.parametrize(
    "client", [OTHER_APP, scene.ENTRA_API_CLIENT_ID, "", None, ..., [scene.ENTRA_ADDIN_CLIENT_ID]]
)
async def test_t15_no_other_client_may(keys: KnownKeys, client: object) -> None:
    assert not await is_accepted(keys, microsoft_claims(azp=client))
    smuggled = microsoft_claims(azp=client, appid=scene.ENTRA_ADDIN_CLIENT_ID)
    assert not await is_accepted(keys, smuggled)


@pytest.mark.parametrize(
    ("scopes", "accepted"),
    [
        pytest.param("access_as_user", True, id="ours"),
        pytest.param("User.Read access_as_user", True, id="ours-among-others"),
        pytest.param("access_as_user.all", False, id="one-that-begins-so"),
        pytest.param("not_access_as_user", False, id="one-that-ends-so"),
        pytest.param("ACCESS_AS_USER", False, id="upper-case"),
        pytest.param("access_as_user,User.Read", False, id="separated-by-a-comma"),
        pytest.param("User.Read", False, id="another"),
        pytest.param("", False, id="empty"),
        pytest.param(None, False, id="null"),
        pytest.param(..., False, id="missing"),
        pytest.param(["access_as_user"], False, id="a-list"),
    ],
)
async def test_t15_the_scope_is_ours(keys: KnownKeys, scopes: object, accepted: bool) -> None:
    assert await is_accepted(keys, microsoft_claims(scp=scopes)) is accepted


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"idtyp": "app"}, id="says-so"),
        pytest.param({"scp": ..., "roles": ["FlowRunner.Admin"]}, id="roles-for-scopes"),
        pytest.param({"scp": ..., "idtyp": "app", "roles": ["access_as_user"]}, id="both"),
        pytest.param({"idtyp": "device"}, id="a-device"),
        pytest.param({"idtyp": None}, id="a-type-that-is-null"),
    ],
)
async def test_t15_a_token_for_no_user_is_refused(keys: KnownKeys, claims: dict[str, Any]) -> None:
    assert not await is_accepted(keys, microsoft_claims(**claims))


async def test_t15_a_token_may_say_that_it_is_for_a_user(keys: KnownKeys) -> None:
    assert await is_accepted(keys, microsoft_claims(idtyp="user"))


async def test_t16_an_id_token_of_the_add_in_is_refused(keys: KnownKeys) -> None:
    """It is for the add-in (its audience) and says no scope."""
    id_token = microsoft_claims(aud=scene.ENTRA_ADDIN_CLIENT_ID, azp=..., scp=..., nonce="x")

    assert not await is_accepted(keys, id_token)
    assert not await is_accepted(keys, {**id_token, "aud": scene.ENTRA_API_CLIENT_ID})


@pytest.mark.parametrize("text", ["ya29.a0AfB_opaque", "EwB4A8l6BAAU", "x.y", "0.AAA.BBB.CCC"])
async def test_t16_an_opaque_token_is_refused(keys: KnownKeys, text: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        await policy(keys).verify(Secret(text))


@pytest.mark.parametrize("kind", ["JWT", "at+jwt", ...])
async def test_t08_the_types_that_entra_writes_are_accepted(keys: KnownKeys, kind: object) -> None:
    text = signed(header(typ=kind), microsoft_claims())

    assert (await policy(keys).verify(Secret(text))).subject == USER


@pytest.mark.parametrize("kind", ["flowrunner-session+jwt", "logout+jwt", "id+jwt"])
async def test_t08_other_types_are_refused(keys: KnownKeys, kind: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        await policy(keys).verify(Secret(signed(header(typ=kind), microsoft_claims())))


# --- T-17, roles, v1 -----------------------------------------------------------------------------


async def test_t17_a_personal_account_is_told_so(keys: KnownKeys) -> None:
    personal = "9188040d-6c67-4c5b-b112-36a304b66dad"
    claims = microsoft_claims(tid=personal, iss=V2_ISSUER.replace(TENANT, personal))

    with pytest.raises(PersonalAccountError):
        await verified(keys, claims)


async def test_t17_but_only_once_the_rest_of_the_token_is_good(keys: KnownKeys) -> None:
    personal = "9188040d-6c67-4c5b-b112-36a304b66dad"
    claims = microsoft_claims(tid=personal, iss=V2_ISSUER.replace(TENANT, personal), aud=OTHER_APP)

    with pytest.raises(NotAuthenticatedError):
        await verified(keys, claims)


@pytest.mark.parametrize(
    ("claims", "is_admin"),
    [
        pytest.param({"roles": ["FlowRunner.Admin"]}, True, id="the-role"),
        pytest.param({"roles": ["Other", "FlowRunner.Admin"]}, True, id="among-others"),
        pytest.param({"roles": ["flowrunner.admin"]}, False, id="in-another-case"),
        pytest.param({"roles": ["FlowRunner.Administrator"]}, False, id="a-longer-one"),
        pytest.param({"roles": "FlowRunner.Admin"}, False, id="a-text"),
        pytest.param({"roles": {"FlowRunner.Admin": True}}, False, id="an-object"),
        pytest.param({"roles": []}, False, id="none"),
        pytest.param({"roles": None}, False, id="null"),
        pytest.param(
            {"wids": ["62e90394-69f5-4237-9190-012177145e10"]}, False, id="a-directory-role"
        ),
        pytest.param({"groups": ["FlowRunner.Admin"]}, False, id="a-group"),
        pytest.param({"scp": "access_as_user FlowRunner.Admin"}, False, id="a-scope"),
    ],
)
async def test_an_administrator_is_who_has_the_app_role(
    keys: KnownKeys, claims: dict[str, Any], is_admin: bool
) -> None:
    assert (await verified(keys, microsoft_claims(**claims))).is_admin is is_admin


async def test_version_1_is_refused_unless_switched_on(keys: KnownKeys) -> None:
    assert not await is_accepted(keys, microsoft_v1_claims())
    assert await is_accepted(keys, microsoft_v1_claims(), accept_v1=True)


async def test_version_2_is_accepted_beside_version_1(keys: KnownKeys) -> None:
    assert await is_accepted(keys, microsoft_claims(), accept_v1=True)


async def test_the_same_person_is_the_same_by_both_versions(keys: KnownKeys) -> None:
    assert await verified(keys, microsoft_v1_claims(), accept_v1=True) == await verified(
        keys, microsoft_claims()
    )


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        pytest.param({"aud": scene.ENTRA_API_CLIENT_ID}, True, id="audience-without-api"),
        pytest.param({"aud": f"api://{OTHER_APP}"}, False, id="another-audience"),
        pytest.param({"aud": f"api://{scene.ENTRA_API_CLIENT_ID}/"}, False, id="audience-slash"),
        pytest.param({"appid": OTHER_APP}, False, id="another-client"),
        pytest.param({"appid": ..., "azp": scene.ENTRA_ADDIN_CLIENT_ID}, False, id="azp-for-appid"),
        pytest.param({"iss": V2_ISSUER}, False, id="issuer-of-version-2"),
        pytest.param({"iss": f"https://sts.windows.net/{TENANT}"}, False, id="issuer-no-slash"),
        pytest.param(
            {"iss": f"https://sts.windows.net/{OTHER_TENANT}/"}, False, id="another-tenants-issuer"
        ),
        pytest.param({"scp": "User.Read"}, False, id="another-scope"),
        pytest.param({"ver": "2.0"}, False, id="the-other-version"),
    ],
)
async def test_version_1_has_rules_of_its_own(
    keys: KnownKeys, claims: dict[str, Any], accepted: bool
) -> None:
    assert await is_accepted(keys, microsoft_v1_claims(**claims), accept_v1=True) is accepted


async def test_version_2_rules_do_not_soften_when_version_1_is_accepted(keys: KnownKeys) -> None:
    for claims in (
        {"aud": f"api://{scene.ENTRA_API_CLIENT_ID}"},
        {"iss": "https://sts.windows.net/"},
    ):
        assert not await is_accepted(keys, microsoft_claims(**claims), accept_v1=True)


# --- T-18: guests --------------------------------------------------------------------------------

V1_ISSUER = f"https://sts.windows.net/{TENANT}/"
GUESTS = [
    pytest.param({"acct": 1}, id="the-account-is-a-guests"),
    pytest.param({"idp": f"https://sts.windows.net/{OTHER_TENANT}/"}, id="of-another-tenant"),
    pytest.param(
        {"idp": f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"}, id="of-another-by-v2"
    ),
    pytest.param(
        {"idp": "https://sts.windows.net/9188040d-6c67-4c5b-b112-36a304b66dad/"}, id="personal"
    ),
    pytest.param({"idp": "live.com"}, id="of-live"),
    pytest.param({"idp": "google.com"}, id="of-google"),
    pytest.param({"idp": "mail"}, id="by-a-code-in-a-mail"),
    pytest.param({"idp": V1_ISSUER.rstrip("/")}, id="nearly-the-tenants-own"),
    pytest.param({"idp": V1_ISSUER.upper()}, id="the-tenants-own-in-upper-case"),
    pytest.param({"idp": f"https://evil.test/{TENANT}/"}, id="of-the-tenants-name-elsewhere"),
    pytest.param({"acct": 1, "idp": V1_ISSUER}, id="a-guest-by-one-claim-alone"),
    pytest.param({"acct": 0, "idp": "live.com"}, id="a-guest-by-the-other-alone"),
]


@pytest.mark.parametrize("claims", GUESTS)
async def test_t18_a_guest_is_told_that_guests_are_not_let_in(
    keys: KnownKeys, claims: dict[str, Any]
) -> None:
    for more in ({}, {"roles": ["FlowRunner.Admin"]}):
        with pytest.raises(GuestNotAllowedError):
            await verified(keys, microsoft_claims(**claims, **more))


@pytest.mark.parametrize("claims", GUESTS)
async def test_t18_a_guest_who_is_let_in_is_a_user_of_this_tenant_and_no_administrator(
    keys: KnownKeys, claims: dict[str, Any]
) -> None:
    claims = microsoft_claims(**claims, roles=["FlowRunner.Admin"])

    assert await verified(keys, claims, admit_guests=True) == Identity(
        provider="microsoft", directory=TENANT, subject=USER, is_admin=False
    )


@pytest.mark.parametrize("claims", GUESTS)
async def test_t18_a_guest_is_one_by_version_1_as_well(
    keys: KnownKeys, claims: dict[str, Any]
) -> None:
    with pytest.raises(GuestNotAllowedError):
        await verified(keys, microsoft_v1_claims(**claims), accept_v1=True)


@pytest.mark.parametrize("admit_guests", [False, True])
@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="says-neither"),
        pytest.param({"acct": 0}, id="the-account-is-a-members"),
        pytest.param({"idp": V1_ISSUER}, id="of-the-tenant-itself"),
        pytest.param({"idp": V2_ISSUER}, id="of-the-tenant-itself-by-v2"),
        pytest.param({"acct": 0, "idp": V1_ISSUER}, id="both"),
        pytest.param(
            {"preferred_username": "robin_contoso.com#EXT#@fabrikam.com"}, id="a-guests-name-alone"
        ),
    ],
)
async def test_t18_a_member_is_no_guest(
    keys: KnownKeys, claims: dict[str, Any], admit_guests: bool
) -> None:
    claims = microsoft_claims(**claims, roles=["FlowRunner.Admin"])

    assert (await verified(keys, claims, admit_guests=admit_guests)).is_admin


@pytest.mark.parametrize("admit_guests", [False, True])
@pytest.mark.parametrize(
    "claims",
    [
        {"acct": 2}, {"acct": -1}, {"acct": "0"}, {"acct": "1"}, {"acct": None}, {"acct": True},
        {"acct": False}, {"acct": 0.0}, {"acct": 1.0}, {"acct": [0]}, {"acct": {}},
        {"idp": ""}, {"idp": None}, {"idp": 1}, {"idp": [V1_ISSUER]}, {"idp": {"a": V1_ISSUER}},
    ],
    ids=str,
)  # fmt: skip
async def test_t18_a_claim_about_it_that_is_malformed_is_refused(
    keys: KnownKeys, claims: dict[str, Any], admit_guests: bool
) -> None:
    with pytest.raises(NotAuthenticatedError):
        await verified(keys, microsoft_claims(**claims), admit_guests=admit_guests)


async def test_t18_a_guest_is_told_so_only_once_the_rest_of_the_token_is_good(
    keys: KnownKeys,
) -> None:
    with pytest.raises(NotAuthenticatedError):
        await verified(keys, microsoft_claims(acct=1, aud=OTHER_APP))


async def test_t18_a_personal_account_at_home_is_told_that_and_not_that_it_is_a_guest(
    keys: KnownKeys,
) -> None:
    personal = "9188040d-6c67-4c5b-b112-36a304b66dad"
    claims = microsoft_claims(tid=personal, iss=V2_ISSUER.replace(TENANT, personal), acct=1)

    with pytest.raises(PersonalAccountError):
        await verified(keys, claims)


@pytest.mark.parametrize("admitted", [False, True])
async def test_t18_the_setting_decides_in_the_service_as_it_is_deployed(
    entra: tuple[Served, Network], admitted: bool
) -> None:
    served, network = entra
    guest = user_token(served, overrides={"acct": 1, "roles": ["FlowRunner.Admin"]})
    outside = Azure(settings(entra_admit_guests=admitted), network)
    try:
        found = await outside.verifier.verify("microsoft", guest)
    except GuestNotAllowedError:
        found = None
    finally:
        await outside.close()

    assert (found is not None) is admitted
    assert found is None or not found.is_admin
