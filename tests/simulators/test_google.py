"""The Google simulator against PyJWT and the documented shapes."""

from typing import Any

import jwt
import pytest
import requests
from cryptography import x509

from local import scene
from local.simulators.google import Google
from tests.simulators.conftest import Serve
from tests.simulators.serving import Clock, Served

CERTS = "https://www.googleapis.com/oauth2/v3/certs"
PEM_CERTS = "https://www.googleapis.com/oauth2/v1/certs"
TOKENINFO = "https://oauth2.googleapis.com/tokeninfo"
DISCOVERY = "https://accounts.google.com/.well-known/openid-configuration"


@pytest.fixture
def google(serve: Serve, clock: Clock) -> Served:
    return serve(Google(clock=clock))


def _get(google: Served, url: str, **query: str) -> requests.Response:
    return google.session().get(url, params=query, timeout=10)


def _token(google: Served, **order: object) -> str:
    token: str = google.control_post("/_sim/google/token", order)["token"]
    return token


def _verified(google: Served, token: str) -> dict[str, Any]:
    keys = jwt.PyJWKSet.from_dict(_get(google, CERTS).json())
    claims: dict[str, Any] = jwt.decode(
        token,
        keys[jwt.get_unverified_header(token)["kid"]],
        algorithms=["RS256"],
        audience=scene.GOOGLE_CLIENT_ID,
        issuer="https://accounts.google.com",
        options={"verify_exp": False, "verify_iat": False},  # the clock stands still
    )
    return claims


def test_an_id_token_verifies_with_the_published_keys(google: Served, clock: Clock) -> None:
    claims = _verified(google, _token(google, sub="107691503500061507159"))
    assert claims["sub"] == "107691503500061507159"
    assert claims["hd"] == scene.GOOGLE_DOMAIN
    assert claims["azp"] == scene.GOOGLE_CLIENT_ID
    assert claims["email"].endswith("@" + scene.GOOGLE_DOMAIN)
    assert claims["email_verified"] is True
    assert (claims["iat"], claims["exp"]) == (clock.now, clock.now + 3600)


def test_a_consumer_account_has_no_hosted_domain(google: Served) -> None:
    claims = _verified(google, _token(google, hd=None))
    assert "hd" not in claims
    assert claims["email"].endswith("@example.com")


def test_overrides_replace_and_null_removes(google: Served) -> None:
    token = _token(
        google, overrides={"email_verified": False, "jti": None}, header={"kid": None, "cty": "x"}
    )
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["email_verified"] is False
    assert "jti" not in claims
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "cty": "x"}


def test_alg_none_has_an_empty_signature_and_other_algorithms_are_refused(google: Served) -> None:
    assert _token(google, header={"alg": "nOnE"}).endswith(".")
    with pytest.raises(AssertionError, match="only RS256 and none"):
        _token(google, header={"alg": "HS256"})


def test_a_misspelt_control_member_is_refused(google: Served) -> None:
    with pytest.raises(AssertionError, match="unknown members: override"):
        _token(google, override={"aud": "x"})


def test_the_next_key_is_published_by_a_roll_over_and_the_unknown_key_never(
    google: Served,
) -> None:
    first, coming = _token(google), _token(google, key="next")
    unknown = _token(google, key="unknown")
    with pytest.raises(KeyError):
        _verified(google, coming)
    google.control_post("/_sim/google/keys/rotate")
    for token in (first, coming):
        assert _verified(google, token)["iss"] == "https://accounts.google.com"
    google.control_post("/_sim/google/keys/rotate")
    for token in (first, unknown):
        with pytest.raises(KeyError):
            _verified(google, token)
    google.control_post("/_sim/google/keys/rotate", {"remove_previous": True})
    assert len(_get(google, CERTS).json()["keys"]) == 1


def test_extra_members_are_served_as_they_are(google: Served) -> None:
    google.control_post("/_sim/google/keys/extra", {"keys": [7, {"kty": "oct", "k": "AA"}]})
    assert _get(google, CERTS).json()["keys"][1:] == [7, {"kty": "oct", "k": "AA"}]


def test_both_forms_of_the_keys_agree_and_may_be_cached(google: Served) -> None:
    jwks, pem = _get(google, CERTS), _get(google, PEM_CERTS)
    for answer in (jwks, pem):
        assert "max-age=19800" in answer.headers["Cache-Control"]
    (key,) = jwks.json()["keys"]
    assert set(key) == {"kty", "n", "e", "use", "alg", "kid"}
    certificate = x509.load_pem_x509_certificate(pem.json()[key["kid"]].encode())
    assert jwt.PyJWK(key).key == certificate.public_key()


def test_discovery_names_the_addresses_that_are_served(google: Served) -> None:
    document = _get(google, DISCOVERY).json()
    assert document["issuer"] == "https://accounts.google.com"
    assert _get(google, document["jwks_uri"]).status_code == 200


@pytest.mark.parametrize(
    "url",
    [CERTS.replace("www", "oauth2"), "https://accounts.google.com/tokeninfo?id_token=x"],
    ids=["keys on the OAuth host", "tokeninfo on the accounts host"],
)
def test_hosts_do_not_answer_for_one_another(google: Served, url: str) -> None:
    assert _get(google, url).status_code == 404


def test_tokeninfo_answers_every_value_as_a_string(google: Served, clock: Clock) -> None:
    info = _get(google, TOKENINFO, id_token=_token(google)).json()
    assert all(isinstance(value, str) for value in info.values())
    assert info["email_verified"] == "true"
    assert info["exp"] == str(int(clock.now) + 3600)
    assert info["alg"] == "RS256"


@pytest.mark.parametrize(
    "order",
    [
        {"key": "unknown"},
        {"header": {"alg": "none"}},
        {"overrides": {"exp": 1}},
        {"overrides": {"exp": None}},
        {"overrides": {"iss": "https://accounts.example.com"}},
    ],
    ids=["unknown key", "alg none", "expired", "without exp", "other issuer"],
)
def test_tokeninfo_refuses_a_bad_token(google: Served, order: dict[str, object]) -> None:
    answer = _get(google, TOKENINFO, id_token=_token(google, **order))
    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_token", "error_description": "Invalid Value"}


def test_tokeninfo_knows_no_access_token_and_needs_one_of_the_two(google: Served) -> None:
    assert _get(google, TOKENINFO, access_token="ya29.a0").json()["error"] == "invalid_token"
    assert _get(google, TOKENINFO).json()["error"] == "invalid_request"


def test_reset_forgets_roll_overs_but_keeps_the_first_key(google: Served) -> None:
    before = _get(google, CERTS).json()
    google.control_post("/_sim/google/keys/rotate")
    google.simulator.reset()
    assert _get(google, CERTS).json() == before
    assert google.control_get("/_sim/google/ledger") == {"calls": {"GET /oauth2/v3/certs": 1}}
