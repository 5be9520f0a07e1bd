"""The users of this bench: signed in at the stack, and connected to both orgs."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Final
from uuid import uuid4

from bench.control import post
from bench.proxy.places import FLOW, ORGS, UPSTREAMS, Upstream
from local.addin import AddIn
from local.simulators.salesforce.ids import with_suffix
from local.stack_info import StackInfo

TENANTS: Final = 4
_AT_A_TIME: Final = 4
_RENEWED_AFTER: Final = 480.0
"""Seconds; a session ends after fifteen minutes."""

ORG_IDS: Final[dict[Upstream, str]] = {
    "at once": with_suffix("00D5g00000BENCA"),
    "80 ms": with_suffix("00D5g00000BENCB"),
}
_TEXT: Final = ("senderEmail", "senderName", "subject", "messageId")


class People:
    """So many users in a few tenants."""

    def __init__(self, info: StackInfo, count: int) -> None:
        self._info = info
        tenants = [str(uuid4()) for _ in range(TENANTS)]
        self._who = [(tenants[number % TENANTS], str(uuid4())) for number in range(count)]
        self.names = [f"user{number}" for number in range(count)]
        self._sessions: list[str] = []
        self._since = 0.0

    def connect(self) -> None:
        """The whole journey over HTTP. Raises UnexpectedAnswerError, requests.RequestException."""
        for upstream in UPSTREAMS:
            post(self._info, "/_sim/salesforce/orgs", _org(upstream, self.names))
        with ThreadPoolExecutor(_AT_A_TIME) as threads:
            self._sessions = list(threads.map(self._connected, self._who, self.names))
        self._since = monotonic()

    def sessions(self) -> list[str]:
        """A session token for each, good for some minutes more."""
        if monotonic() - self._since > _RENEWED_AFTER:
            with ThreadPoolExecutor(_AT_A_TIME) as threads:
                self._sessions = list(threads.map(self._signed_in, self._who))
            self._since = monotonic()
        return self._sessions

    def _connected(self, who: tuple[str, str], name: str) -> str:
        with AddIn(self._info) as pane:
            session = str(pane.sign_in_with_microsoft(*who)["session_token"])
            for upstream in UPSTREAMS:
                pane.connect(name, ORG_IDS[upstream])
            return session

    def _signed_in(self, who: tuple[str, str]) -> str:
        with AddIn(self._info) as pane:
            return str(pane.sign_in_with_microsoft(*who)["session_token"])


def _org(upstream: Upstream, users: list[str]) -> dict[str, object]:
    variables = [
        *({"name": name} for name in _TEXT),
        {"name": "recipientEmails", "collection": True},
    ]
    flow = {"name": FLOW, "inputs": variables, "outputs": variables}
    return {
        "org_id": ORG_IDS[upstream],
        "instance_host": ORGS[upstream],
        "users": users,
        "flows": [flow],
    }
