"""Puts the service together: the settings, the network, every adapter, every use case.

Nothing connects here, and nothing heavy is imported until it is asked for: the Functions host has
no start-up hook, and a cold start is paid for by a waiting user. A health check imports no SDK.
"""

from functools import cached_property
from typing import TYPE_CHECKING

from shared import ports
from shared.limits import RateLimit
from shared.model import TenantId
from shared.settings import Settings
from shared.usecases.authenticate import Authenticate
from shared.usecases.back_up_tenant import BackUpTenant
from shared.usecases.back_up_tenants import BackUpTenants
from shared.usecases.begin_connection import BeginConnection
from shared.usecases.carry_out_deletion import CarryOutDeletion
from shared.usecases.change_settings import ChangeSettings
from shared.usecases.clean_up import CleanUp
from shared.usecases.complete_connection import CompleteConnection
from shared.usecases.confirm_deletion import ConfirmDeletion
from shared.usecases.deletion_ledger import DeletionLedger, PutBackDeletions
from shared.usecases.describe_flow import DescribeFlow
from shared.usecases.disconnect import Disconnect
from shared.usecases.export_runs import ExportRuns
from shared.usecases.fence import Fence
from shared.usecases.finish_connection import FinishConnection
from shared.usecases.grant_journal import GrantJournal
from shared.usecases.invoke_flow import InvokeFlow
from shared.usecases.keep_alive import KeepAlive
from shared.usecases.list_connections import ListConnections
from shared.usecases.list_flows import ListFlows
from shared.usecases.list_runs import ListRuns
from shared.usecases.my_data import MyData
from shared.usecases.org_access import OrgAccess
from shared.usecases.publish_keys import PublishKeys
from shared.usecases.read_deletion import ReadDeletion
from shared.usecases.read_settings import ReadSettings
from shared.usecases.refresh_grant import RefreshGrant
from shared.usecases.request_deletion import RequestDeletion
from shared.usecases.reseal_values import ResealValues
from shared.usecases.restore_backup import RestoreBackup
from shared.usecases.revocation import Revocations
from shared.usecases.revoke_grants import RevokeGrants
from shared.usecases.rotate_keys import RotateKeys
from shared.usecases.sealed_grants import SealedGrants
from shared.usecases.sign_document import SignDocument
from shared.usecases.sign_in import SignIn
from shared.usecases.sign_out import SignOut
from shared.usecases.start_connection import StartConnection
from shared.usecases.suspend_tenant import SuspendTenant
from shared.usecases.work_off_deletions import WorkOffDeletions
from shared.usecases.work_off_revocations import WorkOffRevocations

if TYPE_CHECKING:
    from shared.network import Network


class Services:
    """Every use case, made when it is first asked for, and kept."""

    def __init__(self, settings: Settings, outside: ports.Outside) -> None:
        self.settings = settings
        self._outside = outside

    async def close(self) -> None:
        """For tests and scripts; the Functions worker has no moment at which to call it."""
        await self._outside.close()

    # --- who ---

    @cached_property
    def authenticate(self) -> Authenticate:
        return Authenticate(
            sessions=self._outside.sessions,
            standings=self._outside.standings,
            user_limit=RateLimit(per_minute=120, burst=30),
            tenant_limit=RateLimit(per_minute=3_000, burst=750),
        )

    @cached_property
    def sign_in(self) -> SignIn:
        return SignIn(
            verifier=self._outside.verifier,
            on_behalf_of=self._outside.on_behalf_of,
            allowed_tenants=self.settings.allowed_tenants,
            tenant_regions=self.settings.tenant_regions,
            region=self.settings.deployment_region,
            gates=self._outside.gates,
            deletions=self._outside.deletions,
            tenants=self._outside.tenants,
            users=self._outside.users,
            connections=self._outside.connections,
            vault=self._outside.vault,
            pseudonyms=self._outside.pseudonyms,
            sessions=self._outside.sessions,
            limit=RateLimit(per_minute=10, burst=10),
            clock=self._outside.clock,
        )

    @cached_property
    def sign_out(self) -> SignOut:
        return SignOut(users=self._outside.users, standings=self._outside.standings)

    # --- connecting Salesforce ---

    @cached_property
    def begin_connection(self) -> BeginConnection:
        return BeginConnection(
            pending=self._outside.pending,
            vault=self._outside.vault,
            clock=self._outside.clock,
            default_login_host=self.settings.salesforce_login_host,
            return_urls=frozenset(self.settings.addin_return_urls),
        )

    @cached_property
    def start_connection(self) -> StartConnection:
        return StartConnection(
            pending=self._outside.pending,
            vault=self._outside.vault,
            login=self._outside.login,
            guesses=self._guesses,
            clock=self._outside.clock,
        )

    @cached_property
    def finish_connection(self) -> FinishConnection:
        return FinishConnection(
            pending=self._outside.pending,
            vault=self._outside.vault,
            grants=self._grants,
            login=self._outside.login,
            revocations=self._revocations,
            tenants=self._outside.tenants,
            guesses=self._guesses,
            clock=self._outside.clock,
        )

    @cached_property
    def complete_connection(self) -> CompleteConnection:
        return CompleteConnection(
            tenants=self._outside.tenants,
            pending=self._outside.pending,
            connections=self._outside.connections,
            grants=self._grants,
            revocations=self._revocations,
            access=self._access,
            clock=self._outside.clock,
        )

    @cached_property
    def list_connections(self) -> ListConnections:
        return ListConnections(connections=self._outside.connections, grants=self._grants)

    @cached_property
    def disconnect(self) -> Disconnect:
        return Disconnect(
            connections=self._outside.connections,
            revocations=self._revocations,
            access=self._access,
            clock=self._outside.clock,
        )

    # --- Flows and runs ---

    @cached_property
    def list_flows(self) -> ListFlows:
        return ListFlows(
            connections=self._outside.connections,
            access=self._access,
            flows=self._outside.flows,
        )

    @cached_property
    def describe_flow(self) -> DescribeFlow:
        return DescribeFlow(
            tenants=self._outside.tenants, access=self._access, flows=self._outside.flows
        )

    @cached_property
    def invoke_flow(self) -> InvokeFlow:
        return InvokeFlow(
            describe=self.describe_flow,
            access=self._access,
            flows=self._outside.flows,
            runs=self._outside.runs,
            tenants=self._outside.tenants,
            vault=self._outside.vault,
            pseudonyms=self._outside.pseudonyms,
            clock=self._outside.clock,
        )

    @cached_property
    def list_runs(self) -> ListRuns:
        return ListRuns(
            runs=self._outside.runs,
            tenants=self._outside.tenants,
            vault=self._outside.vault,
            clock=self._outside.clock,
        )

    @cached_property
    def export_runs(self) -> ExportRuns:
        return ExportRuns(
            runs=self._outside.runs,
            tenants=self._outside.tenants,
            vault=self._outside.vault,
            signer=self._outside.signer,
            clock=self._outside.clock,
        )

    @cached_property
    def publish_keys(self) -> PublishKeys:
        return PublishKeys(signer=self._outside.signer)

    # --- what the tenant has settled ---

    @cached_property
    def read_settings(self) -> ReadSettings:
        return ReadSettings(tenants=self._outside.tenants)

    @cached_property
    def change_settings(self) -> ChangeSettings:
        return ChangeSettings(
            tenants=self._outside.tenants,
            leases=self._outside.leases,
            vault=self._outside.vault,
            read=self.read_settings,
            own_vault=self.settings.key_vault_uri,
            clock=self._outside.clock,
        )

    # --- what is held about a user ---

    @cached_property
    def my_data(self) -> MyData:
        return MyData(
            gates=self._outside.gates,
            tenants=self._outside.tenants,
            users=self._outside.users,
            connections=self._outside.connections,
            outbox=self._outside.outbox,
            pending=self._outside.pending,
            runs=self._outside.runs,
            deletions=self._outside.deletions,
            vault=self._outside.vault,
            grants=self._grants,
            clock=self._outside.clock,
        )

    # --- what is kept goes as promised ---

    @cached_property
    def request_deletion(self) -> RequestDeletion:
        return RequestDeletion(deletions=self._outside.deletions, clock=self._outside.clock)

    @cached_property
    def confirm_deletion(self) -> ConfirmDeletion:
        return ConfirmDeletion(
            deletions=self._outside.deletions,
            fence=self._fence,
            standings=self._outside.standings,
            clock=self._outside.clock,
        )

    @cached_property
    def read_deletion(self) -> ReadDeletion:
        return ReadDeletion(deletions=self._outside.deletions)

    @cached_property
    def work_off_deletions(self) -> WorkOffDeletions:
        return WorkOffDeletions(
            deletions=self._outside.deletions,
            carry_out=self.carry_out_deletion,
            clock=self._outside.clock,
        )

    @cached_property
    def carry_out_deletion(self) -> CarryOutDeletion:
        return CarryOutDeletion(
            deletions=self._outside.deletions,
            fence=self._fence,
            revoke=RevokeGrants(
                connections=self._outside.connections,
                outbox=self._outside.outbox,
                pending=self._outside.pending,
                journal=self._journal,
                grants=self._grants,
                login=self._outside.login,
                clock=self._outside.clock,
            ),
            erasure=self._outside.erasure,
            tenant_keys=self._outside.tenant_keys,
            vault=self._outside.vault,
            leases=self._outside.leases,
            backups=self._outside.backups,
            ledger=DeletionLedger(store=self._outside.backups),
            sign=SignDocument(signer=self._outside.signer),
            issuer=self.settings.public_base_url,
            clock=self._outside.clock,
        )

    @cached_property
    def back_up_tenants(self) -> BackUpTenants:
        return BackUpTenants(
            tenants=self._outside.tenants,
            leases=self._outside.leases,
            back_up_tenant=BackUpTenant(
                tenant_keys=self._outside.tenant_keys,
                copies=self._outside.copies,
                vault=self._outside.vault,
                backups=self._outside.backups,
                clock=self._outside.clock,
            ),
            backups=self._outside.backups,
            clock=self._outside.clock,
        )

    @cached_property
    def restore_backup(self) -> RestoreBackup:
        return RestoreBackup(
            backups=self._outside.backups,
            vaults=self._outside.vaults,
            tenant_keys=self._outside.tenant_keys,
            copies=self._outside.copies,
            gates=self._outside.gates,
            recorded=PutBackDeletions(deletions=self._outside.deletions),
        )

    @cached_property
    def clean_up(self) -> CleanUp:
        return CleanUp(
            tenants=self._outside.tenants,
            leases=self._outside.leases,
            sweeper=self._outside.sweeper,
            pending=self._outside.pending,
            connections=self._outside.connections,
            deletions=self._outside.deletions,
            backups=self._outside.backups,
            clock=self._outside.clock,
        )

    @cached_property
    def work_off_revocations(self) -> WorkOffRevocations:
        return WorkOffRevocations(
            tenants=self._outside.tenants,
            connections=self._outside.connections,
            outbox=self._outside.outbox,
            pending=self._outside.pending,
            journal=self._journal,
            grants=self._grants,
            refresh=self._refresh,
            revocations=self._revocations,
            clock=self._outside.clock,
        )

    @cached_property
    def keep_alive(self) -> KeepAlive:
        return KeepAlive(
            tenants=self._outside.tenants,
            connections=self._outside.connections,
            refresh=self._refresh,
            revocations=self._revocations,
            clock=self._outside.clock,
        )

    @cached_property
    def rotate_keys(self) -> RotateKeys:
        return RotateKeys(
            tenants=self._outside.tenants,
            tenant_keys=self._outside.tenant_keys,
            leases=self._outside.leases,
            vault=self._outside.vault,
            reseal=ResealValues(vault=self._outside.vault, sealed=self._outside.sealed_values),
            backups=self._outside.backups,
            clock=self._outside.clock,
        )

    # --- for operators ---

    @cached_property
    def suspend_tenant(self) -> SuspendTenant:
        return SuspendTenant(tenants=self._outside.tenants)

    # --- steps that several use cases share ---

    @cached_property
    def _guesses(self) -> RateLimit[TenantId]:
        """One-time codes that were not there when they were looked up, by the tenant that they
        name. Each has cost its look into the store: this refuses no code that is there."""
        return RateLimit(per_minute=600, burst=100)

    @cached_property
    def _fence(self) -> Fence:
        return Fence(
            tenants=self._outside.tenants, users=self._outside.users, gates=self._outside.gates
        )

    @cached_property
    def _grants(self) -> SealedGrants:
        return SealedGrants(vault=self._outside.vault)

    @cached_property
    def _access(self) -> OrgAccess:
        return OrgAccess(
            tenants=self._outside.tenants,
            connections=self._outside.connections,
            grants=self._grants,
            refresh=self._refresh,
            clock=self._outside.clock,
        )

    @cached_property
    def _refresh(self) -> RefreshGrant:
        return RefreshGrant(
            connections=self._outside.connections,
            grants=self._grants,
            journal=self._journal,
            login=self._outside.login,
            revocations=self._revocations,
            clock=self._outside.clock,
        )

    @cached_property
    def _revocations(self) -> Revocations:
        return Revocations(
            outbox=self._outside.outbox,
            grants=self._grants,
            login=self._outside.login,
            clock=self._outside.clock,
        )

    @cached_property
    def _journal(self) -> GrantJournal:
        return GrantJournal(backups=self._outside.backups)


def build(settings: Settings, network: "Network | None" = None) -> Services:
    """The service as deployed. `network` is given by the local stack alone."""
    from shared.outside import Azure  # noqa: PLC0415 - see the module's first words

    outside = Azure(settings, network)
    outside.attach_telemetry()
    return Services(settings, outside)
