"""The external client app as registered at Salesforce, and the answers scripted for it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from local import scene
from local.simulators.salesforce.errors import OAuthError, RestError
from local.simulators.salesforce.variables import Json

# In the order in which a token answer lists them. `offline_access` is the same as `refresh_token`.
SCOPES: Final = ("refresh_token", "web", "api", "lightning")
_SAME_AS: Final = {"offline_access": "refresh_token"}
TOKEN_KINDS: Final = ("authorization_code", "refresh_token")
SCRIPTED_KINDS: Final = ("authorize", *TOKEN_KINDS)
_LONGEST_CALLBACK_LIST: Final = 2000  # characters, all callbacks together


@dataclass(kw_only=True)
class App:
    """One confidential client. `processing_seconds` is how long a refresh token stays in process
    beyond the time that the code takes."""

    client_id: str = scene.SALESFORCE_CLIENT_ID
    client_secret: str = scene.SALESFORCE_CLIENT_SECRET
    redirect_uris: frozenset[str] = frozenset()
    processing_seconds: float = 0.02

    def register(self, redirect_uris: Iterable[str]) -> None:
        """Replace the callback URLs; `ValueError` when the list is too long for Salesforce."""
        listed = sorted(set(redirect_uris))
        if len("\n".join(listed)) > _LONGEST_CALLBACK_LIST:
            raise ValueError(f"callbacks may have {_LONGEST_CALLBACK_LIST} characters in all")
        self.redirect_uris = frozenset(listed)


def granted_scopes(requested: str) -> frozenset[str] | None:
    """The scopes of a request, `offline_access` folded into `refresh_token`; all of the app's
    when none is named; None when one is not the app's."""
    named = {_SAME_AS.get(scope, scope) for scope in requested.split()}
    if not named:
        return frozenset(SCOPES)
    return frozenset(named) if named <= set(SCOPES) else None


def scope_text(scopes: frozenset[str]) -> str:
    """As in a token answer: Salesforce's order, not the request's."""
    return " ".join(scope for scope in SCOPES if scope in scopes)


@dataclass(kw_only=True)
class ScriptedOAuthError:
    """What the next `times` requests of a kind (one of `SCRIPTED_KINDS`) are answered. At the token
    endpoint it is a row of the table of refusals; the authorize page has errors of its own."""

    kind: str
    error: str
    description: str
    status: int
    times: int


@dataclass(kw_only=True)
class ScriptedRestError:
    """What the next `times` REST calls below `path` are answered."""

    path: str
    error_code: str
    message: str
    status: int
    times: int
    fields: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Scripted:
    """Answers set beforehand by a test or a person; each is used up by its requests."""

    oauth: list[ScriptedOAuthError] = field(default_factory=list)
    rest: list[ScriptedRestError] = field(default_factory=list)
    token_overrides: list[dict[str, Json]] = field(default_factory=list)

    def raise_for(self, kind: str) -> None:
        """Raises the next `OAuthError` for requests of this kind, if one is left."""
        for planned in self.oauth:
            if planned.kind == kind and planned.times > 0:
                planned.times -= 1
                raise OAuthError(planned.error, planned.description, planned.status)

    def raise_for_path(self, path: str) -> None:
        """Raises the next `RestError` for this path, if one is left."""
        for planned in self.rest:
            if path.startswith(planned.path) and planned.times > 0:
                planned.times -= 1
                raise RestError(planned.error_code, planned.message, planned.status, planned.fields)

    def next_token_overrides(self) -> dict[str, Json]:
        """Fields to put into the next token answer; null removes one."""
        return self.token_overrides.pop(0) if self.token_overrides else {}
