"""FlowDefinitionView, FlowVersionView and FlowVariableView: an org's Flows as query results.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_flowdefinitionview.htm
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from local.simulators.salesforce.ids import derived
from local.simulators.salesforce.orgs import Flow, Org
from local.simulators.salesforce.variables import Json

type Row = dict[str, Json]

_PROCESS_TYPES: Final = {"screen": "Flow", "autolaunched": "AutoLaunchedFlow"}


@dataclass(frozen=True, kw_only=True)
class View:
    """`needs_one_of`: the query must compare one of these fields with `=` or `IN`."""

    name: str
    fields: tuple[str, ...]
    rows: Callable[[Org, Flow], list[Row]]
    needs_one_of: tuple[str, ...] = ()


def _definition_id(org: Org, flow: Flow) -> str:
    return derived("300", org.org_id, flow.name)


def _version_id(org: Org, flow: Flow, number: int) -> str:
    return derived("301", org.org_id, flow.name, str(number))


def _definitions(org: Org, flow: Flow) -> list[Row]:
    """`IsActive` says that the latest version is the active one: false beside a newer draft."""
    namespace = flow.namespace
    return [
        {
            "DurableId": _definition_id(org, flow),
            "ApiName": flow.developer_name,
            "Label": flow.label,
            "Description": flow.description,
            "ProcessType": _PROCESS_TYPES[flow.kind],
            "TriggerType": flow.trigger_type,
            "ActiveVersionId": _version_id(org, flow, 1) if flow.active else None,
            "LatestVersionId": _version_id(org, flow, 2 if flow.draft else 1),
            "IsActive": flow.active and not flow.draft,
            "IsOutOfDate": False,
            "NamespacePrefix": namespace,
            "ManageableState": "installed" if namespace else "unmanaged",
            "InstalledPackageName": f"Package {namespace}" if namespace else None,
            "LastModifiedBy": next(iter(org.users.values())).name if org.users else None,
        }
    ]


def _versions(org: Org, flow: Flow) -> list[Row]:
    states = ["Active" if flow.active else "Obsolete", *(["Draft"] if flow.draft else [])]
    return [
        {
            "DurableId": _version_id(org, flow, number),
            "FlowDefinitionViewId": _definition_id(org, flow),
            "Label": flow.label,
            "Description": flow.description,
            "Status": status,
            "VersionNumber": number,
            "ProcessType": _PROCESS_TYPES[flow.kind],
            "RunInMode": "DefaultMode",
        }
        for number, status in enumerate(states, start=1)
    ]


def _variables(org: Org, flow: Flow) -> list[Row]:
    """Only variables that are input or output, of every version."""
    inputs = {variable.name for variable in flow.inputs}
    outputs = {variable.name for variable in flow.outputs}
    every = {variable.name: variable for variable in (*flow.inputs, *flow.outputs)}
    return [
        {
            "DurableId": f"{_version_id(org, flow, number)}-{variable.name}",
            "FlowVersionViewId": _version_id(org, flow, number),
            "ApiName": variable.name,
            "DataType": variable.view_type,
            "IsCollection": variable.collection,
            "IsInput": variable.name in inputs,
            "IsOutput": variable.name in outputs,
            "ObjectType": variable.sobject_type,
            "Description": variable.description,
        }
        for number in ((1, 2) if flow.draft else (1,))
        for variable in every.values()
    ]


VIEWS: Final = (
    View(
        name="FlowDefinitionView",
        fields=(
            "DurableId",
            "ApiName",
            "Label",
            "Description",
            "ProcessType",
            "TriggerType",
            "ActiveVersionId",
            "LatestVersionId",
            "IsActive",
            "IsOutOfDate",
            "NamespacePrefix",
            "ManageableState",
            "InstalledPackageName",
            "LastModifiedBy",
        ),
        rows=_definitions,
    ),
    View(
        name="FlowVersionView",
        fields=(
            "DurableId",
            "FlowDefinitionViewId",
            "Label",
            "Description",
            "Status",
            "VersionNumber",
            "ProcessType",
            "RunInMode",
        ),
        rows=_versions,
        needs_one_of=("DurableId", "FlowDefinitionViewId"),
    ),
    View(
        name="FlowVariableView",
        fields=(
            "DurableId",
            "FlowVersionViewId",
            "ApiName",
            "DataType",
            "IsCollection",
            "IsInput",
            "IsOutput",
            "ObjectType",
            "Description",
        ),
        rows=_variables,
        needs_one_of=("FlowVersionViewId",),
    ),
)
