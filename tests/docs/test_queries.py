"""The queries of the runbooks and of the alerts name events, fields and columns that exist."""

import re
from typing import Final

import pytest

from tests.docs.kql import events, faults, told
from tests.docs.markdown import ROOT, RUNBOOKS, blocks, documents, named, text_of

QUERIES: Final = {
    f"{named(path)}[{number}]": block.body
    for path in documents()
    for number, block in enumerate(blocks(text_of(path)), 1)
    if block.info == "kql"
}
ALERTS: Final = text_of(ROOT / "bicep" / "modules" / "alerts.bicep")
OF_ALERTS: Final = re.findall(r"^ *query: '(AppTraces .*)'$", ALERTS, re.MULTILINE)
INCIDENT: Final = text_of(RUNBOOKS / "incident.md")


def test_the_queries_are_found() -> None:
    assert len(QUERIES) >= 10
    assert len(OF_ALERTS) >= 10


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_names_nothing_that_there_is_not(name: str) -> None:
    assert faults(QUERIES[name]) == []


@pytest.mark.parametrize("query", OF_ALERTS)
def test_a_query_of_an_alert_names_nothing_that_there_is_not(query: str) -> None:
    assert faults(query) == []


@pytest.mark.parametrize("name", QUERIES)
def test_every_event_of_a_query_is_told_by_the_service(name: str) -> None:
    assert set(events(QUERIES[name])) <= told()


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ('AppTraces | where Message == "flow_ran"', "event flow_ran"),
        ('AppTraces | where Message in ("flow_run", "grant_used")', "event grant_used"),
        ("AppTraces | summarize count() by tostring(Properties.org)", "field org"),
        ('AppTraces | project X = tostring(Properties["mail"])', "field mail"),
        ("AppTraces | where Timestamp > ago(1d)", "name Timestamp"),
        ("AppTraces | where customDimensions.tenant == 1", "name customDimensions.tenant"),
        ("AZKVAuditLogs | summarize count() by CallerIPAddress", "name CallerIPAddress"),
        ("StorageTableLogs | project Url", "name Url"),
        ("AppTraces | wherever SeverityLevel > 1", "name wherever"),
        ("traces | take 10", "no known table"),
    ],
)
def test_a_name_that_there_is_not_is_found(query: str, fault: str) -> None:
    assert faults(query) == [fault]


# --- the alerts and what the runbook says of them ------------------------------------------------


def alert_rows(text: str) -> dict[str, str]:
    """What the runbook's table says of each alert."""
    return dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", text, re.MULTILINE))


def alert_names(bicep: str) -> set[str]:
    rules = re.findall(r"^ {4}name: '([a-z-]+)'$", bicep, re.MULTILINE)
    return {*rules, *re.findall(r"^ {2}name: 'alert-flowrunner-([a-z-]+)-\$", bicep, re.MULTILINE)}


def test_the_runbook_knows_every_alert_and_no_other() -> None:
    assert set(alert_rows(INCIDENT)) == alert_names(ALERTS)


def test_an_alert_without_a_row_is_found() -> None:
    assert "new-alert" in alert_names(ALERTS + "\n    name: 'new-alert'\n")
    assert "seal-broken" not in alert_rows(INCIDENT.replace("| `seal-broken` |", "| seal |"))


def test_of_an_alert_that_cannot_come_the_runbook_says_so() -> None:
    """Its event is on the list of events, and nothing tells it."""
    by_event = {name.replace("-", "_"): about for name, about in alert_rows(INCIDENT).items()}
    silent = {event for query in OF_ALERTS for event in events(query)} - told()

    assert silent == {name for name, about in by_event.items() if "cannot come today" in about}
