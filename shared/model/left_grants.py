"""Grants beside the connections: discarded ones that wait to be revoked, and journalled ones that
the tables could not take."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self

from shared.model.connections import Connection, Health, OrgId, grant_place
from shared.model.places import Place
from shared.model.who import TenantId, UserId

IDLE_LIMIT: Final = timedelta(days=30)
"""A refresh token that is not used for so long ends by itself: Salesforce's rule for partner apps
(https://developer.salesforce.com/docs/platform/isvforce/guide/secure-code-ac-eca.md)."""

_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardedGrant:
    """An entry of the outbox: a grant that nobody is to use any more, until Salesforce says that
    it is revoked. After `IDLE_LIMIT` it has ended by itself."""

    tenant: TenantId
    user: UserId
    org: OrgId
    id: str
    sealed_grant: bytes = field(repr=False)
    discarded_at: datetime
    next_try_at: datetime
    attempts: int = 0
    may_be_spent: bool = False
    """Whether a refresh has perhaps exchanged its token for one that nobody has: that the token is
    over says nothing about the grant then."""
    etag: str | None = field(default=None, compare=False)

    @classmethod
    def new(
        cls,
        tenant: TenantId,
        user: UserId,
        org: OrgId,
        *,
        sealed: bytes,
        now: datetime,
        may_be_spent: bool = False,
    ) -> Self:
        """An entry of its own; whoever makes it tries first, so the timer waits a little."""
        return cls(
            tenant=tenant,
            user=user,
            org=org,
            id=secrets.token_hex(8),
            sealed_grant=sealed,
            discarded_at=now,
            next_try_at=now + _FIRST_PAUSE,
            may_be_spent=may_be_spent,
        )

    @classmethod
    def of(cls, connection: Connection, now: datetime) -> Self:
        """What a connection leaves behind. A lost rotation was found out by showing the spent token
        once more, which has ended whatever came of it."""
        return cls.new(
            connection.tenant,
            connection.user,
            connection.org,
            sealed=connection.sealed_grant,
            now=now,
            may_be_spent=connection.may_be_spent and connection.health is not Health.ROTATION_LOST,
        )

    @property
    def row_key(self) -> str:
        return f"outbox|{self.user}|{self.org.lower()}|{self.id}"

    @property
    def place(self) -> Place:
        """That of the connection which it was taken from."""
        return grant_place(self.tenant, self.user, self.org)

    def pause(self) -> timedelta:
        """How long to wait after one more failure: twice as long each time, six hours at most."""
        return min(_LONGEST_PAUSE, _FIRST_PAUSE * (1 << min(self.attempts, 10)))


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalledGrant:
    """A refreshed grant that the tables could not take: as good as written, because whoever finds
    the lease of its connection lapsed looks here first."""

    tenant: TenantId
    user: UserId
    org: OrgId
    consent: str
    generation: int
    sealed_grant: bytes = field(repr=False)
    written_at: datetime

    def continues(self, row: Connection) -> bool:
        """Whether it is what the next refresh of this row would have to bring."""
        return (self.consent, self.generation) == (row.consent, row.generation + 1)

    def is_written(self, row: Connection) -> bool:
        """Whether the row has it already, or what a later refresh made of it."""
        return self.consent == row.consent and self.generation <= row.generation

    @property
    def place(self) -> Place:
        return grant_place(self.tenant, self.user, self.org)
