"""What an answer of the token endpoint has to prove before it is a grant.

https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_web_server_flow.htm&type=5
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Final

from shared.errors import InvalidRequestError, SalesforceFailedError
from shared.model import Grant, OrgId
from shared.salesforce_hosts import instance_host_of
from shared.secret import Secret

_IDENTITY: Final = re.compile(
    r"https://([a-z0-9.-]+)/id/(00D[A-Za-z0-9]{15})/(005[A-Za-z0-9]{15})", re.ASCII
)
_ORG_IN_TOKEN: Final = re.compile(r"([A-Za-z0-9]{15})!", re.ASCII)
_IDENTITY_HOSTS: Final = frozenset({"login.salesforce.com", "test.salesforce.com"})
_LONGEST_TEXT: Final = 16_384
_CALLS_THE_API: Final = frozenset({"api", "full"})
_STAYS: Final = frozenset({"refresh_token", "offline_access"})


def grant_in(
    answer: Mapping[str, Any],
    *,
    login_host: str,
    asked: str,
    client_secret: Secret,
    unless_rotated: Secret | None = None,
) -> Grant:
    """The grant in a token answer of the host that was `asked`, once all of it fits together.

    Without rotation a refresh is answered without a refresh token; then `unless_rotated` stays.
    Raises SalesforceFailedError.
    """
    old = {} if unless_rotated is None else {"refresh_token": unless_rotated.reveal()}
    identity, issued_at, access_token, instance_url, refresh_token = _texts(
        {**old, **answer}, "id", "issued_at", "access_token", "instance_url", "refresh_token"
    )
    _require(_signature_holds(answer.get("signature"), identity + issued_at, client_secret))
    instance_host = instance_host_of(instance_url)
    match = _IDENTITY.fullmatch(identity)
    if instance_host is None or match is None:
        raise SalesforceFailedError
    _require(match.group(1) in _IDENTITY_HOSTS | {login_host, asked, instance_host})
    org = _org(match.group(2))
    in_token = _ORG_IN_TOKEN.match(access_token)  # none in a JWT
    _require(in_token is None or in_token.group(1) == org[:15])
    _require("scope" not in answer or _scope_suffices(answer["scope"]))
    return Grant(
        org=org,
        salesforce_user=match.group(3),
        instance_host=instance_host,
        login_host=login_host,
        refresh_token=Secret(refresh_token),
        access_token=Secret(access_token),
    )


def _texts(answer: Mapping[str, Any], *names: str) -> list[str]:
    """Printable ASCII, because tokens become headers; and short enough to be stored, sealed, in one
    column, which is known before anything relies on it."""
    values = [answer.get(name) for name in names]
    texts = [value for value in values if isinstance(value, str) and _is_plain(value)]
    _require(len(texts) == len(names))
    return texts


def _is_plain(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_TEXT and text.isascii() and text.isprintable()


def _org(text: str) -> OrgId:
    try:
        return OrgId.parse(text)
    except InvalidRequestError as exc:
        raise SalesforceFailedError from exc


def _scope_suffices(scope: object) -> bool:
    """Salesforce's words for the scopes asked for are others, in another order: `offline_access`
    comes back as `refresh_token`. Two things are indispensable."""
    given = set(scope.split()) if isinstance(scope, str) else set()
    return bool(given & _CALLS_THE_API and given & _STAYS)


def _signature_holds(signature: object, message: str, client_secret: Secret) -> bool:
    """`signature` is the HMAC-SHA256 of `id` and `issued_at` under the consumer secret."""
    expected = hmac.digest(client_secret.reveal().encode(), message.encode(), hashlib.sha256)
    try:
        given = base64.b64decode(str(signature), validate=True)
    except ValueError:
        return False
    return hmac.compare_digest(expected, given)


def _require(holds: bool) -> None:  # noqa: FBT001 - reads as a sentence at the call
    if not holds:
        raise SalesforceFailedError
