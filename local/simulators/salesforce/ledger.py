"""Everything that reached the simulator: tests compare it with what should have left."""

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import Final

from local.simulators.salesforce.grant import Grant
from local.simulators.salesforce.grants import Grants
from local.simulators.salesforce.variables import Json

_KEPT: Final = 20_000  # requests; the oldest go first


@dataclass(kw_only=True)
class Entry:
    """One request. `generation` is that of the refresh token shown, or of the one with which the
    access token shown was issued. `outcome` is `ok`, the error's code, or `mishap`; None while it
    runs."""

    time: float
    method: str
    host: str
    path: str
    query: dict[str, Json]
    headers: dict[str, str]
    body: Json
    generation: int | None = None
    status: int | None = None
    outcome: str | None = None

    def as_json(self) -> dict[str, Json]:
        return {
            "time": self.time,
            "method": self.method,
            "host": self.host,
            "path": self.path,
            "query": self.query,
            "headers": [*sorted(self.headers)],
            "header_values": {**self.headers},
            "body": self.body,
            "generation": self.generation,
            "status": self.status,
            "outcome": self.outcome,
        }


class Ledger:
    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_KEPT)
        self.invocations = 0

    def add(self, entry: Entry) -> None:
        self._entries.append(entry)

    def as_json(self, grants: Grants) -> dict[str, Json]:
        return {
            "requests": [entry.as_json() for entry in self._entries],
            "code_redemptions": grants.code_redemptions,
            "redemptions": grants.redemptions,
            "replays": grants.replays,
            "revocations": grants.revocations,
            "invocations": self.invocations,
            "live_refresh_tokens": _live_refresh_tokens(grants),
            "grants": _grants(grants),
        }


def _live_refresh_tokens(grants: Grants) -> dict[str, Json]:
    """`user|org id` -> SHA-256 of the refresh token of that user's newest living grant."""
    return {
        f"{grant.owner.user}|{grant.owner.org_id}": digest
        for grant in grants.all()
        if (digest := _live_refresh_token(grant)) is not None
    }


def _live_refresh_token(grant: Grant) -> str | None:
    """The SHA-256 of the one that serves next; None where none does."""
    if grant.ended or grant.refresh_token is None:
        return None
    return hashlib.sha256(grant.refresh_token.encode()).hexdigest()


def _grants(grants: Grants) -> list[Json]:
    return [
        {
            "user": grant.owner.user,
            "org_id": grant.owner.org_id,
            "generation": grant.generation,
            "redeemed": grant.redeemed,
            "redemptions": grant.redemptions,
            "replays": grant.replays,
            "live_refresh_token": _live_refresh_token(grant),
            "ended": grant.ended,
        }
        for grant in grants.all()
    ]
