"""Who: tenants, people, sessions."""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Self

from shared.errors import InvalidRequestError
from shared.model.encodings import base32

type Provider = Literal["microsoft", "google"]


class TenantId(str):
    """A customer: `ms-<Entra tenant id>`, or `g-<26 characters>` hashed from a Google domain.

    It is the partition key of every table; the Google domain itself is kept only sealed.
    """

    __slots__ = ()
    _FORM: Final = re.compile(r"ms-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|g-[a-z2-7]{26}")

    @classmethod
    def parse(cls, text: str) -> Self:
        if not cls._FORM.fullmatch(text):
            raise InvalidRequestError
        return cls(text)


class UserId(str):
    """A person inside one tenant: `u-<26 characters>`, a keyed hash that means nothing outside."""

    __slots__ = ()
    _FORM: Final = re.compile(r"u-[a-z2-7]{26}", re.ASCII)

    @classmethod
    def parse(cls, text: str) -> Self:
        if not cls._FORM.fullmatch(text):
            raise InvalidRequestError
        return cls(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who an identity provider says this is. Made only by `shared.identity`, after verification.

    `directory` is the Entra tenant id or the Google Workspace domain; `subject` the `oid` or `sub`.
    Never a name, an address or a user principal name.
    """

    provider: Provider
    directory: str
    subject: str = field(repr=False)
    is_admin: bool

    @property
    def tenant(self) -> TenantId:
        if self.provider == "microsoft":
            return TenantId.parse(f"ms-{self.directory}")
        return TenantId.parse(f"g-{base32(hashlib.sha256(self.directory.encode()).digest())[:26]}")

    @property
    def tenant_as_configured(self) -> str:
        """The tenant as operators write it in ALLOWED_TENANTS: `ms-<tid>` or `g:<domain>`."""
        prefix = "ms-" if self.provider == "microsoft" else "g:"
        return prefix + self.directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The signed-in user behind a request, from a verified session that has not been ended."""

    tenant: TenantId
    user: UserId
    provider: Provider
    is_admin: bool
    signed_in_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClaims:
    """What a session token says. `epochs` are the counters that end sessions when they move on."""

    caller: Caller
    tenant_epoch: int
    user_epoch: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether a user's sessions still hold: the state and the epochs of tenant and user."""

    tenant_is_active: bool
    tenant_epoch: int
    user_epoch: int
