"""Fixtures for tests of simulators: `serve(simulator)` runs one and answers how to reach it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from local.simulators.simulator import Simulator
from tests.simulators.serving import Clock, Served, serving

type Serve = Callable[[Simulator], Served]

NOON = 1_768_478_400.0  # 2026-01-15T12:00:00Z


@pytest.fixture(scope="session")
def certificate_authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def authority_file(
    certificate_authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    certificate_authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def serve(certificate_authority: trustme.CA, authority_file: Path) -> Iterator[Serve]:
    """`serve(simulator)` as often as a test needs; each is stopped when the test ends."""
    with ExitStack() as running:
        yield lambda simulator: running.enter_context(
            serving(simulator, certificate_authority, authority_file)
        )


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)
