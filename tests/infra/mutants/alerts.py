"""Mistakes after which an alert is there, and does not fire."""

from typing import Final

from tests.infra.mutants.mutant import Mutant

_ALERTS: Final = "modules/alerts.bicep"
_EVENT: Final = 'AppTraces | where Message == "deletion_overdue"'

MUTANTS: Final = (
    Mutant("other table", _ALERTS, _EVENT, _EVENT.replace("AppTraces", "AppEvents"), "alert-query"),
    Mutant("old table", _ALERTS, _EVENT, _EVENT.replace("AppTraces", "traces"), "alert-query"),
    Mutant("negated query", _ALERTS, _EVENT, _EVENT.replace("==", "!="), "alert-query"),
    Mutant("query of nothing", _ALERTS, _EVENT, f"{_EVENT} and 1 == 2", "alert-query"),
    Mutant("query misspelt", _ALERTS, _EVENT, _EVENT.replace("where", "whree"), "alert-query"),
    Mutant(
        "severity of nobody", _ALERTS, "SeverityLevel >= 3", "SeverityLevel >= 5", "alert-query"
    ),
    Mutant("silence for longer", _ALERTS, "> ago(26h)", "> ago(260h)", "alert-query"),
    Mutant("silence of none", _ALERTS, "Known > 0 and", "Known > 9 and", "alert-query"),
    Mutant(
        "threshold of a thousand",
        _ALERTS,
        "          threshold: 0\n          failingPeriods",
        "          threshold: 1000\n          failingPeriods",
        "alert-threshold",
    ),
    Mutant(
        "fewer rows", _ALERTS, "operator: 'GreaterThan'", "operator: 'LessThan'", "alert-threshold"
    ),
    Mutant(
        "six hours in a row",
        _ALERTS,
        "minFailingPeriodsToAlert: 1",
        "minFailingPeriodsToAlert: 6",
        "alert-threshold",
    ),
    Mutant(
        "average of rows",
        _ALERTS,
        "timeAggregation: 'Count'",
        "timeAggregation: 'Average'",
        "alert-threshold",
    ),
    Mutant(
        "asked once a day",
        _ALERTS,
        "evaluationFrequency: 'PT15M'",
        "evaluationFrequency: 'P1D'",
        "alert-window",
    ),
    Mutant("window too short", _ALERTS, "windowSize: 'PT1H'", "windowSize: 'PT5M'", "alert-window"),
    Mutant(
        "window shorter than the silence",
        _ALERTS,
        "windowSize: 'P2D'",
        "windowSize: 'PT1H'",
        "alert-window",
    ),
    Mutant(
        "metric asked seldom",
        _ALERTS,
        "evaluationFrequency: 'PT5M'",
        "evaluationFrequency: 'PT15M'",
        "alert-window",
    ),
    Mutant(
        "muted",
        _ALERTS,
        "    autoMitigate: true\n",
        "    autoMitigate: false\n    muteActionsDuration: 'P2D'\n",
        "alert-muted",
    ),
    Mutant(
        "silence taken back",
        _ALERTS,
        "autoMitigate: false",
        "autoMitigate: true",
        "alert-taken-back",
    ),
    Mutant(
        "broken seals are of no interest",
        _ALERTS,
        "name: 'seal-broken'\n    severity: 0",
        "name: 'seal-broken'\n    severity: 4",
        "alert-severity",
    ),
    Mutant(
        "refusals are of no interest",
        _ALERTS,
        "name: 'vault-refused'\n    severity: 0",
        "name: 'vault-refused'\n    severity: 3",
        "alert-severity",
    ),
    Mutant("other metric", _ALERTS, "'ServiceApiResult'", "'ServiceApiHit'", "alert-metric"),
    Mutant("other dimension", _ALERTS, "'StatusCode'", "'StatusCodeClass'", "alert-metric"),
    Mutant(
        "metric of another type",
        _ALERTS,
        "namespace: 'Microsoft.KeyVault/vaults'",
        "namespace: 'Microsoft.KeyVault/managedHSMs'",
        "alert-metric",
    ),
    Mutant("all but these", _ALERTS, "operator: 'Include'", "operator: 'Exclude'", "alert-metric"),
    Mutant(
        "thousands of refusals",
        _ALERTS,
        "          threshold: 0\n        }",
        "          threshold: 5000\n        }",
        "alert-metric",
    ),
    Mutant(
        "health of something else", _ALERTS, "'ServiceHealth'", "'Autoscale'", "alert-condition"
    ),
    Mutant(
        "health of the group",
        _ALERTS,
        "= subscription().id",
        "= resourceGroup().id",
        "alert-scope",
    ),
    Mutant(
        "told to somebody else as well",
        _ALERTS,
        "        useCommonAlertSchema: true\n      }\n",
        "        useCommonAlertSchema: true\n      }\n      {\n        name: 'us'\n"
        "        emailAddress: 'ops@contoso.example.com'\n      }\n",
        "alert-untold",
    ),
)
