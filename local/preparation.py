"""What a deployment does before the service starts: create tables and the backups' container,
register the callback."""

import json
from typing import Final
from urllib.request import ProxyHandler, Request, build_opener

from local.stack_info import StackInfo
from shared.storage import BACKUP_CONTAINER, TABLE_NAMES

_DEADLINE_SECONDS: Final = 20
_CALLBACK: Final = "/api/v1/salesforce/callback"
_http: Final = build_opener(ProxyHandler({}))  # no proxy of the environment on the way to ourselves


def prepare_tables(info: StackInfo) -> None:
    """Make ready what the service needs for its first answer. Raises OSError if it is refused."""
    _post(info, "/_sim/tables", {"names": TABLE_NAMES})
    callbacks = [f"{origin}{_CALLBACK}" for origin in (info.service_https, info.service)]
    _post(info, "/_sim/salesforce/app", {"redirect_uris": callbacks})


def prepare_blobs(info: StackInfo) -> None:
    """Make ready what its backups need. Raises OSError if it is refused."""
    _post(info, "/_sim/containers", {"names": [BACKUP_CONTAINER]})


def _post(info: StackInfo, path: str, body: object) -> None:
    request = Request(  # noqa: S310 - our own control surface, plain HTTP on 127.0.0.1
        info.control + path,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with _http.open(request, timeout=_DEADLINE_SECONDS):
        pass
