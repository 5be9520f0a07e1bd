"""Salesforce orgs, and the grants with which users are connected to them."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, Self

from shared.errors import InvalidRequestError
from shared.model.places import Place
from shared.model.who import TenantId, UserId
from shared.secret import Secret

MOST_SKEW: Final = timedelta(seconds=60)
"""Instances' clocks differ by less: the lease of another counts as lapsed so much later."""


class OrgId(str):
    """A Salesforce org: always the 18-character form, which survives lower-casing."""

    __slots__ = ()
    _FORM: Final = re.compile(r"00D[A-Za-z0-9]{12}(?:[A-Z0-5]{3})?", re.ASCII)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take 15 or 18 characters; a wrong check suffix is refused (InvalidRequestError)."""
        if not cls._FORM.fullmatch(text):
            raise InvalidRequestError
        full = text[:15] + _check_suffix(text[:15])
        if len(text) == 18 and text != full:  # noqa: PLR2004 - the two lengths of the form above
            raise InvalidRequestError
        return cls(full)


class Health(StrEnum):
    """How a grant stands, and if it has ended, why."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"
    USER_INACTIVE = "user_inactive"
    APP_NOT_APPROVED = "app_not_approved"
    IP_NOT_ALLOWED = "ip_not_allowed"
    ROTATION_LOST = "rotation_lost"
    ORG_UNAVAILABLE = "org_unavailable"
    KEY_UNAVAILABLE = "key_unavailable"

    @property
    def action(self) -> Literal["none", "reconnect", "ask_admin", "wait"]:
        """The one thing that mends it."""
        match self:
            case Health.ACTIVE:
                return "none"
            case Health.EXPIRED | Health.REVOKED | Health.ROTATION_LOST:
                return "reconnect"
            case Health.USER_INACTIVE | Health.APP_NOT_APPROVED | Health.IP_NOT_ALLOWED:
                return "ask_admin"
            case Health.ORG_UNAVAILABLE | Health.KEY_UNAVAILABLE:
                return "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A user's Salesforce OAuth grant, opened. Lives in memory only; at rest it is sealed."""

    org: OrgId
    salesforce_user: str = field(repr=False)
    instance_host: str
    login_host: str
    refresh_token: Secret
    access_token: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A stored grant: what may be read without opening it, and the sealed grant itself.

    `generation` counts the refreshes and fences late writers; `lease_until` says how long whoever
    holds `lease_holder` may be redeeming the refresh token.
    """

    tenant: TenantId
    user: UserId
    org: OrgId
    health: Health
    generation: int
    sealed_grant: bytes = field(repr=False)
    consent: str
    """Which consent of the user's it comes from: the hash of the completion code that claimed it.
    A refresh leaves it as it is."""
    connected_at: datetime
    refreshed_at: datetime
    """When Salesforce last gave out this refresh token or took its predecessor: idle since then."""
    last_used_day: str
    lease_holder: str | None = None
    lease_until: datetime | None = None
    answer_lost: bool = False
    """Whether the refresh token was sent to Salesforce and no answer came: perhaps it is spent."""
    ended_at: datetime | None = None
    """Since when only a new consent can mend it; None while it may still serve."""
    etag: str | None = field(default=None, compare=False)

    def is_leased(self, now: datetime) -> bool:
        """Whether somebody may be redeeming the refresh token, or revoking it, by whichever
        clock."""
        return self.lease_until is not None and self.lease_until + MOST_SKEW > now

    @property
    def is_being_deleted(self) -> bool:
        """Whether a deletion has taken it, in order to revoke it: its holder is the deletion."""
        return self.lease_holder is not None and self.lease_holder.startswith("d-")

    @property
    def may_be_spent(self) -> bool:
        """Whether the refresh token was perhaps sent by somebody who never told."""
        is_dead_holder = self.lease_holder is not None and not self.is_being_deleted
        return self.answer_lost or is_dead_holder

    @property
    def row_key(self) -> str:
        """`<user>|<org id in lower case>`: the 18-character form survives lower-casing."""
        return connection_row_key(self.user, self.org)

    @property
    def place(self) -> Place:
        """Where the sealed grant lives."""
        return grant_place(self.tenant, self.user, self.org)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedOrg:
    """A connection as its owner sees it. The host is None while the tenant's key is away, and once
    the grant has lapsed."""

    connection: Connection
    instance_host: str | None
    health: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a call to the org needs: where, with which token, of which generation of the grant."""

    org: OrgId
    instance_host: str
    token: Secret
    generation: int
    is_fresh: bool = field(default=False, compare=False)
    """Whether it was redeemed here, for this very call: if it is refused, its age is not why."""


def connection_row_key(user: UserId, org: OrgId) -> str:
    return f"{user}|{org.lower()}"


def grant_place(tenant: TenantId, user: UserId, org: OrgId) -> Place:
    """What a user's grant for an org is sealed for, wherever it lies: in the user's connection, in
    the outbox or in the journal. It is moved between them without being opened."""
    row_key = connection_row_key(user, org)
    return Place(tenant=tenant, table="connections", row_key=row_key, column="sealed_grant")


def _check_suffix(id15: str) -> str:
    """Salesforce's case check: for each five characters, which of them are upper-case letters."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    chunks = (id15[start : start + 5] for start in (0, 5, 10))
    return "".join(
        letters[sum(1 << bit for bit, char in enumerate(chunk) if char.isupper())]
        for chunk in chunks
    )
