"""How Salesforce refuses: each kind of endpoint has its own shape. Nothing here knows HTTP."""

from shared.salesforce.token_refusals import REFUSALS, Refusal


class SalesforceError(Exception):
    """A refusal: the HTTP status, and the word that the ledger keeps as the outcome."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class OAuthError(SalesforceError):
    """`{"error": ..., "error_description": ...}`: token, revoke and introspect endpoints."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error, description, status)


class RestError(SalesforceError):
    """`[{"message": ..., "errorCode": ...}]`: everything under /services/data/.

    https://developer.salesforce.com/docs/platform/api-rest/guide/errorcodes.md
    """

    def __init__(
        self, error_code: str, message: str, status: int = 400, fields: tuple[str, ...] = ()
    ) -> None:
        super().__init__(error_code, message, status)
        self.fields = fields


class IdentityError(SalesforceError):
    """One word of plain text: userinfo, identity URL, single access. Never a 401.

    https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_using_openid.htm
    """

    def __init__(self, word: str, status: int = 403) -> None:
        super().__init__(word, word, status)


class PageError(SalesforceError):
    """A page for the person at the browser; the callback learns nothing."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error, description, status)


class RedirectedError(SalesforceError):
    """The browser is sent back to the callback with `error` and `error_description`."""

    def __init__(self, error: str, description: str, redirect: str) -> None:
        super().__init__(error, description, 302)
        self.redirect = redirect


def row_of(error: str, description: str | None) -> Refusal:
    """The row of the service's table of refusals that says exactly this, in whatever case; without
    a description, the row of the error that says the least. Raises ValueError if there is none."""
    rows = [row for row in REFUSALS if row.error == error]
    if description is None and rows:
        return min(rows, key=lambda row: len(row.words))
    for row in rows:
        if row.said.lower() == str(description).lower():
            return row
    raise ValueError(f"the table of refusals has no row {error!r} with {description!r}")


def token_refusal(error: str, description: str) -> OAuthError:
    """A refusal of the token endpoint, which must be a row of the table: what the simulator
    answers is what the service knows how to take."""
    return OAuthError(error, row_of(error, description).said)


def expired_token() -> OAuthError:
    """Revoked, rotated out, idle for too long, or never issued: the client is not told which."""
    return token_refusal("invalid_grant", "expired access/refresh token")


def session_expired() -> RestError:
    return RestError("INVALID_SESSION_ID", "Session expired or invalid", 401)


def not_found() -> RestError:
    return RestError("NOT_FOUND", "The requested resource does not exist", 404)
