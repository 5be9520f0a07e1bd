"""Ports on 127.0.0.1 for processes that have not started yet."""

import socket
import sys
from typing import Self


class PortInUseError(Exception):
    """Somebody else listens on a port that was asked for by number."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is in use")
        self.port = port


class Ports:
    """Hands out ports, none twice, and keeps them from others until `release`.

    With `base`, ports are `base`, `base + 1`, ...; without it, free ones. On Linux a bound socket
    that does not listen keeps a port from everybody who asks for any free one (a load test opens
    thousands of connections), but not from the process that it is meant for, which binds it with
    SO_REUSEADDR. Other systems refuse the second bind, so there the port is only looked up.
    """

    def __init__(self, base: int | None = None) -> None:
        self._next = base
        self._held: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def take(self, port: int | None = None) -> int:
        """This port, or the next one. Raises PortInUseError."""
        if port is None and self._next is not None:
            port = self._next
            self._next += 1
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if port is None:
            # Reuse is allowed only after the choice: otherwise the system may choose a port that
            # another stack holds in the same way.
            held.bind(("127.0.0.1", 0))
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                held.bind(("127.0.0.1", port))
            except OSError as exc:
                held.close()
                raise PortInUseError(port) from exc
        number: int = held.getsockname()[1]
        if sys.platform == "linux":
            self._held.append(held)
        else:
            held.close()
        return number

    def release(self) -> None:
        """The processes are up: they hold their ports themselves."""
        for held in self._held:
            held.close()
        self._held.clear()
