"""A token endpoint as Salesforce has it: good answers, and the two ways to ask for them."""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs

import pytest

from local import scene
from shared.model import Grant, OrgId
from shared.network import Network
from shared.salesforce.oauth import CLIENT_SECRET, SalesforceOAuth
from shared.secret import Secret
from tests import upstream as up
from tests.upstream import Upstream, answering_json

LOGIN: Final = "login.salesforce.com"
INSTANCE: Final = "contoso.my.salesforce.com"
EVIL: Final = "evil.my.salesforce.com.example.com"
CONSUMER_SECRET: Final = "made-up consumer secret"
CALLBACK: Final = "https://flowrunner.example.com/api/v1/salesforce/callback"
ORG: Final = OrgId.parse(scene.SALESFORCE_ORG_ID)
SALESFORCE_USER: Final = "005xx000001SwiUAAS"
OTHER_ORG: Final = OrgId.parse("00D5g00000FABRI")
VERIFIER: Final = Secret("v" * 86)
GRANT: Final = Grant(
    org=ORG,
    salesforce_user=SALESFORCE_USER,
    instance_host=INSTANCE,
    login_host=LOGIN,
    refresh_token=Secret("old-refresh!token.&"),
    access_token=Secret("old-access"),
)


type Trade = Callable[[Upstream], Awaitable[Grant]]


def sign(identity: object, issued_at: object, secret: str = CONSUMER_SECRET) -> str:
    """HMAC-SHA256 of `id` and `issued_at`, as Salesforce makes it (protocols A4)."""
    digest = hmac.digest(secret.encode(), f"{identity}{issued_at}".encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


def token_answer(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A good answer of the token endpoint (A2), signed after the changes; `...` removes."""
    answer = {
        "access_token": f"{ORG[:15]}!new-access",
        "refresh_token": "new-refresh",
        "scope": "refresh_token web api lightning",
        "instance_url": f"https://{INSTANCE}",
        "id": f"https://{LOGIN}/id/{ORG}/{SALESFORCE_USER}",
        "token_type": "Bearer",
        "issued_at": "1768478400000",
        **changes,
    }
    answer.setdefault("signature", sign(answer["id"], answer["issued_at"]))
    return {name: value for name, value in answer.items() if value is not ...}


def refusal(error: str, description: str, status: int = 400) -> up.Answer:
    return answering_json({"error": error, "error_description": description}, status=status)


def oauth(network: Network) -> SalesforceOAuth:
    async def secret(name: str) -> Secret:
        assert name == CLIENT_SECRET
        return Secret(CONSUMER_SECRET)

    return SalesforceOAuth(
        network,
        client_id=scene.SALESFORCE_CLIENT_ID,
        client_secret=secret,
        callback_url=CALLBACK,
    )


async def redeem(salesforce: Upstream) -> Grant:
    return await oauth(salesforce.network).redeem_code(
        LOGIN, code=Secret("aPrx-code=="), verifier=VERIFIER
    )


async def refresh(salesforce: Upstream) -> Grant:
    return await oauth(salesforce.network).refresh(GRANT)


BOTH: Final = pytest.mark.parametrize(
    "trade", [pytest.param(redeem, id="code"), pytest.param(refresh, id="refresh")]
)


def form(salesforce: Upstream) -> dict[str, str]:
    """The one form that was sent."""
    (sent,) = salesforce.received
    assert sent.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    pairs = parse_qs(sent.body.decode(), keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in pairs.values())
    return {name: values[0] for name, values in pairs.items()}
