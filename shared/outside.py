"""Everything outside the service, as deployed: the only file that knows every adapter.

Each adapter is imported and made when it is first asked for, and kept; none connects before its
first call. The imports stand inside for that reason: together the SDKs take most of a second.
"""

# ruff: noqa: PLC0415 - see above

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from shared.settings import Settings
from shared.telemetry import events
from shared.telemetry.app_insights import AppInsightsSink
from shared.telemetry.sentry import SentrySink
from shared.telemetry.sinks import Sink

if TYPE_CHECKING:
    import requests
    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential

    from shared import ports
    from shared.azure_transport import NetworkTransport
    from shared.crypto.key_vault import KeyVaultSecrets
    from shared.network import Network
    from shared.storage.tables import Tables

RELEASE: Final = "flowrunner-backend@0.1.0"


class Azure:
    """Satisfies `ports.Outside` with Azure Tables, Key Vault, Entra ID, Google and Salesforce."""

    def __init__(self, settings: Settings, network: "Network | None") -> None:
        self._settings = settings
        self._given_network = network
        self._sinks: list[Sink] = []

    @cached_property
    def clock(self) -> "ports.Clock":
        return lambda: datetime.now(UTC)

    def attach_telemetry(self) -> None:
        """Send events where the settings say. The sinks set themselves up at their first event."""
        events.quiet_libraries()
        if self._settings.sentry_dsn is not None:
            self._attach(
                SentrySink(
                    self._settings.sentry_dsn,
                    release=RELEASE,
                    region=self._settings.deployment_region,
                    session_factory=self._telemetry_session,
                )
            )
        if self._settings.applicationinsights_connection_string is not None:
            self._attach(
                AppInsightsSink(
                    self._settings.applicationinsights_connection_string,
                    session_factory=self._telemetry_session,
                    credential=self._telemetry_credential,
                )
            )

    def _attach(self, sink: Sink) -> None:
        events.attach(sink)
        self._sinks.append(sink)

    def _telemetry_session(self) -> "requests.Session":
        return self._network.requests_session()

    def _telemetry_credential(self) -> "TokenCredential":
        """The managed identity once more: the exporter is synchronous and has its own thread."""
        return self._synchronous_credential()

    async def close(self) -> None:
        """Close what was opened."""
        for sink in self._sinks:
            await asyncio.to_thread(events.detach, sink)
        if (on_behalf_of := self.__dict__.get("on_behalf_of")) is not None:
            on_behalf_of.close()
        if (login := self.__dict__.get("login")) is not None:
            login.close()
        if "_credential" in self.__dict__:
            await self._credential.close()
        if "_network" in self.__dict__:
            await self._network.close()

    # --- identity ---

    @cached_property
    def verifier(self) -> "ports.IdentityVerifier":
        from shared.identity.google import GooglePolicy
        from shared.identity.key_sets import KeySets
        from shared.identity.microsoft import MicrosoftPolicy
        from shared.identity.verifier import PolicyVerifier

        key_sets = KeySets(self._network)
        return PolicyVerifier(
            microsoft=MicrosoftPolicy(
                key_sets,
                audience=self._settings.entra_client_id,
                addin_clients=frozenset(self._settings.entra_addin_client_ids),
                accept_v1=self._settings.entra_accept_v1_tokens,
                admit_guests=self._settings.entra_admit_guests,
                clock=self.clock,
            ),
            google=GooglePolicy(
                key_sets,
                clients=frozenset(self._settings.google_client_ids),
                admins=self._settings.google_admin_subjects,
                clock=self.clock,
            ),
        )

    @cached_property
    def on_behalf_of(self) -> "ports.OnBehalfOf | None":
        if not self._settings.entra_on_behalf_of:
            return None
        from shared.identity.on_behalf_of import MsalOnBehalfOf

        # msal is synchronous and asks from its thread, so this credential is, too.
        credential = self._synchronous_credential()
        return MsalOnBehalfOf(
            self._network,
            client_id=self._settings.entra_client_id,
            client_assertion=lambda: (
                credential.get_token("api://AzureADTokenExchange/.default").token
            ),
            clock=self.clock,
        )

    @cached_property
    def sessions(self) -> "ports.Sessions":
        from shared.identity.sessions import SignedSessions

        return SignedSessions(secrets=self._secrets, clock=self.clock)

    @cached_property
    def standings(self) -> "ports.Standings":
        from shared.storage.standings import StoredStandings

        return StoredStandings(tenants=self.tenants, users=self.users)

    # --- stores ---

    @cached_property
    def gates(self) -> "ports.Gates":
        from shared.storage.gates import TableGates

        return TableGates(self._tables)

    @cached_property
    def leases(self) -> "ports.Leases":
        from shared.storage.leases import TableLeases

        return TableLeases(self._tables, clock=self.clock)

    @cached_property
    def tenants(self) -> "ports.TenantStore":
        from shared.storage.tenants import TableTenantStore

        return TableTenantStore(self._tables)

    @cached_property
    def tenant_keys(self) -> "ports.TenantKeyStore":
        from shared.storage.tenant_keys import TableTenantKeyStore

        return TableTenantKeyStore(self._tables)

    @cached_property
    def users(self) -> "ports.UserStore":
        from shared.storage.users import TableUserStore

        return TableUserStore(self._tables)

    @cached_property
    def connections(self) -> "ports.ConnectionStore":
        from shared.storage.connections import TableConnectionStore

        return TableConnectionStore(self._tables)

    @cached_property
    def outbox(self) -> "ports.RevocationOutbox":
        from shared.storage.outbox import TableRevocationOutbox

        return TableRevocationOutbox(self._tables)

    @cached_property
    def pending(self) -> "ports.PendingStore":
        from shared.storage.pending import TablePendingStore

        return TablePendingStore(self._tables)

    @cached_property
    def runs(self) -> "ports.RunStore":
        from shared.storage.runs import TableRunStore

        return TableRunStore(self._tables)

    @cached_property
    def sweeper(self) -> "ports.Sweeper":
        from shared.storage.sweeper import TableSweeper

        return TableSweeper(self._tables)

    @cached_property
    def deletions(self) -> "ports.DeletionStore":
        from shared.storage.deletions import TableDeletionStore

        return TableDeletionStore(self._tables)

    @cached_property
    def erasure(self) -> "ports.Erasure":
        from shared.storage.erasure import TableErasure

        return TableErasure(self._tables)

    @cached_property
    def backups(self) -> "ports.BackupStore":
        from shared.storage.backups import BlobBackupStore

        return BlobBackupStore(
            self._settings.backup_endpoint,
            credential=self._credential,
            transport=self._azure_transport,
        )

    @cached_property
    def copies(self) -> "ports.TableCopies":
        from shared.storage.copies import TableCopies

        return TableCopies(self._tables)

    @cached_property
    def sealed_values(self) -> "ports.SealedValues":
        from shared.storage.sealed_values import TableSealedValues

        return TableSealedValues(self._tables)

    # --- keys ---

    @cached_property
    def vault(self) -> "ports.Vault":
        return self.vaults(self.tenant_keys)

    def vaults(self, keys: "ports.TenantKeyStore") -> "ports.Vault":
        from shared.crypto.key_vault import KeyVaultKeyWrapper
        from shared.crypto.tenant_vault import TenantVault

        return TenantVault(
            keys=keys,
            wrapper=KeyVaultKeyWrapper(
                self._settings.key_vault_uri,
                credential=self._credential,
                transport=self._azure_transport,
            ),
            clock=self.clock,
        )

    @cached_property
    def pseudonyms(self) -> "ports.Pseudonyms":
        from shared.crypto.pseudonyms import KeyedPseudonyms

        return KeyedPseudonyms(tenants=self.tenants, vault=self.vault)

    @cached_property
    def signer(self) -> "ports.Signer":
        from shared.crypto.signing import KeyVaultSigner

        return KeyVaultSigner(
            self._settings.key_vault_uri,
            credential=self._credential,
            transport=self._azure_transport,
        )

    # --- Salesforce ---

    @cached_property
    def login(self) -> "ports.SalesforceLogin":
        from shared.salesforce.oauth import SalesforceOAuth

        return SalesforceOAuth(
            self._network,
            client_id=self._settings.salesforce_client_id,
            client_secret=self._secrets.current,
            callback_url=self._settings.callback_url,
        )

    @cached_property
    def flows(self) -> "ports.SalesforceFlows":
        from shared.salesforce.flows import RestFlows

        return RestFlows(self._network)

    @cached_property
    def lightning(self) -> "ports.SalesforceSessions":
        from shared.salesforce.lightning import LightningSessions

        return LightningSessions(self._network)

    # --- whether all of it answers ---

    @cached_property
    def probes(self) -> "Sequence[ports.Probe]":
        from shared.crypto.probe import KeyVaultProbe
        from shared.identity import google, microsoft
        from shared.identity.probe import KeySetProbe
        from shared.salesforce.probe import LoginHostProbe
        from shared.storage.probes import BackupsProbe, TablesProbe

        found: list[ports.Probe] = [
            TablesProbe(self._tables),
            BackupsProbe(self.backups),
            KeyVaultProbe(
                self._settings.key_vault_uri,
                credential=self._credential,
                transport=self._azure_transport,
            ),
            KeySetProbe("microsoft", self._network, microsoft.KEYS),
        ]
        if self._settings.google_client_ids:
            found.append(KeySetProbe("google", self._network, google.KEYS))
        found.append(LoginHostProbe(self._network, host=self._settings.salesforce_login_host))
        return found

    # --- what the adapters share ---

    @cached_property
    def _network(self) -> "Network":
        from shared.network import Network

        network = self._given_network or Network()
        network.egress.admit_settings(self._settings)
        return network

    def _synchronous_credential(self) -> "TokenCredential":
        """The managed identity for libraries with threads of their own. The SDK tries four times;
        `timeout` is when it begins no further one."""
        from azure.identity import ManagedIdentityCredential

        from shared.azure_transport import SynchronousIdentityTransport

        return ManagedIdentityCredential(
            client_id=self._settings.azure_client_id,
            transport=SynchronousIdentityTransport(self._network),
            timeout=6,
        )

    def _azure_transport(self) -> "NetworkTransport":
        """Our network for one of the SDK's clients; they all share its session."""
        from shared.azure_transport import NetworkTransport

        return NetworkTransport(self._network)

    @cached_property
    def _credential(self) -> "AsyncTokenCredential":
        """The managed identity: no secret of ours opens anything in Azure."""
        from azure.identity.aio import ManagedIdentityCredential

        from shared.azure_transport import IdentityTransport

        return ManagedIdentityCredential(
            client_id=self._settings.azure_client_id, transport=IdentityTransport(self._network)
        )

    @cached_property
    def _tables(self) -> "Tables":
        from shared.storage.tables import Tables

        return Tables(
            self._settings.tables_endpoint,
            credential=self._credential,
            transport=self._azure_transport,
        )

    @cached_property
    def _secrets(self) -> "KeyVaultSecrets":
        from shared.crypto.key_vault import KeyVaultSecrets

        return KeyVaultSecrets(
            self._settings.key_vault_uri,
            credential=self._credential,
            transport=self._azure_transport,
            clock=self.clock,
        )
