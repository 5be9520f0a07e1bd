"""Flows and their runs."""

# ruff: noqa: PLC0415 - imported at first use: see shared/services/__init__.py

from functools import cached_property
from typing import TYPE_CHECKING

from shared.services.steps import Steps

if TYPE_CHECKING:
    from shared.usecases.describe_flow import DescribeFlow
    from shared.usecases.export_runs import ExportRuns
    from shared.usecases.invoke_flow import InvokeFlow
    from shared.usecases.list_flows import ListFlows
    from shared.usecases.list_runs import ListRuns
    from shared.usecases.open_lightning import OpenLightning
    from shared.usecases.publish_keys import PublishKeys


class FlowServices(Steps):
    @cached_property
    def list_flows(self) -> "ListFlows":
        from shared.usecases.list_flows import ListFlows

        return ListFlows(
            connections=self._outside.connections,
            access=self._access,
            flows=self._outside.flows,
        )

    @cached_property
    def describe_flow(self) -> "DescribeFlow":
        from shared.usecases.describe_flow import DescribeFlow

        return DescribeFlow(
            tenants=self._outside.tenants, access=self._access, flows=self._outside.flows
        )

    @cached_property
    def invoke_flow(self) -> "InvokeFlow":
        from shared.usecases.invoke_flow import InvokeFlow

        return InvokeFlow(
            describe=self.describe_flow,
            access=self._access,
            flows=self._outside.flows,
            runs=self._outside.runs,
            tenants=self._outside.tenants,
            vault=self._outside.vault,
            pseudonyms=self._outside.pseudonyms,
            clock=self._outside.clock,
        )

    @cached_property
    def open_lightning(self) -> "OpenLightning":
        from shared.usecases.open_lightning import OpenLightning

        return OpenLightning(access=self._access, sessions=self._outside.lightning)

    @cached_property
    def list_runs(self) -> "ListRuns":
        from shared.usecases.list_runs import ListRuns

        return ListRuns(
            runs=self._outside.runs,
            tenants=self._outside.tenants,
            vault=self._outside.vault,
            clock=self._outside.clock,
        )

    @cached_property
    def export_runs(self) -> "ExportRuns":
        from shared.usecases.export_runs import ExportRuns

        return ExportRuns(
            runs=self._outside.runs,
            tenants=self._outside.tenants,
            vault=self._outside.vault,
            signer=self._outside.signer,
            clock=self._outside.clock,
        )

    @cached_property
    def publish_keys(self) -> "PublishKeys":
        from shared.usecases.publish_keys import PublishKeys

        return PublishKeys(signer=self._outside.signer)
