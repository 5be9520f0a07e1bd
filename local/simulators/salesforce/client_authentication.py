"""How the client proves itself: id and secret in the body, in HTTP Basic, or in both alike."""

import base64
import hmac
from urllib.parse import unquote_plus

from local.simulators.salesforce.app import App
from local.simulators.salesforce.call import Call
from local.simulators.salesforce.errors import token_refusal


def authenticate(app: App, call: Call) -> None:
    """Raises `OAuthError` unless the request carries the app's id and secret."""
    pairs = [pair for pair in (_basic(call), _body(call)) if pair]
    if not pairs or any(client_id != app.client_id for client_id, _ in pairs):
        raise token_refusal("invalid_client_id", "client identifier invalid")
    secrets = [secret for _, secret in pairs if secret is not None]
    if not secrets or not all(
        hmac.compare_digest(secret.encode(), app.client_secret.encode()) for secret in secrets
    ):
        raise token_refusal("invalid_client", "invalid client credentials")


def _body(call: Call) -> tuple[str, str | None] | None:
    client_id = call.form.get("client_id")
    return None if client_id is None else (client_id, call.form.get("client_secret"))


def _basic(call: Call) -> tuple[str, str | None] | None:
    scheme, _, encoded = call.header("Authorization").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except ValueError as exc:
        raise token_refusal("invalid_basic_auth_header", "invalid basic auth header") from exc
    client_id, colon, secret = text.partition(":")
    if not colon:
        raise token_refusal("invalid_basic_auth_header", "invalid basic auth header")
    return unquote_plus(client_id), unquote_plus(secret)
