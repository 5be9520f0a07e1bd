"""What every simulator is: the hosts it answers for, its routes, and its controls."""

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web


class Simulator(Protocol):
    """One counterparty, as strict as the real one: where the real service refuses, so does this.

    `name` is what `POST /_sim/faults` calls it. `hosts` are the production host names that its
    TLS port answers for (`*.` stands for exactly one label, as in a certificate); any other
    `Host` is answered 421. A simulator without hosts is served in plain HTTP on 127.0.0.1.
    """

    name: str
    hosts: tuple[str, ...]

    def routes(self) -> Sequence[web.RouteDef]:
        """What the counterparty answers."""
        ...

    def control(self) -> Sequence[web.RouteDef]:
        """What a test or a person may set, on the control port; paths start with `/_sim/`."""
        ...

    def reset(self) -> None:
        """As after start."""
        ...
