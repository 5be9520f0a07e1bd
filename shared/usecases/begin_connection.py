"""The pane asks for an address to open: the first stop on the way to a Salesforce connection."""

import json
from dataclasses import dataclass
from datetime import timedelta

from shared.errors import HostNotAllowedError, InvalidReturnUrlError
from shared.model import Caller, OneTimeCode, Pending, PendingKind, pending_place
from shared.ports import Clock, PendingStore, Vault
from shared.salesforce_hosts import is_login_host
from shared.telemetry.events import event

TICKET_LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginConnection:
    pending: PendingStore
    vault: Vault
    clock: Clock
    default_login_host: str
    return_urls: frozenset[str]

    async def __call__(
        self, caller: Caller, login_host: str | None, return_to: str | None
    ) -> OneTimeCode:
        """A ticket for `StartConnection`. Raises HostNotAllowedError, InvalidReturnUrlError.

        `return_to` must equal a registered address to the letter: a pattern would be an open door.
        """
        host = login_host or self.default_login_host
        if not is_login_host(host):
            raise HostNotAllowedError
        if return_to is not None and return_to not in self.return_urls:
            raise InvalidReturnUrlError
        ticket = OneTimeCode.new(caller.tenant)
        place = pending_place(caller.tenant, PendingKind.TICKET, ticket.digest)
        plain = json.dumps({"login_host": host, "return_to": return_to})
        await self.pending.put(
            Pending(
                kind=PendingKind.TICKET,
                tenant=caller.tenant,
                digest=ticket.digest,
                user=caller.user,
                sealed=await self.vault.seal(place, plain.encode()),
                expires_at=self.clock() + TICKET_LIFETIME,
            )
        )
        event("connect_started", tenant=caller.tenant, user=caller.user)
        return ticket
