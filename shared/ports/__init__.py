"""What the service may ask of the outside world. Adapters and the tests' fakes both satisfy these.

Each method names the errors that a caller must expect beyond the adapter's own `UpstreamError`
(StorageFailedError for stores, KeyVaultFailedError for keys, and so on), which any call may raise.
"""

from shared.ports.backups import BackupStore, RecordedDeletions, TableCopies, Vaults
from shared.ports.clock import Clock
from shared.ports.housekeeping import DeletionStore, Erasure, Gates, Leases, Sweeper
from shared.ports.identity import IdentityVerifier, OnBehalfOf, Sessions, Standings
from shared.ports.keys import KeyWrapper, Pseudonyms, Signer, Vault
from shared.ports.outside import Outside
from shared.ports.readiness import Probe
from shared.ports.salesforce import SalesforceFlows, SalesforceLogin, SalesforceSessions
from shared.ports.sealed_values import SealedValues
from shared.ports.stores import (
    ConnectionStore,
    PendingStore,
    RevocationOutbox,
    RunStore,
    TenantKeyStore,
    TenantStore,
    UserStore,
)

__all__ = [
    "BackupStore",
    "Clock",
    "ConnectionStore",
    "DeletionStore",
    "Erasure",
    "Gates",
    "IdentityVerifier",
    "KeyWrapper",
    "Leases",
    "OnBehalfOf",
    "Outside",
    "PendingStore",
    "Probe",
    "Pseudonyms",
    "RecordedDeletions",
    "RevocationOutbox",
    "RunStore",
    "SalesforceFlows",
    "SalesforceLogin",
    "SalesforceSessions",
    "SealedValues",
    "Sessions",
    "Signer",
    "Standings",
    "Sweeper",
    "TableCopies",
    "TenantKeyStore",
    "TenantStore",
    "UserStore",
    "Vault",
    "Vaults",
]
