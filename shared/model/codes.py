"""One-time codes: the stops on the way to a connection."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from shared.errors import InvalidRequestError, InvalidStateError
from shared.model.places import Place
from shared.model.who import TenantId, UserId
from shared.secret import Secret


class PendingKind(StrEnum):
    """The three stops of connecting an org, each guarded by a one-time code of its own."""

    TICKET = "ticket"
    STATE = "state"
    PARKED = "parked"


class OneTimeCode:
    """`<tenant id>.<256 random bits>`: it finds its partition by itself, without a session.

    Only the hash of the random part is ever stored.
    """

    __slots__ = ("_random", "tenant")
    _FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)

    def __init__(self, tenant: TenantId, random: Secret) -> None:
        self.tenant = tenant
        self._random = random

    @classmethod
    def new(cls, tenant: TenantId) -> Self:
        return cls(tenant, Secret(secrets.token_urlsafe(32)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidStateError, which is also what an unknown code gets."""
        tenant, _, random = text.partition(".")
        if not cls._FORM.fullmatch(random):
            raise InvalidStateError
        try:
            return cls(TenantId.parse(tenant), Secret(random))
        except InvalidRequestError:
            raise InvalidStateError from None

    @property
    def digest(self) -> str:
        """What is stored and looked up: SHA-256 of the random part, in hexadecimal."""
        return hashlib.sha256(self._random.reveal().encode()).hexdigest()

    def reveal(self) -> str:
        """The whole code, for the one who is meant to have it."""
        return f"{self.tenant}.{self._random.reveal()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A stop on the way to a connection: who, until when, and what is sealed for the next stop."""

    kind: PendingKind
    tenant: TenantId
    digest: str
    user: UserId
    sealed: bytes = field(repr=False)
    expires_at: datetime
    claimed_at: datetime | None = None
    """Since when somebody is activating the parked grant, or revoking it; nobody else may."""

    @property
    def place(self) -> "Place":
        """Where `sealed` lives."""
        return pending_place(self.tenant, self.kind, self.digest)


def pending_place(tenant: TenantId, kind: PendingKind, digest: str) -> "Place":
    """The place of what waits under a one-time code, known before anything is sealed for it."""
    row_key = f"{kind.value}|{digest}"
    return Place(tenant=tenant, table="pending", row_key=row_key, column="sealed")
