"""Puts the service together: the settings, the network, every adapter, every use case.

Nothing connects here, and nothing is imported until it is asked for, the use cases included: the
Functions host has no start-up hook, and a cold start is paid for by a waiting user. A health check
imports no SDK, and no use case.
"""

from typing import TYPE_CHECKING

from shared.services.connecting import ConnectingServices
from shared.services.flows import FlowServices
from shared.services.keeping import KeepingServices
from shared.services.sign_in import SignInServices
from shared.services.tenants import TenantServices

if TYPE_CHECKING:
    from shared.network import Network
    from shared.settings import Settings


class Services(SignInServices, ConnectingServices, FlowServices, TenantServices, KeepingServices):
    """Every use case, made when it is first asked for, and kept."""

    async def close(self) -> None:
        """For tests and scripts; the Functions worker has no moment at which to call it."""
        await self._outside.close()


def build(settings: "Settings", network: "Network | None" = None) -> Services:
    """The service as deployed. `network` is given by the local stack alone."""
    from shared.outside import Azure  # noqa: PLC0415 - see the module's first words

    outside = Azure(settings, network)
    outside.attach_telemetry()
    return Services(settings, outside)
