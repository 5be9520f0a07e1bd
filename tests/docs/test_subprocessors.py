"""docs/subprocessors.md names every host that the code names, and no other."""

import ast

import pytest

from tests.docs.code_hosts import deployed, given_hosts, hosts_in, named_hosts, texts
from tests.docs.listed_hosts import CALLED, DOCUMENT, HOSTS, NEVER_CALLED, PLATFORM
from tests.docs.markdown import ROOT, named, text_of
from tests.docs.tables import code_spans, section, tables


def test_every_host_of_the_code_is_listed_and_no_other() -> None:
    in_code = named_hosts() | set(given_hosts().values())

    assert {*CALLED, *NEVER_CALLED} - {PLATFORM} == in_code


def test_no_host_is_listed_twice() -> None:
    names = [*CALLED, *NEVER_CALLED]

    assert sorted(names) == sorted(set(names))


def test_what_is_never_called_is_in_no_address_that_is_asked() -> None:
    """A name of that list may stand in an issuer, a scope or a pattern: nowhere else."""
    in_scopes = {"graph.microsoft.com", "monitor.azure.com", "storage.azure.com"}
    in_issuers = {"accounts.google.com", "sts.windows.net"}
    in_patterns = {"apps.googleusercontent.com"}
    in_refusals = {"169.254.169.254", "168.63.129.16"}

    assert set(NEVER_CALLED) == in_scopes | in_issuers | in_patterns | in_refusals
    assert uses_of(in_refusals) == in_refusals
    assert uses_of(in_scopes) == {
        "https://graph.microsoft.com/User.Read",
        "https://monitor.azure.com//.default",
        "https://storage.azure.com/.default",
    }
    assert uses_of(in_issuers) == {
        "https://accounts.google.com",
        "accounts.google.com",
        "https://sts.windows.net/",
    }


def uses_of(hosts: set[str]) -> set[str]:
    """The texts of the code in which one of these hosts occurs."""
    return {
        text
        for path in deployed()
        for text in texts(ast.parse(text_of(path)))
        if hosts_in(text) & hosts
    }


def test_the_address_of_the_platform_is_listed_because_the_identity_is_used() -> None:
    users = [named(p) for p in deployed() if "ManagedIdentityCredential" in text_of(p)]

    assert users == ["shared/outside.py"]
    assert PLATFORM in CALLED


def test_each_host_says_whose_it_is() -> None:
    owners = ("Microsoft", "Google", "Salesforce", "Sentry", "Azure")

    assert [row["host"] for row in HOSTS if not row["whose"].startswith(owners)] == []


def test_the_settings_that_give_a_host_are_named() -> None:
    by_host = {code_spans(row["host"])[0]: row["what for"] for row in HOSTS}

    assert given_hosts().keys() == {"TABLES_ENDPOINT", "BACKUP_ENDPOINT", "KEY_VAULT_URI"}
    assert [s for s, host in given_hosts().items() if s not in by_host[host]] == []


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("https://collector.example.systems/v1", {"collector.example.systems"}),
        ("https://api.example.com:8443/v1?x=y", {"api.example.com"}),
        ("api.example.ai", {"api.example.ai"}),
        (r"https://[a-z]+\.eu\.example\.io/x", {"eu.example.io"}),
        (r"(?:login|test)\.example\.com", {"login.example.com", "test.example.com"}),
        ("http://169.254.169.254/metadata", {"169.254.169.254"}),
        ("https://", set()),
        ("shared.telemetry.events", set()),
        ("see shared/errors.py", set()),
        ("application/problem+json", set()),
        ("v66.0", set()),
    ],
)
def test_a_host_is_found_however_it_is_written(text: str, hosts: set[str]) -> None:
    assert hosts_in(text) == hosts


def test_hosts_are_read_from_code_and_not_from_what_is_said_of_it() -> None:
    tree = ast.parse('"""https://said.example.com"""\nA = f"https://{x}.called.example.com/"\n')

    assert {host for text in texts(tree) for host in hosts_in(text)} == {"called.example.com"}


def test_no_sub_processor_is_left_out_of_the_architecture() -> None:
    """Whoever is a sub-processor is a zone of the diagram, too."""
    (table, *_) = tables(section(DOCUMENT, "## Sub-processors"))
    diagram = text_of(ROOT / "docs" / "architecture.md")

    assert [row["who"] for row in table] == ["Microsoft (Azure)", "Sentry"]
    assert 'subgraph alarms["Sentry EU, if set"]' in diagram
    assert 'subgraph region["One Azure region in the EU"]' in diagram
