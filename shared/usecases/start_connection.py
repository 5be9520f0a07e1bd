"""The browser opens the ticket's address: bind this browser, and send it to Salesforce."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta

from shared.errors import InvalidStateError
from shared.limits import RateLimit
from shared.model import OneTimeCode, Pending, PendingKind, TenantId, pending_place
from shared.ports import Clock, PendingStore, SalesforceLogin, Vault
from shared.secret import Secret

STATE_LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Where the browser goes, and the nonce that only this browser will hold."""

    authorize_url: str
    browser_nonce: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class StartConnection:
    pending: PendingStore
    vault: Vault
    login: SalesforceLogin
    guesses: RateLimit[TenantId]
    clock: Clock

    async def __call__(self, ticket: OneTimeCode) -> Departure:
        """Raises InvalidStateError: a ticket opens one browser, once, within ten minutes. Or, if
        it is none of ours while tickets of this tenant are being guessed, TooManyRequestsError.

        It is looked up first, so every guess costs one read of the store, and no number of guesses
        refuses a ticket that is right.
        """
        taken = await self.pending.take(ticket.tenant, PendingKind.TICKET, ticket.digest)
        if taken is None:
            self.guesses.take(ticket.tenant)
            raise InvalidStateError
        if taken.expires_at <= self.clock():
            raise InvalidStateError
        asked = json.loads(await self.vault.open(taken.place, taken.sealed))
        verifier = Secret(secrets.token_urlsafe(64))  # 86 characters: RFC 7636 allows 43 to 128
        nonce = Secret(secrets.token_urlsafe(32))
        state = OneTimeCode.new(ticket.tenant)
        plain = json.dumps(
            {
                **asked,
                "verifier": verifier.reveal(),
                "browser": hashlib.sha256(nonce.reveal().encode()).hexdigest(),
            }
        )
        place = pending_place(ticket.tenant, PendingKind.STATE, state.digest)
        await self.pending.put(
            Pending(
                kind=PendingKind.STATE,
                tenant=ticket.tenant,
                digest=state.digest,
                user=taken.user,
                sealed=await self.vault.seal(place, plain.encode()),
                expires_at=self.clock() + STATE_LIFETIME,
            )
        )
        url = self.login.authorize_url(asked["login_host"], state=state.reveal(), verifier=verifier)
        return Departure(authorize_url=url, browser_nonce=nonce)
