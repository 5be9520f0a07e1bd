"""Reading requests: what arrives is text from a stranger, what leaves here has the right type."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import azure.functions as func

from shared import strict_json
from shared.errors import (
    BodyTooLargeError,
    InvalidRequestError,
    NotAuthenticatedError,
    UnsupportedMediaTypeError,
)
from shared.secret import Secret

if TYPE_CHECKING:
    from shared.model import Caller
    from shared.services import Services

LARGEST_BODY_BYTES: Final = 256 * 1024
_LONGEST_TEXT: Final = 2_048
_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)


async def caller_of(req: func.HttpRequest, services: "Services") -> "Caller":
    """Who is calling, by their session. Raises NotAuthenticatedError, SessionExpiredError."""
    return await services.authenticate(bearer_token(req))


def bearer_token(req: func.HttpRequest) -> Secret:
    """The token of `Authorization: Bearer <token>` (RFC 6750). Raises NotAuthenticatedError.

    The host joins repeated headers by a comma, so two of them are refused here as well.
    """
    scheme, _, token = req.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token or any(c in token for c in ' ,"\t'):
        raise NotAuthenticatedError
    return Secret(token)


def json_object(
    req: func.HttpRequest, *, allowed: tuple[str, ...], at_most: int = LARGEST_BODY_BYTES
) -> Mapping[str, Any]:
    """The body, a JSON object of so many bytes, with no other members than these.

    Raises UnsupportedMediaTypeError, BodyTooLargeError, InvalidRequestError.
    """
    media_type = req.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    encoding = req.headers.get("Content-Encoding", "identity").strip().lower()
    if media_type != "application/json" or encoding != "identity":
        raise UnsupportedMediaTypeError
    body = req.get_body()
    if len(body) > at_most:
        raise BodyTooLargeError
    try:
        value = strict_json.loads(body)
    except ValueError:
        raise InvalidRequestError from None
    if not isinstance(value, dict) or not set(value) <= set(allowed):
        raise InvalidRequestError
    return value


def text_member(body: Mapping[str, Any], name: str) -> str:
    """A member that must be a text. Raises InvalidRequestError."""
    text = optional_text_member(body, name)
    if text is None:
        raise InvalidRequestError
    return text


def optional_text_member(body: Mapping[str, Any], name: str) -> str | None:
    """A member that may be missing or null. Raises InvalidRequestError if it is no text."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > _LONGEST_TEXT:
        raise InvalidRequestError
    if not _is_encodable(value):
        raise InvalidRequestError
    return value


def _is_encodable(text: str) -> bool:
    """JSON can spell half a surrogate pair, which has no form in UTF-8 (RFC 8259, section 8.2)."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def object_member(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is an object, empty if it is missing or null. Raises InvalidRequestError."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidRequestError
    return value


def query_text(req: func.HttpRequest, name: str) -> str | None:
    """A parameter of the query, None if it is missing or empty. Raises InvalidRequestError."""
    value = req.params.get(name) or None
    if value is not None and len(value) > _LONGEST_TEXT:
        raise InvalidRequestError
    return value


def query_instant(req: func.HttpRequest, name: str) -> datetime | None:
    """A time of the query (RFC 3339, exact to the microsecond), None if it is missing or empty.

    Raises InvalidRequestError; a `+` that was sent as it is arrives as a space, and is refused.
    """
    text = query_text(req, name)
    if text is None:
        return None
    if not _INSTANT.fullmatch(text):
        raise InvalidRequestError
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequestError from None
