"""Salesforce's OAuth endpoints in memory: codes, grants that rotate, and the end of a replay."""

import asyncio
import base64
import hashlib
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from local import scene
from shared.errors import (
    AccessRefusedError,
    HostNotAllowedError,
    InvalidStateError,
    NotConnectedError,
    RefreshInProgressError,
)
from shared.model import Grant, OrgId
from shared.salesforce_hosts import is_login_host
from shared.secret import Secret
from tests.fakes.faults import Faults

CONTOSO_ORG: Final = OrgId.parse(scene.SALESFORCE_ORG_ID)
FABRIKAM_ORG: Final = OrgId.parse("00D5g00000FABRI")
GRANTS_PER_USER: Final = 5


class Returned(NamedTuple):
    """What Salesforce sends the browser back with."""

    state: str
    code: Secret


@dataclass(eq=False, kw_only=True)
class _Held:
    """One approval by one user: its current tokens, and whether it is over."""

    user: str
    org: OrgId
    challenge: str
    login_host: str
    refresh_token: str = ""
    access_tokens: set[str] = field(default_factory=set)
    is_ended: bool = False
    is_in_process: bool = False


class FakeLogin:
    """Satisfies `ports.SalesforceLogin`.

    Refresh tokens rotate; using a spent one ends the grant with all its tokens; two at once are
    told apart; a sixth grant of one user ends the oldest.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.hosts = {
            CONTOSO_ORG: scene.SALESFORCE_ORG_HOST,
            FABRIKAM_ORG: "fabrikam.my.salesforce.com",
        }
        self.code_redemptions = self.redemptions = self.replays = self.revocations = 0
        self._codes: dict[str, _Held] = {}
        self._grants: list[_Held] = []
        self._refresh: dict[str, _Held] = {}
        self._numbers = count(1)

    def authorize_url(self, login_host: str, *, state: str, verifier: Secret) -> str:
        if not is_login_host(login_host):
            raise HostNotAllowedError
        query = {
            "state": state,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        return f"https://{login_host}/services/oauth2/authorize?{urlencode(query)}"

    async def redeem_code(self, login_host: str, *, code: Secret, verifier: Secret) -> Grant:
        async with self.faults.call("redeem_code"):
            held = self._codes.pop(code.reveal(), None)
            if held is None or held.login_host != login_host:
                raise InvalidStateError
            if held.challenge != _challenge(verifier):
                raise InvalidStateError
            self.code_redemptions += 1
            self._end_oldest(held)
            self._grants.append(held)
            return self._issue(held)

    async def refresh(self, grant: Grant) -> Grant:
        async with self.faults.call("refresh"):
            held = self._refresh.get(grant.refresh_token.reveal())
            if held is None:
                raise NotConnectedError("revoked")
            if held.refresh_token != grant.refresh_token.reveal():
                self.replays += 1
                held.is_ended = True
            if held.is_ended:
                raise NotConnectedError("revoked")
            if held.is_in_process:
                raise RefreshInProgressError
            held.is_in_process = True
            await asyncio.sleep(0)
            held.is_in_process = False
            if held.is_ended:
                raise NotConnectedError("revoked")
            self.redemptions += 1
            return replace(self._issue(held), login_host=grant.login_host)

    async def revoke(self, grant: Grant) -> bool:
        async with self.faults.call("revoke"):
            held = self._refresh.get(grant.refresh_token.reveal())
            if held is None or held.is_ended:
                return False
            if held.refresh_token != grant.refresh_token.reveal():
                return False
            held.is_ended = True
            self.revocations += 1
            return True

    # --- what the browser, the user and other requests do ---

    def approve(self, url: str, *, user: str, org: OrgId = CONTOSO_ORG) -> Returned:
        """The user opens an authorize address, and says yes."""
        address = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        code = f"code-{next(self._numbers)}"
        self._codes[code] = _Held(
            user=user, org=org, challenge=query["code_challenge"], login_host=address.netloc
        )
        return Returned(state=query["state"], code=Secret(code))

    def require_alive(self, access_token: Secret, instance_host: str) -> str:
        """The user whose access token this is. Raises AccessRefusedError."""
        for held in self._grants:
            is_its_host = self.hosts[held.org] == instance_host
            if access_token.reveal() in held.access_tokens and is_its_host and not held.is_ended:
                return held.user
        raise AccessRefusedError

    def expire_access_tokens(self) -> None:
        """Every access token is over; no refresh token is."""
        for held in self._grants:
            held.access_tokens.clear()

    def withdraw(self, user: str) -> None:
        """The user takes back every grant."""
        for held in self._of(user):
            held.is_ended = True

    def living(self, user: str) -> int:
        """How many grants of this user are alive."""
        return sum(not held.is_ended for held in self._of(user))

    def _of(self, user: str) -> list[_Held]:
        return [held for held in self._grants if held.user == user]

    def _end_oldest(self, newest: _Held) -> None:
        own = [h for h in self._of(newest.user) if h.org == newest.org and not h.is_ended]
        for oldest in own[: max(0, len(own) - GRANTS_PER_USER + 1)]:
            oldest.is_ended = True

    def _issue(self, held: _Held) -> Grant:
        number = next(self._numbers)
        held.refresh_token, access_token = f"refresh-token-{number}", f"access-token-{number}"
        held.access_tokens.add(access_token)
        self._refresh[held.refresh_token] = held
        return Grant(
            org=held.org,
            salesforce_user=f"005{held.user[-12:]:x<12}AAA",
            instance_host=self.hosts[held.org],
            login_host=held.login_host,
            refresh_token=Secret(held.refresh_token),
            access_token=Secret(access_token),
        )


def _challenge(verifier: Secret) -> str:
    """S256 (RFC 7636, 4.2)."""
    digest = hashlib.sha256(verifier.reveal().encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
