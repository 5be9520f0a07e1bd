"""The `otp` of a front-door address: opens one session, once, within a minute."""

import secrets
from collections.abc import Callable
from typing import Final, NamedTuple

from local.simulators.salesforce.grant import Owner

LIFETIME: Final = 60.0


class FrontDoor(NamedTuple):
    owner: Owner
    start_url: str
    expires_at: float


class OneTimePasswords:
    """`clock` gives Unix seconds."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._doors: dict[str, FrontDoor] = {}

    def issue(self, owner: Owner, start_url: str) -> str:
        password = f"IDP_ApexToken=={secrets.token_urlsafe(48)}"
        self._doors[password] = FrontDoor(owner, start_url, self._clock() + LIFETIME)
        return password

    def spend(self, password: str, org_id: str) -> FrontDoor | None:
        """What it opens in this org; None if it is unknown, spent or too old."""
        door = self._doors.get(password)
        if door is None or door.owner.org_id != org_id:
            return None
        del self._doors[password]
        return door if self._clock() < door.expires_at else None
