"""The properties of the types of Microsoft.Insights and Microsoft.OperationalInsights.

Microsoft's SDKs have no TypedDicts for these, so what our templates may use of them is written here
in the same form, from the pages named.
"""

from typing import Literal, Required, TypedDict


class WorkspaceSku(TypedDict, total=False):
    name: Required[Literal["PerGB2018", "CapacityReservation"]]
    capacityReservationLevel: int


class WorkspaceFeatures(TypedDict, total=False):
    disableLocalAuth: bool
    enableDataExport: bool
    enableLogAccessUsingOnlyResourcePermissions: bool
    immediatePurgeDataOn30Days: bool


class WorkspaceCapping(TypedDict, total=False):
    dailyQuotaGb: int


class WorkspaceReplication(TypedDict, total=False):
    enabled: bool
    location: str


class WorkspaceProperties(TypedDict, total=False):
    sku: WorkspaceSku
    retentionInDays: int
    features: WorkspaceFeatures
    workspaceCapping: WorkspaceCapping
    publicNetworkAccessForIngestion: Literal["Enabled", "Disabled", "SecuredByPerimeter"]
    publicNetworkAccessForQuery: Literal["Enabled", "Disabled", "SecuredByPerimeter"]
    forceCmkForQuery: bool
    replication: WorkspaceReplication


class Workspace(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces"""

    location: Required[str]
    tags: dict[str, str]
    properties: Required[WorkspaceProperties]


class LogTableProperties(TypedDict, total=False):
    plan: Literal["Analytics", "Basic", "Auxiliary"]
    retentionInDays: int
    totalRetentionInDays: int


class LogTable(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces/tables"""

    properties: Required[LogTableProperties]


class ComponentProperties(TypedDict, total=False):
    Application_Type: Required[Literal["web", "other"]]
    DisableIpMasking: bool
    DisableLocalAuth: bool
    ForceCustomerStorageForProfiler: bool
    IngestionMode: Literal["LogAnalytics"]
    RetentionInDays: int
    SamplingPercentage: int
    WorkspaceResourceId: Required[str]
    publicNetworkAccessForIngestion: Literal["Enabled", "Disabled", "SecuredByPerimeter"]
    publicNetworkAccessForQuery: Literal["Enabled", "Disabled", "SecuredByPerimeter"]


class Component(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.insights/components"""

    location: Required[str]
    tags: dict[str, str]
    kind: Required[Literal["web", "other"]]
    properties: Required[ComponentProperties]


class DiagnosticLog(TypedDict, total=False):
    category: str
    categoryGroup: Literal["allLogs", "audit"]
    enabled: Required[bool]


class DiagnosticMetric(TypedDict, total=False):
    category: Required[str]
    enabled: Required[bool]


class DiagnosticProperties(TypedDict, total=False):
    logAnalyticsDestinationType: Literal["Dedicated", "AzureDiagnostics"]
    logs: list[DiagnosticLog]
    metrics: list[DiagnosticMetric]
    workspaceId: Required[str]


class DiagnosticSetting(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.insights/diagnosticsettings"""

    properties: Required[DiagnosticProperties]
