"""An org of the race's own, with connected users; and what Salesforce and the store say of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import uuid4

from bench.race.watched import WatchedAzure
from local.addin import AddIn
from local.stack_info import StackInfo
from shared.model import Connection, OrgId, TenantId, UserId
from shared.usecases.sealed_grants import SealedGrants
from tests.control_client import ControlClient

_AS_AT_START: Final = 0.02  # seconds that the simulator takes for a refresh token, unless told


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A user who has signed in and connected the org, each in a tenant of their own."""

    name: str
    tenant: TenantId
    user: UserId
    org: OrgId

    @property
    def at_salesforce(self) -> str:
        """As the ledger calls them."""
        return f"{self.name}|{self.org}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What Salesforce has counted so far, for everybody; and the tokens that it takes next."""

    redemptions: int = 0
    replays: int = 0
    living: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`user|org id` to the SHA-256 of the refresh token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A user's connection at one moment."""

    row: Connection
    digest: str = field(repr=False)
    """The SHA-256 of the refresh token in it, opened with the tenant's key."""


class Scene:
    """The referee's place, beside the racing processes."""

    def __init__(self, info: StackInfo) -> None:
        self._info = info
        self._control = ControlClient(info.control)
        self._azure = WatchedAzure(info)
        self._grants = SealedGrants(vault=self._azure.vault)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.redeeming_takes(_AS_AT_START)
        self._control.close()
        await self._azure.close()

    def begin_anew(self) -> None:
        """Nobody is connected, no row is stored, and the simulators are as they were made."""
        self._control.post("/_sim/reset")

    def connected(self, count: int) -> Sequence[Connected]:
        """So many users, by the whole journey over HTTP: sign-in, consent, completion."""
        label = uuid4().hex[:12]
        org = OrgId.parse(f"00D{label}")
        names = [f"racer{number}" for number in range(count)]
        host = f"race-{label}.my.salesforce.com"
        spec = {"org_id": org, "instance_host": host, "users": names, "flows": [{"name": "Log"}]}
        self._control.post("/_sim/salesforce/orgs", spec)
        found = []
        for name in names:
            with AddIn(self._info) as pane:
                signed_in = pane.sign_in_with_microsoft(str(uuid4()), str(uuid4()))
                pane.connect(name, org)
            found.append(
                Connected(
                    name=name,
                    tenant=TenantId.parse(signed_in["tenant"]["id"]),
                    user=UserId(signed_in["user"]["id"]),
                    org=org,
                )
            )
        return found

    def expire_access_of(self, who: Connected) -> None:
        """Every access token of this user is over; the refresh token is not."""
        self._control.post("/_sim/salesforce/expire", {"user": who.name, "org_id": who.org})

    def redeeming_takes(self, seconds: float) -> None:
        """How long a refresh token is in process at Salesforce."""
        self._control.post("/_sim/salesforce/app", {"processing_seconds": seconds})

    def counted(self) -> Counted:
        """By the simulator's ledger, which grows with each request: one look takes a while."""
        ledger = self._control.get("/_sim/salesforce/ledger")
        return Counted(
            redemptions=ledger["redemptions"],
            replays=ledger["replays"],
            living=ledger["live_refresh_tokens"],
        )

    async def stored(self, who: Connected) -> Stored:
        row = await self._azure.connections.load(who.tenant, who.user, who.org)
        assert row is not None, "nobody disconnects here"
        grant = await self._grants.open(row.place, row.sealed_grant)
        token = grant.refresh_token.reveal().encode()
        return Stored(row=row, digest=hashlib.sha256(token).hexdigest())
