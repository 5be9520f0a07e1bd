"""What is kept goes as promised: deletion, backups, and the work of the timers."""

# ruff: noqa: PLC0415 - imported at first use: see shared/services/__init__.py

from functools import cached_property
from typing import TYPE_CHECKING

from shared.services.steps import Steps

if TYPE_CHECKING:
    from shared.usecases.back_up_tenants import BackUpTenants
    from shared.usecases.carry_out_deletion import CarryOutDeletion
    from shared.usecases.clean_up import CleanUp
    from shared.usecases.confirm_deletion import ConfirmDeletion
    from shared.usecases.keep_alive import KeepAlive
    from shared.usecases.read_deletion import ReadDeletion
    from shared.usecases.request_deletion import RequestDeletion
    from shared.usecases.restore_backup import RestoreBackup
    from shared.usecases.rotate_keys import RotateKeys
    from shared.usecases.work_off_deletions import WorkOffDeletions
    from shared.usecases.work_off_revocations import WorkOffRevocations


class KeepingServices(Steps):
    @cached_property
    def request_deletion(self) -> "RequestDeletion":
        from shared.usecases.request_deletion import RequestDeletion

        return RequestDeletion(deletions=self._outside.deletions, clock=self._outside.clock)

    @cached_property
    def confirm_deletion(self) -> "ConfirmDeletion":
        from shared.usecases.confirm_deletion import ConfirmDeletion

        return ConfirmDeletion(
            deletions=self._outside.deletions,
            fence=self._fence,
            standings=self._outside.standings,
            clock=self._outside.clock,
        )

    @cached_property
    def read_deletion(self) -> "ReadDeletion":
        from shared.usecases.read_deletion import ReadDeletion

        return ReadDeletion(deletions=self._outside.deletions)

    @cached_property
    def work_off_deletions(self) -> "WorkOffDeletions":
        from shared.usecases.work_off_deletions import WorkOffDeletions

        return WorkOffDeletions(
            deletions=self._outside.deletions,
            carry_out=self.carry_out_deletion,
            clock=self._outside.clock,
        )

    @cached_property
    def carry_out_deletion(self) -> "CarryOutDeletion":
        from shared.usecases.carry_out_deletion import CarryOutDeletion
        from shared.usecases.deletion_ledger import DeletionLedger
        from shared.usecases.revoke_grants import RevokeGrants
        from shared.usecases.sign_document import SignDocument

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
    def back_up_tenants(self) -> "BackUpTenants":
        from shared.usecases.back_up_tenant import BackUpTenant
        from shared.usecases.back_up_tenants import BackUpTenants

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
    def restore_backup(self) -> "RestoreBackup":
        from shared.usecases.deletion_ledger import PutBackDeletions
        from shared.usecases.restore_backup import RestoreBackup

        return RestoreBackup(
            backups=self._outside.backups,
            vaults=self._outside.vaults,
            tenant_keys=self._outside.tenant_keys,
            copies=self._outside.copies,
            gates=self._outside.gates,
            recorded=PutBackDeletions(deletions=self._outside.deletions),
        )

    @cached_property
    def clean_up(self) -> "CleanUp":
        from shared.usecases.clean_up import CleanUp

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
    def work_off_revocations(self) -> "WorkOffRevocations":
        from shared.usecases.work_off_revocations import WorkOffRevocations

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
    def keep_alive(self) -> "KeepAlive":
        from shared.usecases.keep_alive import KeepAlive

        return KeepAlive(
            tenants=self._outside.tenants,
            connections=self._outside.connections,
            refresh=self._refresh,
            revocations=self._revocations,
            clock=self._outside.clock,
        )

    @cached_property
    def rotate_keys(self) -> "RotateKeys":
        from shared.usecases.reseal_values import ResealValues
        from shared.usecases.rotate_keys import RotateKeys

        return RotateKeys(
            tenants=self._outside.tenants,
            tenant_keys=self._outside.tenant_keys,
            leases=self._outside.leases,
            vault=self._outside.vault,
            reseal=ResealValues(vault=self._outside.vault, sealed=self._outside.sealed_values),
            backups=self._outside.backups,
            clock=self._outside.clock,
        )
