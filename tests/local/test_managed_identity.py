"""The managed-identity endpoint, driven by azure-identity as the service does, and refusing what
App Service refuses."""

import time
from collections.abc import Iterator
from contextlib import closing

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError, ManagedIdentityCredential
from azure.identity.aio import ManagedIdentityCredential as AsyncManagedIdentityCredential

from local import scene
from local.simulators.azure_tokens import AzureTokens
from local.stack_info import StackInfo

pytestmark = pytest.mark.stack

VAULT = "https://vault.azure.net"


@pytest.fixture
def environment(stack: StackInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    """What App Service puts into the environment of an app with an identity."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", stack.identity_endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", scene.IDENTITY_HEADER)


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.mark.parametrize(
    "resource",
    [
        "https://vault.azure.net",
        "https://storage.azure.com",
        "https://monitor.azure.com/",
        "api://AzureADTokenExchange",
    ],
)
def test_azure_identity_gets_a_token_for_each_resource(environment: None, resource: str) -> None:
    with closing(ManagedIdentityCredential()) as credential:
        token = credential.get_token(f"{resource}/.default")

    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert claims["aud"] == resource
    assert claims["iss"] == f"https://sts.windows.net/{scene.KEY_VAULT_TENANT}/"
    assert claims["nbf"] <= time.time() < claims["exp"] == token.expires_on
    assert claims["oid"] == claims["sub"]


async def test_the_asynchronous_client_gets_one_too(environment: None) -> None:
    async with AsyncManagedIdentityCredential() as credential:
        token = await credential.get_token(f"{VAULT}/.default")

    assert jwt.get_unverified_header(token.token)["alg"] == "RS256"


def test_azure_identity_is_refused_an_unknown_resource(environment: None) -> None:
    with (
        closing(ManagedIdentityCredential()) as credential,
        pytest.raises((ClientAuthenticationError, CredentialUnavailableError)),
    ):
        credential.get_token("https://graph.example.com/.default")


GOOD_QUERY = {"resource": VAULT, "api-version": "2019-08-01"}
GOOD_HEADERS = {"X-IDENTITY-HEADER": scene.IDENTITY_HEADER}


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        pytest.param({}, {}, 200, id="all-as-documented"),
        pytest.param({}, {"X-IDENTITY-HEADER": None}, 401, id="no-header"),
        pytest.param({}, {"X-IDENTITY-HEADER": "guess"}, 401, id="wrong-header"),
        pytest.param({"api-version": None}, {}, 400, id="no-version"),
        pytest.param({"api-version": "2018-02-01"}, {}, 400, id="another-version"),
        pytest.param({"resource": None}, {}, 400, id="no-resource"),
        pytest.param({"resource": "https://evil.example.com"}, {}, 400, id="unknown-resource"),
        pytest.param({"resource": [VAULT, VAULT]}, {}, 400, id="resource-twice"),
        pytest.param({"client_id": "somebody"}, {}, 400, id="another-identity"),
        pytest.param({"scope": VAULT}, {}, 400, id="unknown-parameter"),
    ],
)
def test_only_a_request_as_documented_gets_a_token(
    stack: StackInfo,
    http: requests.Session,
    query: dict[str, str | list[str] | None],
    headers: dict[str, str | None],
    status: int,
) -> None:
    answer = http.get(
        stack.identity_endpoint,
        params={**GOOD_QUERY, **query},
        headers={**GOOD_HEADERS, **headers},
        timeout=10,
    )

    assert answer.status_code == status
    assert ("access_token" in answer.json()) is (status == 200)


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
def test_only_get_is_answered(stack: StackInfo, http: requests.Session, method: str) -> None:
    answer = http.request(
        method, stack.identity_endpoint, params=GOOD_QUERY, headers=GOOD_HEADERS, timeout=10
    )

    assert answer.status_code == 405


class TestVerification:
    """What Key Vault and Application Insights accept of what was issued."""

    NOON = 1_768_478_400.0

    def tokens(self, now: float = NOON) -> AzureTokens:
        return AzureTokens(clock=lambda: now)

    def test_a_token_opens_the_resource_it_was_issued_for(self) -> None:
        tokens = self.tokens()

        assert tokens.verify(tokens.issue(VAULT), VAULT)["tid"] == scene.KEY_VAULT_TENANT

    def test_a_token_opens_no_other_resource(self) -> None:
        tokens = self.tokens()

        with pytest.raises(ValueError, match="not a token of this directory"):
            tokens.verify(tokens.issue("https://storage.azure.com"), VAULT)

    def test_a_token_signed_by_somebody_else_opens_nothing(self) -> None:
        with pytest.raises(ValueError, match="not a token of this directory"):
            self.tokens().verify(self.tokens().issue(VAULT), VAULT)

    @pytest.mark.parametrize("seconds", [-3600, 25 * 3600], ids=["too-early", "expired"])
    def test_a_token_opens_nothing_outside_its_time(self, seconds: int) -> None:
        now = self.NOON
        tokens = AzureTokens(clock=lambda: now)
        token = tokens.issue(VAULT)
        now += seconds

        with pytest.raises(ValueError, match="not valid at this time"):
            tokens.verify(token, VAULT)

    def test_an_unsigned_token_opens_nothing(self) -> None:
        tokens = self.tokens()
        claims = jwt.decode(tokens.issue(VAULT), options={"verify_signature": False})
        unsigned = jwt.encode(claims, "", algorithm="none")

        with pytest.raises(ValueError, match="not a token of this directory"):
            tokens.verify(unsigned, VAULT)
