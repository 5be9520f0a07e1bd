"""Browser sessions of Salesforce orgs in memory: addresses that open one session, once."""

from dataclasses import dataclass
from itertools import count
from urllib.parse import parse_qs, urlsplit

from shared.errors import SalesforceForbiddenError
from shared.model import Access, LightningAppId, OrgId
from shared.secret import Secret
from tests.fakes.faults import Faults
from tests.fakes.salesforce_login import FakeLogin


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """Who is at the browser, and where. The app is None where the plain bridge was taken."""

    user: str
    org: OrgId
    app: LightningAppId | None


class FakeSessions:
    """Satisfies `ports.SalesforceSessions`. Access tokens are those of the `FakeLogin`.

    An org knows any app until a test says which ones; `plain` are the orgs that have no Lightning
    Out 2.0.
    """

    def __init__(self, login: FakeLogin) -> None:
        self.faults = Faults()
        self.apps: dict[OrgId, frozenset[LightningAppId]] = {}
        self.plain: set[OrgId] = set()
        self._login = login
        self._doors: dict[str, OpenedSession] = {}
        self._numbers = count(1)

    async def open(self, access: Access, app: LightningAppId) -> Secret:
        async with self.faults.call("open"):
            user = self._login.require_alive(access.token, access.instance_host)
            is_plain = access.org in self.plain
            if not is_plain and app not in self.apps.get(access.org, {app}):
                raise SalesforceForbiddenError
            password = f"otp-{next(self._numbers)}-canary"
            opened = OpenedSession(user, access.org, None if is_plain else app)
            self._doors[password] = opened
            return Secret(f"https://{access.instance_host}/secur/frontdoor.jsp?otp={password}")

    def browse(self, address: Secret) -> OpenedSession | None:
        """A browser opens the address. None if somebody did before, or it is of another host."""
        parts = urlsplit(address.reveal())
        opened = self._doors.pop(parse_qs(parts.query)["otp"][0], None)
        is_there = opened is not None and parts.netloc == self._login.hosts[opened.org]
        return opened if is_there else None
