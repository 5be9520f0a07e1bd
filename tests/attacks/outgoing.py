"""Every request that leaves a process, counted and named; and the process's end at one of them."""

import os
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import aiohttp
import requests
from requests.adapters import BaseAdapter

from local import scene
from local.network import pinned
from local.stack_info import StackInfo
from shared.network import Network

type Moment = Literal["before", "after"]
"""Before a request leaves; or after its answer came, when nothing has been done with it yet."""

MOMENTS: Final[tuple[Moment, ...]] = ("before", "after")

REDEMPTION: Final = "salesforce POST oauth2/token"
REVOCATION: Final = "salesforce POST oauth2/revoke"

_TABLE: Final = re.compile(rf"/{scene.STORAGE_ACCOUNT}/([a-z]+)\(?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """SIGKILL, before the request of this number leaves, or after so many answers; or at the first
    request of this name."""

    step: int | str
    moment: Moment


def kind_of(info: StackInfo, host: str, port: int | None) -> str:
    """Which of the dependencies answers there."""
    ports_of = {
        int(url.rpartition(":")[2].partition("/")[0]): kind
        for kind, url in (
            ("store", info.tables),
            ("blob", info.blobs),
            ("identity", info.identity_endpoint),
        )
    }
    if host == "127.0.0.1":
        return ports_of[port or 0]
    return {scene.KEY_VAULT_HOST: "key vault"}.get(host, "salesforce")


def step_of(info: StackInfo, method: str, url: str) -> str:
    """A request in words that are the same for everybody: `store PUT connections`."""
    parts = urlsplit(url)
    kind = kind_of(info, parts.hostname or "", parts.port)
    return " ".join(filter(None, (kind, method, _WHAT[kind](parts.path))))


def kind_in(step: str) -> str:
    """The first words of a step: which of the dependencies it went to."""
    return next(kind for kind in _WHAT if step.startswith(f"{kind} "))


def _of_key_vault(path: str) -> str:
    """Without the version: `keys/tenant-kek/unwrapkey`."""
    return "/".join(part for part in path.split("/") if not re.fullmatch(r"[0-9a-f]{32}|", part))


def _of_blobs(path: str) -> str:
    """The folder, or `backups` for those that are named by a tenant."""
    folder = path.split("/")[3] if path.count("/") > 2 else "listing"
    return "backups" if folder.startswith(("ms-", "g-")) else folder


def _of_store(path: str) -> str:
    found = _TABLE.match(path)
    return "transaction" if found is None else found.group(1)


_WHAT: Final[Mapping[str, Callable[[str], str]]] = {
    "store": _of_store,
    "blob": _of_blobs,
    "identity": lambda _: "token",
    "key vault": _of_key_vault,
    "salesforce": lambda path: path.removeprefix("/services/"),
}


class Outgoing:
    """Tells each request twice, when it leaves and when it is answered, as a line to a file
    descriptor: who is killed has told all the same."""

    def __init__(self, info: StackInfo, told: int, kill: Kill | None) -> None:
        self._info, self._told, self._kill = info, told, kill
        self._counted = dict.fromkeys(MOMENTS, 0)
        self._lock = Lock()  # the libraries that are synchronous have threads

    def count(self, moment: Moment, method: str, url: str) -> None:
        with self._lock:
            self._counted[moment] += 1
            step = step_of(self._info, method, url)
            os.write(self._told, f"{moment}\t{step}\n".encode())
            if self._kill in [Kill(step=s, moment=moment) for s in (step, self._counted[moment])]:
                os.kill(os.getpid(), signal.SIGKILL)

    def network(self) -> Network:
        """That of the stack, with both of its clients watched."""
        network = _WatchedNetwork(
            resolve=pinned(self._info.pins), authority=str(self._info.authority)
        )
        network.outgoing = self
        self._watch(network.session())
        return network

    def _watch(self, session: aiohttp.ClientSession) -> None:
        async def leaves(_: object, __: object, params: aiohttp.TraceRequestStartParams, /) -> None:
            self.count("before", params.method, str(params.url))

        async def is_answered(
            _: object, __: object, params: aiohttp.TraceRequestEndParams, /
        ) -> None:
            self.count("after", params.method, str(params.url))

        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(leaves)
        tracing.on_request_end.append(is_answered)
        tracing.freeze()
        session.trace_configs.append(tracing)


class _WatchedNetwork(Network):
    """Watches `requests`, too, which the token endpoint is asked by."""

    outgoing: Outgoing

    def equip(self, session: requests.Session) -> None:
        super().equip(session)
        session.mount("https://", _Watched(session.get_adapter("https://"), self.outgoing))


class _Watched(BaseAdapter):
    def __init__(self, adapter: BaseAdapter, outgoing: Outgoing) -> None:
        super().__init__()
        self._adapter, self._outgoing = adapter, outgoing

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as upstream's
        method, url = str(request.method), str(request.url)
        self._outgoing.count("before", method, url)
        response = self._adapter.send(request, *args, **kwargs)
        self._outgoing.count("after", method, url)
        return response

    def close(self) -> None:
        self._adapter.close()
