"""One call to a Salesforce org's REST API, and the one language its failures are told in.

Whatever an org answers, a caller gets either a parsed answer or one of our errors; and of each
error it is known whether anything was carried out. What changes anything is sent once: aiohttp
repeats a read whose kept connection was closed, never a POST.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import Any, Final, Literal

import aiohttp

from shared import strict_json
from shared.bounded_threads import BoundedThreads
from shared.errors import (
    AccessRefusedError,
    HostNotAllowedError,
    Json,
    NotFoundError,
    SalesforceFailedError,
    SalesforceForbiddenError,
    SalesforceLimitError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.model import Access, OrgId
from shared.network import MAX_ANSWER_BYTES, Network, read_body
from shared.salesforce.daily_calls import DailyCalls
from shared.salesforce.org_call import org_call
from shared.salesforce_hosts import is_instance_host

API_VERSION: Final = "v66.0"
CLIENT_NAME: Final = "FlowRunner/1.0"
"""Shown in the customer's own Salesforce logs with every call."""

READ_SECONDS: Final = 20.0
INVOKE_SECONDS: Final = 180.0
"""Below the 230 seconds after which Azure's front end gives up on an HTTP function."""

_LIMIT_SECONDS: Final = 60
_SMALL_BYTES: Final = 256 * 1024
_READERS: Final = 2
_MOST_CONTAINERS: Final = 100_000
"""Of objects and lists in an answer: some 50,000 records."""
_MAX_DEPTH: Final = 64
_ENCODER: Final = json.JSONEncoder(allow_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A parsed JSON answer with its status."""

    status: int
    body: Any


class SalesforceRest:
    """Speaks to the org's own host, as the user whose token it is."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._daily_calls = DailyCalls()
        self._readers = BoundedThreads(
            threads=_READERS, share=1, share_of_user=1, name="large-answers"
        )
        self._large_answers = count(1)

    async def call(
        self,
        access: Access,
        method: Literal["GET", "POST"],
        path: str,
        *,
        body: Mapping[str, Json] | None = None,
        query: Mapping[str, str] | None = None,
        seconds: float = READ_SECONDS,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """Call `/services/data/<version>/<path>` once. Answers any status that is not an error of
        the session, the limits or the server; 400 and 404 are the caller's to read.

        Raises AccessRefusedError, SalesforceLimitError and SalesforceUnavailableError (nothing was
        carried out), SalesforceTimeoutError (not known), and the other kinds of
        `ports.SalesforceFlows`.
        """
        if not is_instance_host(access.instance_host):
            raise HostNotAllowedError
        self._daily_calls.require_some(access.org)
        headers = {
            "Authorization": f"Bearer {access.token.reveal()}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Sforce-Call-Options": f"client={CLIENT_NAME}",
        }
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = _ENCODER.encode(body).encode()
        with org_call():
            async with self._network.session().request(
                method,
                f"https://{access.instance_host}/services/data/{API_VERSION}/{path}",
                data=data,
                params=query,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=5.0),
            ) as response:
                raw = await read_body(response, max_bytes=max_bytes)
        self._daily_calls.note(access.org, response.headers.get("Sforce-Limit-Info"))
        if len(raw) <= _SMALL_BYTES:
            return _read(response.status, raw)
        return await self._read_aside(access, response.status, raw)

    def require_calls_left(self, org: OrgId) -> None:
        """Raises SalesforceLimitError if the org has said that its day's calls are used up."""
        self._daily_calls.require_some(org)

    async def _read_aside(self, access: Access, status: int, raw: bytes) -> Answer:
        """In a thread, one of an org at a time: megabytes would hold up everybody else's calls."""
        one = f"answer {next(self._large_answers)}"  # each waits in the org's line for itself
        try:
            return await self._readers.run(
                access.org, one, partial(_read, status, raw), seconds=READ_SECONDS
            )
        except TimeoutError as exc:
            raise SalesforceTimeoutError from exc


def _read(status: int, raw: bytes) -> Answer:
    """Parse, and turn the errors that any call may meet into ours.

    The body is read before the status: a fault inside a Flow comes as 400 with a result array, and
    whatever the status, where there is one, the Flow was run.
    """
    try:
        body = _parsed(raw) if raw else None
    except ValueError as exc:
        # A page of the edge or of maintenance. Only a 503 says that nothing was carried out.
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise SalesforceUnavailableError from exc
        raise SalesforceFailedError from exc
    if is_result(body):
        return Answer(status=status, body=body)
    match status:
        case 401:
            raise AccessRefusedError
        case 429:
            raise SalesforceLimitError(_LIMIT_SECONDS)
        case 403 if error_code(body) == "REQUEST_LIMIT_EXCEEDED":
            raise SalesforceLimitError(_LIMIT_SECONDS)
        case 403:
            raise SalesforceForbiddenError
        case 503:
            raise SalesforceUnavailableError
        case 200 | 201 | 204 | 400 | 404:
            return Answer(status=status, body=body)
        case _:
            raise SalesforceFailedError


def _parsed(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    return strict_json.loads(raw, max_depth=_MAX_DEPTH, most_containers=_MOST_CONTAINERS)


def is_result(body: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether it is the array of results that an action answers: `[{"isSuccess": …}]`."""
    first = body[0] if isinstance(body, list) and body else None
    return isinstance(first, dict) and isinstance(first.get("isSuccess"), bool)


def error_code(body: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """The `errorCode` of Salesforce's error array, `[{"errorCode": …, "message": …}]`."""
    if isinstance(body, list) and body and isinstance(body[0], dict):
        code = body[0].get("errorCode")
        return code if isinstance(code, str) else None
    return None


def raise_not_found(answer: Answer) -> None:
    """A 404 where something was asked for by name."""
    if answer.status == HTTPStatus.NOT_FOUND:
        raise NotFoundError
