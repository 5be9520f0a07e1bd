"""What Entra ID publishes about itself: OpenID metadata, key sets, instance discovery.

Follows https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc.
"""

import re
from typing import Any, Final

from local import scene
from local.simulators.entra_claims import issuer_v1, issuer_v2
from local.simulators.entra_refusals import EntraRefusal, tenant_not_found
from local.simulators.signing_keys import SigningKey

CONSUMERS: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
ALIASES: Final = ("common", "organizations", "consumers")

_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CLOUD: Final = "microsoftonline.com"
_AUTHORITIES: Final = (scene.ENTRA_HOST, "login.windows.net", "login.microsoft.com")


def tenant_named(tenant: str) -> str:
    """An alias, or a tenant's id in lower case. Every GUID is a tenant here, no domain name is.

    Raises `EntraRefusal`.
    """
    if tenant in ALIASES:
        return tenant
    if _GUID.fullmatch(tenant):
        return tenant.lower()
    raise tenant_not_found(tenant)


def issuing_tenant(tenant: str) -> str:
    """As `issuer` shows it: the aliases for many tenants leave a literal placeholder."""
    return {
        "common": "{tenantid}",
        "organizations": "{tenantid}",
        "consumers": CONSUMERS,
    }.get(tenant, tenant)


def _metadata(base: str) -> dict[str, Any]:
    """What both versions say alike; `base` is the root of the tenant's endpoints."""
    return {
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "device_authorization_endpoint": f"{base}/devicecode",
        "end_session_endpoint": f"{base}/logout",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "request_uri_parameter_supported": False,
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "claims_supported": [
            "sub", "iss", "cloud_instance_name", "cloud_instance_host_name",
            "cloud_graph_host_name", "msgraph_host", "aud", "exp", "iat", "auth_time", "acr",
            "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email",
        ],
        "tenant_region_scope": "EU",
        "cloud_instance_name": _CLOUD,
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }  # fmt: skip


def metadata_v2(tenant: str) -> dict[str, Any]:
    root = f"https://{scene.ENTRA_HOST}/{tenant}"
    return {
        **_metadata(f"{root}/oauth2/v2.0"),
        "issuer": issuer_v2(issuing_tenant(tenant)),
        "jwks_uri": f"{root}/discovery/v2.0/keys",
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "kerberos_endpoint": f"{root}/kerberos",
    }


def metadata_v1(tenant: str) -> dict[str, Any]:
    root = f"https://{scene.ENTRA_HOST}/{tenant}"
    return {
        **_metadata(f"{root}/oauth2"),
        "issuer": issuer_v1(issuing_tenant(tenant)),
        "jwks_uri": f"{root}/discovery/keys",
        "userinfo_endpoint": f"{root}/openid/userinfo",
        "check_session_iframe": f"{root}/oauth2/checksession",
    }


def key_v1(key: SigningKey) -> dict[str, Any]:
    """One member of a key set, as version 1 publishes it."""
    return {
        **key.public_members(),
        "use": "sig",
        "kid": key.x5t,
        "x5t": key.x5t,
        "x5c": [key.x5c],
    }


def key_v2(key: SigningKey, tenant: str) -> dict[str, Any]:
    """Version 2 says for which issuer the key signs: it must match the token's."""
    return {
        **key_v1(key),
        "cloud_instance_name": _CLOUD,
        "issuer": issuer_v2(issuing_tenant(tenant)),
    }


def instance_discovery(authorization_endpoint: str) -> dict[str, Any]:
    """Whether an authority is one of Microsoft's; raises `EntraRefusal` where it is not."""
    match = re.fullmatch(r"https://([^/]+)/([^/]+)/.+", authorization_endpoint)
    if match is None or match[1] not in _AUTHORITIES:
        raise EntraRefusal("invalid_instance", 50049, "Unknown or invalid instance.")
    return {
        "tenant_discovery_endpoint": (
            f"https://{match[1]}/{match[2]}/v2.0/.well-known/openid-configuration"
        ),
        "api-version": "1.1",
        "metadata": [
            {
                "preferred_network": scene.ENTRA_HOST,
                "preferred_cache": "login.windows.net",
                "aliases": [*_AUTHORITIES, "sts.windows.net"],
            }
        ],
    }
