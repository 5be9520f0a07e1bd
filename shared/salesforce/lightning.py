"""A browser session for Lightning Out, from the user's access token: the address of a front door.

Lightning Out 2.0 has an endpoint of its own; an org that does not have it yet has the plain bridge
(Salesforce Help, "Set Up Authentication for Lightning Out 2.0" and "Generate a Frontdoor URL to
Bridge into UI Sessions": the session serves Lightning Out either way). Whoever opens the address
first is the user, so it goes to the caller alone: no exception of this file has seen it.
"""

import re
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

import aiohttp

from shared import strict_json
from shared.errors import (
    AccessRefusedError,
    HostNotAllowedError,
    SalesforceFailedError,
    SalesforceForbiddenError,
    SalesforceLimitError,
    SalesforceUnavailableError,
)
from shared.model import Access, LightningAppId
from shared.network import Network, read_body
from shared.salesforce.org_call import org_call
from shared.salesforce.transport import CLIENT_NAME
from shared.salesforce_hosts import is_instance_host
from shared.secret import Secret

_OF_LIGHTNING_OUT: Final = "lightningoutsingleaccess"
_PLAIN: Final = "singleaccess"

_SECONDS: Final = 15.0
"""For each of the two endpoints."""
_MAX_BYTES: Final = 64 * 1024
_MAX_DEPTH: Final = 4
_LIMIT_SECONDS: Final = 60

# The whole text, like the hosts of `salesforce_hosts`: parsers disagree about what is odd. The
# query is of the characters of RFC 3986, 3.4; user information, ports and fragments do not fit.
_FRONT_DOOR: Final = re.compile(
    r"https://(?P<host>[A-Za-z0-9.-]+)/secur/frontdoor\.jsp"
    r"\?(?P<query>[A-Za-z0-9._~!$&'()*+,;=:@/?%-]+)",
    re.ASCII,
)

# How the identity endpoints tell that there is no such user, or none who may: no word of the
# endpoint itself (Salesforce Help, "Use the Identity URL": errors are a word of plain text).
_OF_THE_USER: Final = (b"Bad_Id", b"Inactive", b"No_Access")


class LightningSessions:
    """Satisfies `ports.SalesforceSessions`."""

    def __init__(self, network: Network, *, seconds: float = _SECONDS) -> None:
        self._network = network
        self._deadline = aiohttp.ClientTimeout(total=seconds, sock_connect=5.0)

    async def open(self, access: Access, app: LightningAppId) -> Secret:
        asked = {"lightning_out_app_id": str(app)}
        status, body = await self._ask(access, _OF_LIGHTNING_OUT, asked)
        if _is_no_endpoint(status, body):
            status, body = await self._ask(access, _PLAIN, {})
        _raise_refusal(status, body)
        return _front_door(body, access)

    async def _ask(self, access: Access, endpoint: str, asked: dict[str, str]) -> tuple[int, bytes]:
        """The token goes into the form, as Salesforce documents it: into no address."""
        if not is_instance_host(access.instance_host):
            raise HostNotAllowedError
        with org_call():
            async with self._network.session().post(
                f"https://{access.instance_host}/services/oauth2/{endpoint}",
                data={"access_token": access.token.reveal(), **asked},
                headers={
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip",
                    "Sforce-Call-Options": f"client={CLIENT_NAME}",
                },
                allow_redirects=False,
                timeout=self._deadline,
            ) as response:
                return response.status, await read_body(response, max_bytes=_MAX_BYTES)


def _is_no_endpoint(status: int, body: bytes) -> bool:
    return status == HTTPStatus.NOT_FOUND and body.strip() not in _OF_THE_USER


def _raise_refusal(status: int, body: bytes) -> None:
    """A spent access token is refused with 403 and a word here, where REST would answer 401."""
    match status:
        case HTTPStatus.OK:
            return
        case HTTPStatus.UNAUTHORIZED:
            raise AccessRefusedError
        case HTTPStatus.FORBIDDEN if b"Bad_OAuth_Token" in body:
            raise AccessRefusedError
        case HTTPStatus.FORBIDDEN if b"Missing_OAuth_Token" in body:
            raise SalesforceFailedError  # it was sent: ours to mend, and by no refresh
        case HTTPStatus.FORBIDDEN | HTTPStatus.NOT_FOUND:
            raise SalesforceForbiddenError
        case HTTPStatus.BAD_REQUEST if b"lightning_out_app_id" in body:
            raise SalesforceForbiddenError  # the org has no such app, or has not enabled it
        case HTTPStatus.TOO_MANY_REQUESTS:
            raise SalesforceLimitError(_LIMIT_SECONDS)
        case HTTPStatus.SERVICE_UNAVAILABLE:
            raise SalesforceUnavailableError
        case _:
            raise SalesforceFailedError


def _front_door(body: bytes, access: Access) -> Secret:
    """The address, if it is a front door of the very host that was asked, with a key of its own.

    Raised where no exception of the parsers is at hand: theirs hold the text.
    """
    address = _address_in(body)
    door = None if address is None else _FRONT_DOOR.fullmatch(address)
    if address is None or door is None or door["host"].lower() != access.instance_host:
        raise SalesforceFailedError
    query = parse_qsl(door["query"], keep_blank_values=True)
    # `frontdoor.jsp?sid=<access token>` is the old way, and a bearer token in an address.
    if any(name.lower() == "sid" or access.token.reveal() in value for name, value in query):
        raise SalesforceFailedError
    return Secret(address)


def _address_in(body: bytes) -> str | None:
    try:
        found = strict_json.loads(body, max_depth=_MAX_DEPTH)
    except ValueError:
        return None
    address = found.get("frontdoor_uri") if isinstance(found, dict) else None
    return address if isinstance(address, str) else None
