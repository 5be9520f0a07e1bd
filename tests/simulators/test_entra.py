"""The Entra ID simulator against the real msal, PyJWT and the documented shapes."""

import json
from typing import Any

import jwt
import msal
import pytest
import requests
from jwt.types import Options
from msal.exceptions import MsalServiceError

from local import scene
from local.simulators.azure_tokens import AzureTokens
from local.simulators.entra import Entra
from tests.simulators.conftest import Serve
from tests.simulators.serving import Clock, Json, Served

ROOT = f"https://{scene.ENTRA_HOST}"
TENANT = f"{ROOT}/{scene.ENTRA_TENANT}"
OTHER_TENANT = "2b9c7d10-4e8f-4a61-9c35-0d7e8f21b6a4"
USER = "8e4d1a72-95c3-4f0b-b6d8-3a7c20e9f154"
SCOPES = ["https://graph.microsoft.com/User.Read"]
CHALLENGE = '{"access_token":{"polids":{"essential":true,"values":["9ab03e19"]}}}'
ANY_TIME: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}


@pytest.fixture
def tokens(clock: Clock) -> AzureTokens:
    return AzureTokens(clock=clock)


@pytest.fixture
def entra(serve: Serve, clock: Clock, tokens: AzureTokens) -> Served:
    return serve(Entra(clock=clock, tokens=tokens))


def _token(entra: Served, **order: object) -> str:
    token: str = entra.control_post("/_sim/entra/token", {"oid": USER, **order})["token"]
    return token


def _client(
    entra: Served, credential: object = scene.ENTRA_SERVICE_CLIENT_SECRET, tenant: str = TENANT
) -> Json:
    return msal.ConfidentialClientApplication(
        scene.ENTRA_API_CLIENT_ID,
        client_credential=credential,
        authority=tenant,
        http_client=entra.session(),
        client_capabilities=["cp1"],
    )


def _on_behalf_of(entra: Served, assertion: str, **client: Json) -> dict[str, Any]:
    answer: dict[str, Any] = _client(entra, **client).acquire_token_on_behalf_of(
        user_assertion=assertion, scopes=SCOPES
    )
    return answer


def _get(entra: Served, url: str, **query: str) -> requests.Response:
    return entra.session().get(url, params=query, timeout=10)


def _post(entra: Served, **form: str) -> requests.Response:
    return entra.session().post(f"{TENANT}/oauth2/v2.0/token", data=form, timeout=10)


def _verified(entra: Served, token: str, jwks_uri: str, **expected: Json) -> dict[str, Any]:
    keys = jwt.PyJWKSet.from_dict(_get(entra, jwks_uri).json())
    claims: dict[str, Any] = jwt.decode(
        token,
        keys[jwt.get_unverified_header(token)["kid"]],
        algorithms=["RS256"],
        options=ANY_TIME,
        **expected,
    )
    return claims


# --- metadata and keys --------------------------------------------------------------------------


def test_an_access_token_verifies_with_what_the_metadata_names(entra: Served, clock: Clock) -> None:
    metadata = _get(entra, f"{TENANT}/v2.0/.well-known/openid-configuration").json()
    claims = _verified(
        entra,
        _token(entra),
        metadata["jwks_uri"],
        issuer=metadata["issuer"],
        audience=scene.ENTRA_API_CLIENT_ID,
    )
    assert claims["tid"] == scene.ENTRA_TENANT
    assert claims["oid"] == USER
    assert claims["azp"] == scene.ENTRA_ADDIN_CLIENT_ID
    assert claims["scp"] == "access_as_user"
    assert claims["ver"] == "2.0"
    assert claims["nbf"] < clock.now < claims["exp"]


def test_a_version_1_token_verifies_with_the_version_1_metadata(entra: Served) -> None:
    metadata = _get(entra, f"{TENANT}/.well-known/openid-configuration").json()
    token = _token(entra, version="1.0")
    claims = _verified(
        entra,
        token,
        metadata["jwks_uri"],
        issuer=metadata["issuer"],
        audience=f"api://{scene.ENTRA_API_CLIENT_ID}",
    )
    assert claims["iss"] == f"https://sts.windows.net/{scene.ENTRA_TENANT}/"
    assert claims["appid"] == scene.ENTRA_ADDIN_CLIENT_ID
    assert claims["upn"] == claims["unique_name"]
    assert "azp" not in claims
    assert jwt.get_unverified_header(token)["x5t"]


@pytest.mark.parametrize("alias", ["common", "organizations"])
def test_aliases_leave_the_tenant_literal_in_the_issuer(entra: Served, alias: str) -> None:
    metadata = _get(entra, f"{ROOT}/{alias}/v2.0/.well-known/openid-configuration").json()
    assert metadata["issuer"] == "https://login.microsoftonline.com/{tenantid}/v2.0"
    (key,) = _get(entra, metadata["jwks_uri"]).json()["keys"]
    assert key["issuer"] == metadata["issuer"]


def test_keys_have_the_documented_members(entra: Served) -> None:
    answer = _get(entra, f"{TENANT}/discovery/v2.0/keys")
    (key,) = answer.json()["keys"]
    assert set(key) == {
        "kty", "use", "kid", "x5t", "n", "e", "x5c", "cloud_instance_name", "issuer",
    }  # fmt: skip
    assert key["issuer"] == f"{TENANT}/v2.0"
    assert "max-age" in answer.headers["Cache-Control"]
    (old,) = _get(entra, f"{TENANT}/discovery/keys").json()["keys"]
    assert old["kid"] == key["kid"]
    assert "issuer" not in old


def test_a_tenant_that_is_no_guid_is_refused(entra: Served) -> None:
    answer = _get(entra, f"{ROOT}/fabrikam.example.com/v2.0/.well-known/openid-configuration")
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_tenant"
    assert answer.json()["error_codes"] == [90002]


def test_instance_discovery_knows_only_its_own_authorities(entra: Served) -> None:
    url = f"{ROOT}/common/discovery/instance"
    good = {"api-version": "1.1", "authorization_endpoint": f"{TENANT}/oauth2/v2.0/authorize"}
    assert scene.ENTRA_HOST in _get(entra, url, **good).json()["metadata"][0]["aliases"]
    evil = {**good, "authorization_endpoint": "https://login.example.com/x/oauth2/authorize"}
    assert _get(entra, url, **evil).json()["error"] == "invalid_instance"


def test_a_roll_over_publishes_the_next_key_and_later_removes_the_old_one(entra: Served) -> None:
    keys, audience = f"{TENANT}/discovery/v2.0/keys", scene.ENTRA_API_CLIENT_ID
    old, coming = _token(entra), _token(entra, key="next")
    unknown = _token(entra, key="unknown")
    with pytest.raises(KeyError):
        _verified(entra, coming, keys, audience=audience)
    entra.control_post("/_sim/entra/keys/rotate")
    for token in (old, coming):
        assert _verified(entra, token, keys, audience=audience)["oid"] == USER
    entra.control_post("/_sim/entra/keys/rotate")
    for token in (old, unknown):
        with pytest.raises(KeyError):
            _verified(entra, token, keys, audience=audience)


def test_overrides_replace_and_null_removes(entra: Served) -> None:
    token = _token(
        entra,
        tid=OTHER_TENANT,
        overrides={"scp": None, "idtyp": "app", "exp": "soon"},
        header={"alg": "none", "jku": "https://example.com/keys"},
    )
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["iss"] == f"{ROOT}/{OTHER_TENANT}/v2.0"
    assert claims["exp"] == "soon"
    assert "scp" not in claims
    assert jwt.get_unverified_header(token)["jku"] == "https://example.com/keys"
    assert token.endswith(".")


@pytest.mark.parametrize(
    "order",
    [{"key": "old"}, {"version": "3.0"}, {"header": {"alg": "HS256"}}, {"overide": {}}],
    ids=["key", "version", "algorithm", "misspelt member"],
)
def test_an_order_that_cannot_be_met_is_refused(entra: Served, order: dict[str, object]) -> None:
    with pytest.raises(AssertionError, match=r"/_sim/entra/token: 400"):
        _token(entra, **order)


# --- on-behalf-of, as msal sends it -------------------------------------------------------------


def test_on_behalf_of_with_a_secret(entra: Served) -> None:
    answer = _on_behalf_of(entra, _token(entra))
    assert answer["scope"] == "User.Read openid profile email"
    assert answer["refresh_token"].startswith("0.A")
    assert answer["id_token_claims"]["oid"] == USER
    claims = _verified(
        entra,
        answer["access_token"],
        f"{TENANT}/discovery/keys",
        audience="https://graph.microsoft.com",
    )
    assert claims["appid"] == scene.ENTRA_API_CLIENT_ID
    assert claims["appidacr"] == "1"
    assert claims["oid"] == USER
    assert claims["xms_cc"] == ["CP1"]  # msal declared the capability
    assert answer["expires_in"] > 20 * 3600


def test_on_behalf_of_with_a_managed_identity_as_federated_credential(
    entra: Served, tokens: AzureTokens
) -> None:
    def assertion() -> str:
        return tokens.issue("api://AzureADTokenExchange")

    answer = _on_behalf_of(entra, _token(entra), credential={"client_assertion": assertion})
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["appidacr"] == "2"


def test_a_version_1_assertion_is_accepted(entra: Served) -> None:
    assert "access_token" in _on_behalf_of(entra, _token(entra, version="1.0"))


def test_an_ordered_refusal_arrives_as_a_dict_with_the_claims_challenge(entra: Served) -> None:
    entra.control_post(
        "/_sim/entra/obo",
        {"error": "interaction_required", "suberror": "basic_action", "claims": CHALLENGE},
    )
    answer = _on_behalf_of(entra, _token(entra))
    assert answer["error"] == "interaction_required"
    assert answer["suberror"] == "basic_action"
    assert answer["error_codes"] == [50079]
    assert json.loads(answer["claims"]) == json.loads(CHALLENGE)
    assert "Trace ID" in answer["error_description"]
    assert "access_token" in _on_behalf_of(entra, _token(entra)), "ordered once only"


def test_an_ordered_refusal_can_be_repeated_and_withdrawn(entra: Served) -> None:
    order = {"error": "invalid_grant", "error_codes": [65001], "times": 5}
    entra.control_post("/_sim/entra/obo", order)
    for _ in range(2):
        assert _on_behalf_of(entra, _token(entra))["error_codes"] == [65001]
    entra.control_post("/_sim/entra/obo", {})
    assert "access_token" in _on_behalf_of(entra, _token(entra))


def test_an_ordered_outage_raises_instead_of_answering_a_dict(entra: Served) -> None:
    entra.control_post("/_sim/entra/obo", {"error": "temporarily_unavailable"})
    with pytest.raises(MsalServiceError, match="503"):
        _on_behalf_of(entra, _token(entra))


def test_a_wrong_secret_is_invalid_client(entra: Served) -> None:
    answer = _on_behalf_of(entra, _token(entra), credential="wrong")
    assert answer["error"] == "invalid_client"
    assert answer["error_codes"] == [7000215]


@pytest.mark.parametrize(
    ("resource", "code"),
    [("https://vault.azure.net", 700212), ("not a token", 50027)],
    ids=["another audience", "malformed"],
)
def test_a_wrong_federated_assertion_is_invalid_client(
    entra: Served, tokens: AzureTokens, resource: str, code: int
) -> None:
    assertion = tokens.issue(resource) if "://" in resource else resource
    answer = _on_behalf_of(entra, _token(entra), credential={"client_assertion": lambda: assertion})
    assert answer["error"] == "invalid_client"
    assert answer["error_codes"] == [code]


def test_a_federated_assertion_of_another_directory_key_is_refused(
    entra: Served, clock: Clock
) -> None:
    forged = AzureTokens(clock=clock).issue("api://AzureADTokenExchange")
    answer = _on_behalf_of(entra, _token(entra), credential={"client_assertion": lambda: forged})
    assert answer["error_codes"] == [700027]


def test_an_expired_federated_assertion_is_refused(
    entra: Served, tokens: AzureTokens, clock: Clock
) -> None:
    assertion = tokens.issue("api://AzureADTokenExchange")
    clock.advance(25 * 3600)
    answer = _on_behalf_of(entra, _token(entra), credential={"client_assertion": lambda: assertion})
    assert answer["error_codes"] == [700024]


def test_without_a_directory_no_federated_assertion_is_accepted(
    serve: Serve, clock: Clock, tokens: AzureTokens
) -> None:
    entra = serve(Entra(clock=clock))
    assertion = tokens.issue("api://AzureADTokenExchange")
    answer = _on_behalf_of(entra, _token(entra), credential={"client_assertion": lambda: assertion})
    assert answer["error_codes"] == [700211]


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"overrides": {"exp": 1_768_478_400}}, 500133),
        ({"overrides": {"nbf": 1_768_478_401}}, 500133),
        ({"overrides": {"exp": None}}, 50027),
        ({"overrides": {"aud": "00000003-0000-0000-c000-000000000000"}}, 500131),
        ({"tid": OTHER_TENANT}, 50013),
        ({"overrides": {"iss": f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"}}, 50013),
        ({"overrides": {"tid": OTHER_TENANT}}, 50013),
        ({"key": "unknown"}, 50013),
        ({"key": "next"}, 50013),
        ({"header": {"alg": "none"}}, 50027),
        ({"overrides": {"scp": None, "idtyp": "app"}}, 7000114),
    ],
    ids=[
        "expired", "not yet valid", "without expiry", "for another API", "of another tenant",
        "of another issuer", "of another tid", "signed by an unknown key",
        "signed by a key not yet published", "not signed", "of an app",
    ],
)  # fmt: skip
def test_an_assertion_that_is_not_ours_or_not_good_is_invalid_grant(
    entra: Served, order: dict[str, object], code: int
) -> None:
    answer = _on_behalf_of(entra, _token(entra, **order))
    assert answer["error"] == "invalid_grant"
    assert answer["error_codes"] == [code]
    assert answer["error_description"].startswith(f"AADSTS{code}: ")


def test_an_assertion_with_a_changed_signature_is_invalid_grant(entra: Served) -> None:
    head, _, signature = _token(entra).rpartition(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    assert _on_behalf_of(entra, f"{head}.{flipped}")["error_codes"] == [50013]


def test_client_credentials_give_an_app_only_token(entra: Served) -> None:
    answer = _client(entra).acquire_token_for_client(["https://graph.microsoft.com/.default"])
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["idtyp"] == "app"
    assert "scp" not in claims
    assert "refresh_token" not in answer


# --- the token endpoint, by hand ----------------------------------------------------------------

CLIENT = {
    "client_id": scene.ENTRA_API_CLIENT_ID,
    "client_secret": scene.ENTRA_SERVICE_CLIENT_SECRET,
}
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ON_BEHALF_OF = {
    **CLIENT,
    "grant_type": JWT_BEARER,
    "requested_token_use": "on_behalf_of",
    "scope": "User.Read",
    "assertion": "x.y.z",
}


@pytest.mark.parametrize(
    ("change", "status", "error", "code"),
    [
        ({"grant_type": ""}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"grant_type": "refresh_token"}, 400, "unsupported_grant_type", 70003),
        ({"client_id": ""}, 400, "invalid_request", 900144),
        ({"client_id": USER}, 400, "unauthorized_client", 700016),
        ({"client_id": scene.ENTRA_ADDIN_CLIENT_ID}, 401, "invalid_client", 700025),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_assertion": "x"}, 400, "invalid_request", 90023),
        ({"requested_token_use": None}, 400, "invalid_request", 900144),
        ({"requested_token_use": "other"}, 400, "invalid_request", 90023),
        ({"assertion": None}, 400, "invalid_request", 900144),
        ({"assertion": "x.y.z"}, 400, "invalid_grant", 50027),
        ({"scope": None}, 400, "invalid_request", 900144),
        ({"scope": "not a scope"}, 400, "invalid_scope", 70011),
        ({"scope": "https://api.example.com/read"}, 400, "invalid_resource", 500011),
        ({"claims": "not json"}, 400, "invalid_request", 90023),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else str(value),
)
def test_the_token_endpoint_refuses_with_the_real_shape(
    entra: Served, change: dict[str, str | None], status: int, error: str, code: int
) -> None:
    form = {**ON_BEHALF_OF, "assertion": _token(entra), **change}
    answer = _post(entra, **{name: value for name, value in form.items() if value is not None})
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert set(body) == {
        "error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id",
        "error_uri",
    }  # fmt: skip
    assert body["timestamp"] == "2026-01-15 12:00:00Z"
    assert answer.headers["Cache-Control"] == "no-store, no-cache"


@pytest.mark.parametrize(
    ("alias", "code"), [("common", 9001023), ("consumers", 9001023), ("organizations", 50059)]
)
def test_an_alias_is_no_tenant_to_get_tokens_from(entra: Served, alias: str, code: int) -> None:
    url = f"{ROOT}/{alias}/oauth2/v2.0/token"
    answer = entra.session().post(url, data=ON_BEHALF_OF, timeout=10)
    assert answer.json()["error_codes"] == [code]


def test_only_what_is_asked_for_is_given(entra: Served) -> None:
    body = _post(entra, **{**ON_BEHALF_OF, "assertion": _token(entra)}).json()
    assert set(body) == {"token_type", "scope", "expires_in", "ext_expires_in", "access_token"}
    assert body["expires_in"] == 3599


def test_a_get_of_the_token_endpoint_is_refused(entra: Served) -> None:
    assert _get(entra, f"{TENANT}/oauth2/v2.0/token").json()["error_codes"] == [900561]


def test_the_ledger_counts_calls_by_template(entra: Served) -> None:
    _on_behalf_of(entra, _token(entra))
    calls = entra.control_get("/_sim/entra/ledger")["calls"]
    assert calls == {
        "GET /{tenant}/v2.0/.well-known/openid-configuration": 1,
        "POST /{tenant}/oauth2/v2.0/token": 1,
    }
    entra.simulator.reset()
    assert entra.control_get("/_sim/entra/ledger") == {"calls": {}}
