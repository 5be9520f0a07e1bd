"""What the harness tells the racing processes, and what they answer: JSON, one line each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self

from shared.model import OrgId, TenantId, UserId

type Caches = Literal["kept", "emptied", "new"]
"""What a process remembers when a round begins: what the last one left, nothing (its connections
stay open), or nothing at all, as after its start: no data key, no client secret, no token of the
managed identity, no open connection."""

CACHES: Final[tuple[Caches, ...]] = ("new", "kept", "emptied")
SUCCEEDED: Final = "succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Before a round. The clock is set ahead by so many seconds, so that nobody has to wait."""

    caches: Caches
    ahead: float = 0.0

    def as_line(self) -> str:
        return json.dumps({"prepare": asdict(self)}) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Call the org as this user, so many at once in each process, at the same moment."""

    tenant: TenantId
    user: UserId
    org: OrgId
    callers: int
    start: float
    """By the machine's monotonic clock, which is one for all processes."""
    killed: bool = False
    """The process is to kill itself (SIGKILL) when it is about to redeem: it holds the lease."""

    def as_line(self) -> str:
        return json.dumps({"race": asdict(self)}) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What became of one caller."""

    outcome: str
    """`succeeded`, the code of the error, or the name of an exception that nobody expected."""
    waited: float | None
    """Seconds from the refusal of the access token to the next try; None: was never refused."""
    redeemed: bool
    """Whether this caller sent the refresh token to Salesforce."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one process did in a round."""

    calls: Sequence[Call]
    redemptions: int
    """Refresh tokens sent to Salesforce, whatever the answer was."""
    store_calls: int
    started: float
    ended: float

    def as_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Reads what `as_line` wrote."""
        return cls(**{**told, "calls": [Call(**one) for one in told["calls"]]})


def order_of(line: str) -> Prepare | Race:
    """Reads what `as_line` wrote."""
    ((kind, told),) = json.loads(line).items()
    if kind == "prepare":
        return Prepare(**told)
    ids = {"tenant": TenantId(told["tenant"]), "user": UserId(told["user"])}
    return Race(**{**told, **ids, "org": OrgId(told["org"])})
