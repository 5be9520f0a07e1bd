"""Salesforce sends the browser back: trade the code, and park the grant for its owner to claim."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from shared.errors import (
    FlowRunnerError,
    InvalidStateError,
    OrgNotAllowedError,
    SalesforceForbiddenError,
    TenantNotAllowedError,
)
from shared.limits import RateLimit
from shared.model import Grant, OneTimeCode, Pending, PendingKind, Tenant, TenantId, pending_place
from shared.ports import Clock, PendingStore, SalesforceLogin, TenantStore, Vault
from shared.secret import Secret
from shared.telemetry.events import event
from shared.usecases.revocation import Revocations
from shared.usecases.sealed_grants import SealedGrants

PARKED_LIFETIME = timedelta(minutes=10)


class NoCode(Enum):
    """What may come back instead of an authorization code."""

    DENIED = "denied"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What the browser is told: a completion code for the pane, or the code of what went wrong.

    `return_to` is None where the connection began without one, or where the state was no good and
    so nothing is known.
    """

    return_to: str | None = None
    completion: OneTimeCode | None = None
    failure: FlowRunnerError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishConnection:
    pending: PendingStore
    vault: Vault
    grants: SealedGrants
    login: SalesforceLogin
    revocations: Revocations
    tenants: TenantStore
    guesses: RateLimit[TenantId]
    clock: Clock

    async def __call__(
        self, state: OneTimeCode, code: Secret | NoCode, browser_nonce: Secret | None
    ) -> Arrival:
        """Never raises an expected failure: the browser is to be sent home in any case.

        The state is used up first, whatever else is wrong: it serves one return only. If there is
        none such, the failure is InvalidStateError, or TooManyRequestsError while states of this
        tenant are being guessed. Every guess costs one read of the store, and no number of them
        refuses a state that is right.
        """
        try:
            taken = await self._take(state)
            asked: dict[str, Any] = json.loads(await self.vault.open(taken.place, taken.sealed))
        except FlowRunnerError as exc:
            return Arrival(failure=exc)
        try:
            completion = await self._park(taken, asked, code, browser_nonce)
        except FlowRunnerError as exc:
            event("connect_failed", tenant=taken.tenant, user=taken.user, code=exc.code)
            return Arrival(return_to=asked["return_to"], failure=exc)
        return Arrival(return_to=asked["return_to"], completion=completion)

    async def _take(self, state: OneTimeCode) -> Pending:
        taken = await self.pending.take(state.tenant, PendingKind.STATE, state.digest)
        if taken is None:
            self.guesses.take(state.tenant)
            raise InvalidStateError
        if taken.expires_at <= self.clock():
            raise InvalidStateError
        return taken

    async def _park(
        self,
        taken: Pending,
        asked: dict[str, Any],
        code: Secret | NoCode,
        browser_nonce: Secret | None,
    ) -> OneTimeCode:
        _require_same_browser(asked["browser"], browser_nonce)
        if code is NoCode.UNREADABLE:
            raise InvalidStateError
        if code is NoCode.DENIED:
            raise SalesforceForbiddenError  # the user, or an administrator's policy, said no
        tenant = await self._tenant(taken)  # before the code is spent: after it, nothing may fail
        grant = await self.login.redeem_code(
            asked["login_host"], code=code, verifier=Secret(asked["verifier"])
        )
        try:
            if not tenant.settings.allows(grant.org):
                raise OrgNotAllowedError
            return await self._keep(taken, grant)
        except FlowRunnerError:
            await self.revocations.discard(grant, taken.tenant, taken.user)  # nobody can claim it
            raise

    async def _tenant(self, taken: Pending) -> Tenant:
        tenant = await self.tenants.load(taken.tenant)
        if tenant is None or not tenant.is_active:
            raise TenantNotAllowedError
        return tenant

    async def _keep(self, taken: Pending, grant: Grant) -> OneTimeCode:
        completion = OneTimeCode.new(taken.tenant)
        place = pending_place(taken.tenant, PendingKind.PARKED, completion.digest)
        await self.pending.put(
            Pending(
                kind=PendingKind.PARKED,
                tenant=taken.tenant,
                digest=completion.digest,
                user=taken.user,
                sealed=await self.grants.seal(place, grant),
                expires_at=self.clock() + PARKED_LIFETIME,
            )
        )
        return completion


def _require_same_browser(expected: str, nonce: Secret | None) -> None:
    """The browser that comes back is the one that left: this is what stops login CSRF."""
    given = b"" if nonce is None else nonce.reveal().encode()
    if not hmac.compare_digest(hashlib.sha256(given).hexdigest(), expected):
        raise InvalidStateError
