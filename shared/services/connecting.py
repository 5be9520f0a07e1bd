"""Connecting a user's Salesforce orgs, and disconnecting them."""

# ruff: noqa: PLC0415 - imported at first use: see shared/services/__init__.py

from functools import cached_property
from typing import TYPE_CHECKING

from shared.services.steps import Steps

if TYPE_CHECKING:
    from shared.usecases.begin_connection import BeginConnection
    from shared.usecases.complete_connection import CompleteConnection
    from shared.usecases.disconnect import Disconnect
    from shared.usecases.finish_connection import FinishConnection
    from shared.usecases.list_connections import ListConnections
    from shared.usecases.start_connection import StartConnection


class ConnectingServices(Steps):
    @cached_property
    def begin_connection(self) -> "BeginConnection":
        from shared.usecases.begin_connection import BeginConnection

        return BeginConnection(
            pending=self._outside.pending,
            vault=self._outside.vault,
            clock=self._outside.clock,
            default_login_host=self.settings.salesforce_login_host,
            return_urls=frozenset(self.settings.addin_return_urls),
        )

    @cached_property
    def start_connection(self) -> "StartConnection":
        from shared.usecases.start_connection import StartConnection

        return StartConnection(
            pending=self._outside.pending,
            vault=self._outside.vault,
            login=self._outside.login,
            guesses=self._guesses,
            clock=self._outside.clock,
        )

    @cached_property
    def finish_connection(self) -> "FinishConnection":
        from shared.usecases.finish_connection import FinishConnection

        return FinishConnection(
            pending=self._outside.pending,
            vault=self._outside.vault,
            grants=self._grants,
            login=self._outside.login,
            revocations=self._revocations,
            tenants=self._outside.tenants,
            guesses=self._guesses,
            clock=self._outside.clock,
        )

    @cached_property
    def complete_connection(self) -> "CompleteConnection":
        from shared.usecases.complete_connection import CompleteConnection

        return CompleteConnection(
            tenants=self._outside.tenants,
            pending=self._outside.pending,
            connections=self._outside.connections,
            grants=self._grants,
            revocations=self._revocations,
            access=self._access,
            clock=self._outside.clock,
        )

    @cached_property
    def list_connections(self) -> "ListConnections":
        from shared.usecases.list_connections import ListConnections

        return ListConnections(connections=self._outside.connections, grants=self._grants)

    @cached_property
    def disconnect(self) -> "Disconnect":
        from shared.usecases.disconnect import Disconnect

        return Disconnect(
            connections=self._outside.connections,
            revocations=self._revocations,
            access=self._access,
            clock=self._outside.clock,
        )
