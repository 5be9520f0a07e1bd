"""Puts up everything that a measurement needs, and takes it down again."""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.proxy import ajax_proxy, nginx, quickstart_store
from bench.proxy.peers import (
    IN_THE_HOST,
    LISTENING,
    NGINX,
    OURS,
    OURS_ON_AZURITE,
    Peer,
    Peers,
)
from bench.proxy.people import People
from bench.proxy.places import ORGS, VARIABLE, Places
from bench.proxy.processes import Cores, Server, on, python, start
from local.ports import Ports
from local.readiness import wait_for
from local.stack import Stack, StackError

_READY_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    peers: tuple[Peer, ...]
    missing: tuple[str, ...]
    cores: Cores


@contextmanager
def field(users: int, folder: Path, *, profile: Path | None = None) -> Iterator[Field]:
    """With `profile`, ours alone, which writes it there at its end."""
    cores = Cores.of_this_machine()
    with (
        on(cores.others),
        Stack(data=folder / "stack", with_timers=False) as stack,
        Ports() as ports,
    ):
        places = Places(
            stack=stack.info.data / "stack.json",
            pins={host: ports.take() for host in ORGS.values()},
            ports={name: ports.take() for name in _listeners()},
        )
        file = folder / "places.json"
        places.save(file)
        people = People(stack.info, users)
        people.connect()
        environment = {VARIABLE: str(file)}
        orgs = start("upstream", python("bench.proxy.upstream"), environment, logs=folder)
        peers = Peers(places, folder, people)
        missing: list[str] = []
        try:
            with on(cores.server):
                if profile:
                    found = [peers.service(OURS, "--profile", str(profile))]
                else:
                    found, missing = _all(peers, people, places, folder)
            _wait(places, found, [orgs, *peers.started])
            yield Field(peers=tuple(found), missing=tuple(missing), cores=cores)
        finally:
            for server in (*reversed(peers.started), orgs):
                server.stop()


def _listeners() -> list[str]:
    return [*LISTENING, *(f"{name}, https" for name in IN_THE_HOST)]


def _all(
    peers: Peers, people: People, places: Places, folder: Path
) -> tuple[list[Peer], list[str]]:
    """In the order in which each round asks them; and what is missing."""
    ajax_proxy.install()
    sessions = quickstart_store.prepare(places.info(), people.names, folder / "quickstart.json")
    ways = (
        peers.direct,
        peers.bare,
        peers.nginx,
        lambda: peers.service(OURS),
        lambda: peers.service(OURS_ON_AZURITE),
        lambda: peers.quickstart(sessions),
        peers.ajax_proxy,
        peers.empty_function,
    )
    # One after the other: those in the local host write their certificates to the same file.
    found: list[Peer] = []
    for way in ways:
        peer = way()
        if peer is not None:
            found.append(peer)
            _wait(places, [peer], [peer.server] if peer.server else [])
    has_nginx = any(peer.name == NGINX for peer in found)
    return found, [] if has_nginx else [nginx.MISSING]


def _wait(places: Places, peers: list[Peer], servers: list[Server]) -> None:
    """Raises NotReadyError; StackError, with the end of its log, where one has ended instead."""

    def check() -> None:
        for server in servers:
            if server.exit_code() is not None:
                raise StackError(f"{server.name} has ended:\n{server.last_lines()}")

    deadline = time.monotonic() + _READY_SECONDS
    tls = ssl.create_default_context(cafile=str(places.info().authority))
    for port in places.pins.values():
        wait_for(f"https://127.0.0.1:{port}/", deadline=deadline, tls=tls, check=check)
    for peer in peers:
        if peer.server:
            url = f"http://127.0.0.1:{places.ports[peer.name]}/"
            wait_for(url, deadline=deadline, check=check)
