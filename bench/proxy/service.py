"""The service as it is measured: as deployed, on the stack's network, with two differences.

What one user and one tenant may ask for in a minute is counted and compared as always, against
numbers that no bench reaches: 64 users stand for the thousands whom such a load would come from.
And where the environment says so, the run rows are kept in memory instead of in the table service.
"""

import os
from dataclasses import replace
from functools import cached_property
from typing import Final

from bench.proxy.places import RUNS_IN_MEMORY, Places
from functions import create_app
from local.environment import service_environment
from local.network import pinned_network
from shared import ports
from shared.limits import RateLimit
from shared.model import TenantId, UserId
from shared.outside import Azure
from shared.services import Services
from shared.settings import Settings
from shared.usecases.authenticate import Authenticate
from tests.fakes.gates import MemoryGates
from tests.fakes.runs import MemoryRunStore

_NEVER_REACHED: Final = 1_000_000


class _OpenGates(MemoryGates):
    """Nobody is being deleted: who may write rows is the table service's knowledge."""

    def require(self, tenant: TenantId, user: UserId | None = None) -> None:
        pass


class _RunsInMemory(Azure):
    @cached_property
    def runs(self) -> ports.RunStore:
        return MemoryRunStore(_OpenGates())


class _UnderLoad(Services):
    @cached_property
    def authenticate(self) -> Authenticate:
        return Authenticate(
            sessions=self._outside.sessions,
            standings=self._outside.standings,
            user_limit=RateLimit(per_minute=_NEVER_REACHED, burst=_NEVER_REACHED),
            tenant_limit=RateLimit(per_minute=_NEVER_REACHED, burst=_NEVER_REACHED),
        )


def _services() -> Services:
    places = Places.given()
    info = places.info()
    settings = Settings.from_environ(service_environment(info) | os.environ)
    network = pinned_network(replace(info, pins=places.every_pin()))
    make = _RunsInMemory if RUNS_IN_MEMORY in os.environ else Azure
    outside = make(settings, network)
    outside.attach_telemetry()
    return _UnderLoad(settings, outside)


_made = _services()
app = create_app(_made)
close = _made.close
