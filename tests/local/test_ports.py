"""Ports are given out once, and stay free for the process that they are meant for."""

import socket

import pytest

from local.ports import PortInUseError, Ports


def test_no_port_is_given_out_twice() -> None:
    with Ports() as ports:
        taken = [ports.take() for _ in range(50)]

    assert len(set(taken)) == 50


def test_ports_follow_the_base() -> None:
    with Ports(_free_pair()) as ports:
        first = ports.take()

        assert ports.take() == first + 1


def _free_pair() -> int:
    """The first of two free ports in a row."""
    for _ in range(100):
        with Ports() as probe:
            number = probe.take()
            try:
                probe.take(number + 1)
            except PortInUseError:
                continue
            return number
    raise AssertionError("no two free ports in a row")


def test_a_port_that_somebody_listens_on_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody, Ports() as ports:
        number = somebody.getsockname()[1]

        with pytest.raises(PortInUseError, match=f"port {number} is in use"):
            ports.take(number)


def test_a_held_port_can_be_listened_on_but_is_given_to_nobody() -> None:
    with Ports() as ports:
        held = ports.take()

        with Ports() as others:
            assert held not in [others.take() for _ in range(200)]
        socket.create_server(("127.0.0.1", held)).close()
