"""What a grant is made of: the approval, its tokens, and how it may end."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Ending(StrEnum):
    REPLAYED = "replayed"  # a rotated-out refresh token was used again
    EVICTED = "evicted"  # the same user approved the app for the sixth time
    REVOKED = "revoked"  # the client revoked the refresh token
    WITHDRAWN = "withdrawn"  # the user or an administrator took it back
    IDLE = "idle"  # not refreshed for 30 days


class Owner(NamedTuple):
    org_id: str
    user: str


@dataclass(eq=False, kw_only=True)
class Grant:
    """One approval of the app by one user. It counts from the approval on, even if its code is
    never redeemed. `generation` numbers its refresh tokens; 0 until there is one. `redemptions` and
    `replays` count how often they served, and how often one was shown that had served before."""

    owner: Owner
    scopes: frozenset[str]
    refreshed_at: float
    refresh_token: str | None = None
    generation: int = 0
    redeemed: bool = False
    redemptions: int = 0
    replays: int = 0
    in_process: bool = False
    ended: Ending | None = None


@dataclass(eq=False, kw_only=True)
class AccessToken:
    value: str
    grant: Grant
    generation: int  # of the grant when this was issued
    issued_at: float
    expires_at: float


@dataclass(frozen=True, kw_only=True)
class RefreshToken:
    grant: Grant
    generation: int


class Issued(NamedTuple):
    """A new access token, and the refresh token to show with it: None when it did not change."""

    access: AccessToken
    refresh_token: str | None
