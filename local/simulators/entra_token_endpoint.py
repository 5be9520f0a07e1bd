"""The token endpoint of Entra ID: on-behalf-of and client credentials, and nothing else.

Follows https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow.
"""

import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from local import scene
from local.simulators.azure_tokens import AzureTokens
from local.simulators.entra_assertions import ClientAssertions, UserAssertions
from local.simulators.entra_claims import GRAPH, app_token, client_info, graph_token, id_token
from local.simulators.entra_metadata import ALIASES
from local.simulators.entra_refusals import (
    EntraRefusal,
    client_refused,
    client_unknown,
    grant_unsupported,
    parameter_invalid,
    parameter_missing,
    resource_unknown,
    scope_invalid,
    tenant_required,
)
from local.simulators.signing_keys import KeySet

type Form = Mapping[str, str]

_ON_BEHALF_OF: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE: Final = 3599
_CAE_LIFE: Final = 24 * 3600 - 1  # a client that understands claims challenges gets 20-28 hours
_OIDC_SCOPES: Final = ("openid", "profile", "email", "offline_access")
_GRAPH_SCOPE: Final = re.compile(rf"(?:{re.escape(GRAPH)}/)?([A-Z]\w*(?:\.\w+)+|\.default)")


class TokenEndpoint:
    """Grants or raises `EntraRefusal`. `clock` gives Unix seconds."""

    def __init__(
        self, keys: KeySet, *, tokens: AzureTokens | None, clock: Callable[[], float]
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._user_assertions = UserAssertions(keys, clock)
        self._client_assertions = ClientAssertions(tokens, clock)
        self.reset()

    def reset(self) -> None:
        self._ordered: EntraRefusal | None = None
        self._ordered_times = 0

    def order_refusal(self, refusal: EntraRefusal | None, times: int) -> None:
        """The next `times` on-behalf-of requests that are otherwise good get this refusal."""
        self._ordered, self._ordered_times = refusal, times

    def answer(self, tenant: str, form: Form) -> dict[str, Any]:
        """The JSON of a granted request."""
        grant_type = _required(form, "grant_type")
        grant = {_ON_BEHALF_OF: self._on_behalf_of, "client_credentials": self._client_credentials}
        if grant_type not in grant:
            raise grant_unsupported(grant_type)
        _required(form, "client_id")
        if tenant in ALIASES:
            raise tenant_required(tenant)
        credential = self._authenticate_client(tenant, form)
        return grant[grant_type](tenant, form, credential)

    def _authenticate_client(self, tenant: str, form: Form) -> str:
        """How the client proved itself, as `appidacr` tells it: "1" a secret, "2" an assertion."""
        client_id, secret = form["client_id"], form.get("client_secret")
        assertion = form.get("client_assertion")
        if client_id == scene.ENTRA_ADDIN_CLIENT_ID:
            raise client_refused(
                700025,
                f"Client '{client_id}' is public so neither 'client_assertion' nor "
                "'client_secret' should be presented.",
            )
        if client_id != scene.ENTRA_API_CLIENT_ID:
            raise client_unknown(client_id, tenant)
        if assertion is not None and secret is not None:
            raise parameter_invalid("Only one means of client authentication may be used.")
        if assertion is not None:
            self._client_assertions.check(_required(form, "client_assertion_type"), assertion)
            return "2"
        if secret is None:
            raise client_refused(
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or "
                "'client_secret'.",
            )
        expected = scene.ENTRA_SERVICE_CLIENT_SECRET
        if not hmac.compare_digest(secret.encode(), expected.encode()):
            raise client_refused(
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is "
                "the client secret value, not the client secret ID, for a secret added to app "
                f"'{client_id}'.",
            )
        return "1"

    def _on_behalf_of(self, tenant: str, form: Form, credential: str) -> dict[str, Any]:
        if _required(form, "requested_token_use") != "on_behalf_of":
            raise parameter_invalid("The value of 'requested_token_use' is not supported.")
        user = self._user_assertions.user_of(_required(form, "assertion"), tenant)
        requested = _required(form, "scope").split()
        granted = _granted_scopes(requested, tenant)
        cae = _understands_claims_challenges(form.get("claims"))
        self._refuse_if_ordered()
        now, life = int(self._clock()), _CAE_LIFE if cae else _LIFE
        access = graph_token(
            user, now=now, life=life, scope=granted, credential=credential, cae=cae
        )
        answer = {
            "token_type": "Bearer",
            "scope": granted,
            "expires_in": life,
            "ext_expires_in": life,
            "access_token": self._signed(access),
        }
        if "offline_access" in requested:
            answer["refresh_token"] = f"0.A{secrets.token_urlsafe(96)}"
        if "openid" in requested:
            answer["id_token"] = self._signed(
                id_token(user, now=now, life=_LIFE, client_id=form["client_id"])
            )
        if form.get("client_info") == "1":
            answer["client_info"] = client_info(user)
        return answer

    def _client_credentials(self, tenant: str, form: Form, credential: str) -> dict[str, Any]:
        scope = _required(form, "scope")
        resource, suffixed, rest = scope.partition("/.default")
        if not suffixed or rest or not resource:
            raise scope_invalid(1002012, scope)
        if resource not in (GRAPH, f"api://{scene.ENTRA_API_CLIENT_ID}"):
            raise resource_unknown(resource, tenant)
        claims = app_token(
            tenant, now=int(self._clock()), life=_LIFE, audience=resource, credential=credential
        )
        return {
            "token_type": "Bearer",
            "expires_in": _LIFE,
            "ext_expires_in": _LIFE,
            "access_token": self._signed(claims),
        }

    def _refuse_if_ordered(self) -> None:
        if self._ordered is not None and self._ordered_times > 0:
            self._ordered_times -= 1
            raise self._ordered

    def _signed(self, claims: Mapping[str, Any]) -> str:
        key = self._keys.named("current")
        header = {"typ": "JWT", "alg": "RS256", "kid": key.x5t}
        if claims["ver"] == "1.0":
            header["x5t"] = key.x5t
        return key.sign(header, claims)


def _required(form: Form, name: str) -> str:
    if not form.get(name):
        raise parameter_missing(name)
    return form[name]


def _granted_scopes(requested: list[str], tenant: str) -> str:
    """The scopes as the answer lists them: Graph's in short form, and no `offline_access`."""
    graph: list[str] = []
    for scope in requested:
        if scope in _OIDC_SCOPES:
            continue
        match = _GRAPH_SCOPE.fullmatch(scope)
        if match is not None:
            graph.append("User.Read" if match[1] == ".default" else match[1])
        elif "://" in scope and not scope.startswith(f"{GRAPH}/"):
            raise resource_unknown(scope.rpartition("/")[0], tenant)
        else:
            raise scope_invalid(70011, scope)
    implied = ["openid", "profile", "email"] if "openid" in requested else []
    return " ".join([*graph, *implied])


def _understands_claims_challenges(claims: str | None) -> bool:
    """Whether `claims` declares the capability `cp1` (OpenID Connect Core, section 5.5)."""
    if claims is None:
        return False
    try:
        capabilities = json.loads(claims)["access_token"]["xms_cc"]["values"]
    except KeyError:
        return False
    except (ValueError, TypeError) as exc:
        raise parameter_invalid("The value of 'claims' is not a claims request.") from exc
    return any(str(capability).casefold() == "cp1" for capability in capabilities)
