"""The network of the local stack: production host names lead to the simulators, and nowhere else.

Everything else is as in production: certificates are verified (against the stack's own authority
alone), host names are compared, TLS 1.2 is the floor. A name without a pin cannot be reached.
"""

import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from aiohttp.abc import AbstractResolver, ResolveResult

from local.stack_info import StackInfo
from shared.network import DeadlineAdapter, Network


def pinned_network(info: StackInfo) -> Network:
    """The network for `build(settings, network)` that reaches the simulators of this stack."""
    tls = ssl.create_default_context(cafile=str(info.authority))
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    return Network(
        tls=tls,
        resolver=lambda: PinnedResolver(info.pins),
        adapter=lambda: PinnedAdapter(tls, info.pins),
        authority=str(info.authority),
    )


def port_of(pins: Mapping[str, int], host: str) -> int:
    """The simulator's port for a host name; a pin `*.x` stands for one label. OSError if none."""
    parent = "*." + host.partition(".")[2]
    port = pins.get(host) or pins.get(parent)
    if port is None:
        raise OSError(f"{host} is not part of the local stack")
    return port


class PinnedResolver(AbstractResolver):
    """Resolves the names of the local stack for aiohttp; the port is pinned with the address."""

    def __init__(self, pins: Mapping[str, int]) -> None:
        self._pins = pins

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError for a name without a pin."""
        del port
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=port_of(self._pins, host),
                family=family,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """There is nothing to close."""


class PinnedAdapter(DeadlineAdapter):
    """The same for `requests`: dials the simulator, asks for and checks the production name."""

    def __init__(self, tls: ssl.SSLContext, pins: Mapping[str, int]) -> None:
        self._pins = pins
        super().__init__(tls)

    def build_connection_pool_key_attributes(
        self,
        request: requests.PreparedRequest,
        verify: bool | str,  # noqa: FBT001 - the signature of requests
        cert: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - upstream's types do not list all that urllib3 accepts
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        name = str(host["host"])
        if name == "127.0.0.1":
            return host, pool
        dialled = {**host, "host": "127.0.0.1", "port": port_of(self._pins, name)}
        return dialled, {**pool, "server_hostname": name, "assert_hostname": name}

    def add_headers(self, request: requests.PreparedRequest, **kwargs: Any) -> None:  # noqa: ANN401
        """The Host header names what was asked for, not what was dialled."""
        del kwargs
        request.headers["Host"] = urlsplit(request.url or "").netloc
