"""Deletions: whose, how far, and what proves them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from shared.model.who import TenantId, UserId

CONFIRMATION_LIFETIME: Final = timedelta(hours=1)
"""A request that nobody confirms is forgotten after this."""

REVOCATION_LIMIT: Final = timedelta(hours=20)
"""After the confirmation: how long an org that does not answer holds a deletion up. What is not
revoked then is reported in the receipt as not confirmed, and an alarm is raised."""

SETTLING: Final = timedelta(seconds=10)
"""Within this time no instance uses a tenant's destroyed keys any more."""


class DeletionScope(StrEnum):
    USER = "user"
    TENANT = "tenant"


class DeletionState(StrEnum):
    """The eight states, in order. A deletion moves on by one conditional write at a time."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    FENCED = "fenced"
    REVOKED = "revoked"
    DELETED = "deleted"
    SHREDDED = "shredded"
    VERIFIED = "verified"
    RECEIPTED = "receipted"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSubject:
    """Whose data: a user's, or (without a user) the whole tenant's."""

    tenant: TenantId
    user: UserId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """One request to be forgotten, from the asking to the receipt.

    `user` is whose data goes (scope `user`), `requested_by` who asked; both are dropped with the
    receipt, which knows the user by `subject_sha256` alone. `code_digest` and `status_digest` are
    hashes of the confirmation code and the status token. `rows` counts what was held, by table,
    before anything was deleted.
    """

    id: str
    tenant: TenantId
    scope: DeletionScope
    state: DeletionState
    times: Mapping[DeletionState, datetime]
    requested_by: str
    user: UserId | None
    subject_sha256: str | None
    code_digest: str
    status_digest: str
    rows: Mapping[str, int] = field(default_factory=dict)
    revocations: Mapping[str, int] = field(default_factory=dict)
    keys_destroyed: tuple[str, ...] = ()
    next_try_at: datetime | None = None
    is_overdue: bool = False
    receipt: str | None = field(default=None, repr=False)
    etag: str | None = field(default=None, compare=False)

    @property
    def subject(self) -> DataSubject:
        return DataSubject(tenant=self.tenant, user=self.user)

    @property
    def is_under_way(self) -> bool:
        """Confirmed, and not done: nobody of this subject is let in."""
        return self.state not in (DeletionState.REQUESTED, DeletionState.RECEIPTED)

    def at(self, state: DeletionState) -> datetime:
        """When it reached a state that it has passed. Raises KeyError for another."""
        return self.times[state]

    def moved_to(self, state: DeletionState, now: datetime) -> Self:
        """At `now`, or at the time of the step before, whatever is later: instances' clocks differ
        by seconds, and the receipt must tell its times in order."""
        at = max(now, *self.times.values())
        return replace(self, state=state, times={**self.times, state: at}, next_try_at=None)


def subject_hash(subject: str) -> str:
    """A tenant's or user's id as a receipt names it: SHA-256, in hexadecimal. A user's id is 130
    bits of a keyed hash, so nobody finds it by trying."""
    return hashlib.sha256(subject.encode()).hexdigest()
