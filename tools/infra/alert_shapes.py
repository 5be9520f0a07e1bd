"""The properties of action groups and alert rules; as in `monitor_shapes`, from the pages named."""

from typing import Literal, Required, TypedDict

Duration = Literal[
    "PT1M", "PT5M", "PT10M", "PT15M", "PT30M", "PT45M", "PT1H", "PT6H", "PT12H", "P1D", "P2D"
]


class EmailReceiver(TypedDict, total=False):
    name: Required[str]
    emailAddress: Required[str]
    useCommonAlertSchema: bool


class ActionGroupProperties(TypedDict, total=False):
    enabled: Required[bool]
    groupShortName: Required[str]
    emailReceivers: list[EmailReceiver]


class ActionGroup(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.insights/actiongroups"""

    location: Required[str]
    tags: dict[str, str]
    properties: Required[ActionGroupProperties]


class Dimension(TypedDict, total=False):
    name: Required[str]
    operator: Required[Literal["Include", "Exclude"]]
    values: Required[list[str]]


class FailingPeriods(TypedDict, total=False):
    numberOfEvaluationPeriods: int
    minFailingPeriodsToAlert: int


class QueryCondition(TypedDict, total=False):
    query: Required[str]
    timeAggregation: Required[Literal["Count", "Average", "Minimum", "Maximum", "Total"]]
    metricMeasureColumn: str
    resourceIdColumn: str
    dimensions: list[Dimension]
    operator: Required[
        Literal["Equals", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"]
    ]
    threshold: Required[int]
    failingPeriods: FailingPeriods


class QueryCriteria(TypedDict, total=False):
    allOf: Required[list[QueryCondition]]


class QueryActions(TypedDict, total=False):
    actionGroups: Required[list[str]]
    customProperties: dict[str, str]


class QueryRuleProperties(TypedDict, total=False):
    displayName: str
    description: str
    enabled: bool
    severity: Required[Literal[0, 1, 2, 3, 4]]
    scopes: Required[list[str]]
    evaluationFrequency: Required[Duration]
    windowSize: Required[Duration]
    overrideQueryTimeRange: Duration
    criteria: Required[QueryCriteria]
    actions: Required[QueryActions]
    autoMitigate: bool
    muteActionsDuration: str
    skipQueryValidation: bool
    targetResourceTypes: list[str]


class QueryRule(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.insights/scheduledqueryrules"""

    location: Required[str]
    tags: dict[str, str]
    kind: Literal["LogAlert", "LogToMetric"]
    properties: Required[QueryRuleProperties]


class MetricCriterion(TypedDict, total=False):
    name: Required[str]
    criterionType: Required[Literal["StaticThresholdCriterion", "DynamicThresholdCriterion"]]
    metricNamespace: str
    metricName: Required[str]
    dimensions: list[Dimension]
    operator: Required[
        Literal["Equals", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"]
    ]
    threshold: Required[int]
    timeAggregation: Required[Literal["Average", "Count", "Minimum", "Maximum", "Total"]]
    skipMetricValidation: bool


MetricCriteria = TypedDict(
    "MetricCriteria",
    {
        "odata.type": Required[
            Literal[
                "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                "Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria",
            ]
        ],
        "allOf": Required[list[MetricCriterion]],
    },
    total=False,
)


class GroupAction(TypedDict, total=False):
    actionGroupId: Required[str]


class MetricAlertProperties(TypedDict, total=False):
    description: str
    enabled: Required[bool]
    severity: Required[Literal[0, 1, 2, 3, 4]]
    scopes: Required[list[str]]
    evaluationFrequency: Required[Literal["PT1M", "PT5M", "PT15M", "PT30M", "PT1H"]]
    windowSize: Required[Duration]
    autoMitigate: bool
    criteria: Required[MetricCriteria]
    actions: list[GroupAction]


class MetricAlert(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.insights/metricalerts"""

    location: Required[str]
    tags: dict[str, str]
    properties: Required[MetricAlertProperties]


class ActivityCondition(TypedDict, total=False):
    field: Required[str]
    equals: str
    containsAny: list[str]


class ActivityConditions(TypedDict, total=False):
    allOf: Required[list[ActivityCondition]]


class ActivityActions(TypedDict, total=False):
    actionGroups: Required[list[GroupAction]]


class ActivityAlertProperties(TypedDict, total=False):
    description: str
    enabled: bool
    scopes: Required[list[str]]
    condition: Required[ActivityConditions]
    actions: Required[ActivityActions]


class ActivityAlert(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.insights/activitylogalerts"""

    location: Required[str]
    tags: dict[str, str]
    properties: Required[ActivityAlertProperties]
