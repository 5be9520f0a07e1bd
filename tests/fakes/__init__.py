"""Working stand-ins for everything outside the service. They hold state; none records calls.

Each passes the contract suite of the real thing (`tests/contract`). `World` is all of them
together, and the service wired to them.
"""

from tests.fakes.clock import NOON, FakeClock
from tests.fakes.faults import Faults
from tests.fakes.salesforce_flows import FakeFlow, FakeFlows, variable
from tests.fakes.salesforce_login import CONTOSO_ORG, FABRIKAM_ORG, FakeLogin
from tests.fakes.salesforce_sessions import FakeSessions, OpenedSession
from tests.fakes.world import World

__all__ = [
    "CONTOSO_ORG",
    "FABRIKAM_ORG",
    "NOON",
    "FakeClock",
    "FakeFlow",
    "FakeFlows",
    "FakeLogin",
    "FakeSessions",
    "Faults",
    "OpenedSession",
    "World",
    "variable",
]
