"""Whether Salesforce answers: where users log in unless the add-in says otherwise."""

from http import HTTPStatus
from typing import Final

import aiohttp

from shared.errors import SalesforceUnavailableError
from shared.network import Network

_DEADLINE: Final = aiohttp.ClientTimeout(total=5.0)
_METADATA: Final = "/.well-known/openid-configuration"
"""Of every login host and My Domain, for anybody (OpenID Connect Discovery 1.0, section 4)."""


class LoginHostProbe:
    """Satisfies `ports.Probe`. Any answer below 500 will do, and none is read: this says that the
    host is there, not that our app may use it. Raises SalesforceUnavailableError."""

    name = "salesforce"

    def __init__(self, network: Network, *, host: str) -> None:
        self._network, self._address = network, f"https://{host}{_METADATA}"

    async def __call__(self) -> None:
        try:
            async with self._network.session().get(
                self._address, allow_redirects=False, timeout=_DEADLINE
            ) as response:
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise SalesforceUnavailableError from exc
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise SalesforceUnavailableError
