"""The counterparties of the service, made up on this machine: see `simulator.py` for what one is.

Imports stand inside the functions, so that a simulator can be imported without all the others.
"""
# ruff: noqa: PLC0415 - see above

import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local import scene

if TYPE_CHECKING:
    from local.simulators.simulator import Simulator

# Whose hosts get a port each. The starter of the stack needs this before anything else, and cannot
# wait for the simulators to be imported; tests/local/test_server.py compares it with theirs.
PRODUCTION_HOSTS: Final[Mapping[str, tuple[str, ...]]] = {
    "entra": (scene.ENTRA_HOST,),
    "google": scene.GOOGLE_HOSTS,
    "salesforce": (*scene.SALESFORCE_LOGIN_HOSTS, *scene.SALESFORCE_ORG_HOSTS),
    "keyvault": (scene.KEY_VAULT_HOST,),
    "sinks": (scene.SENTRY_HOST, scene.APP_INSIGHTS_HOST),
}


def all_simulators(
    *,
    azurite: str,
    azurite_blobs: str,
    tls: ssl.SSLContext,
    kept_in: Path | None = None,
    clock: Callable[[], float] = time.time,
) -> "tuple[Simulator, ...]":
    """One of each. `azurite` and `azurite_blobs` are the URLs of the account at Azurite's Table and
    Blob service, and `tls` trusts their certificates. `kept_in` is the folder in which what must
    outlive a restart is kept."""
    from local.simulators.azure_tokens import AzureTokens
    from local.simulators.azurite_proxy import AzuriteProxy
    from local.simulators.blobs import Blobs
    from local.simulators.entra import Entra
    from local.simulators.google import Google
    from local.simulators.key_vault import KeyVault
    from local.simulators.key_vault_at_start import VaultAtStart
    from local.simulators.managed_identity import ManagedIdentity
    from local.simulators.salesforce import Salesforce
    from local.simulators.sinks import Sinks
    from local.simulators.tables import Tables

    tokens = AzureTokens(clock=clock)  # what the identity endpoint issues, the others verify
    return (
        Entra(tokens=tokens, clock=clock),
        Google(clock=clock),
        Salesforce(clock=clock),
        KeyVault(tokens=tokens, clock=clock, at_start=VaultAtStart.kept_in(kept_in)),
        Sinks(tokens=tokens, clock=clock),
        ManagedIdentity(tokens=tokens, clock=clock),
        Tables(AzuriteProxy(azurite, tls=tls, tokens=tokens)),
        Blobs(AzuriteProxy(azurite_blobs, tls=tls, tokens=tokens)),
    )
