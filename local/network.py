"""The network of the local stack: production host names lead to the simulators, and nowhere else.

Everything else is as in production: only the hosts of the service may be called, certificates are
verified (against the stack's own authority alone), host names are compared, TLS 1.2 is the floor. A
name without a pin cannot be reached.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from local.environment import service_environment
from local.stack_info import StackInfo
from shared.egress import Egress
from shared.names import Resolve
from shared.network import Network
from shared.settings import Settings


def pinned_network(info: StackInfo) -> Network:
    """The network for `build(settings, network)` that reaches the simulators of this stack."""
    egress = Egress()
    egress.admit_settings(Settings.from_environ(service_environment(info)))
    return Network(egress, resolve=pinned(info.pins), authority=str(info.authority))


def port_of(pins: Mapping[str, int], host: str) -> int:
    """The simulator's port for a host name; a pin `*.x` stands for one label. OSError if none."""
    parent = "*." + host.partition(".")[2]
    port = pins.get(host) or pins.get(parent)
    if port is None:
        raise socket.gaierror(socket.EAI_NONAME, f"{host} is not part of the local stack")
    return port


def pinned(pins: Mapping[str, int]) -> Resolve:
    """Instead of DNS: each name leads to its simulator's port on 127.0.0.1. An endpoint that is
    given as that address leads to itself."""

    def resolve(
        host: str, port: int, family: socket.AddressFamily, kind: socket.SocketKind
    ) -> Sequence[Any]:
        del family
        found = port if host == "127.0.0.1" else port_of(pins, host)
        return [(socket.AF_INET, kind, 0, "", ("127.0.0.1", found))]

    return resolve
