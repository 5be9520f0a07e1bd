"""A period or a size that a document names is the one of the code, and of the templates."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from functions.deletion_request import _PROMISE
from shared import tenant_settings
from shared.crypto import key_vault, signing, tenant_vault
from shared.identity import sessions
from shared.model import CONFIRMATION_LIFETIME, DEFAULT_RETENTION_DAYS, REVOCATION_LIMIT
from shared.model.backups import BACKUP_DAYS
from shared.model.schema import LOG_DAYS
from shared.storage import standings
from shared.usecases import clean_up, confirm_deletion, finish_connection, rotate_keys
from tests.docs.markdown import ROOT, documents, named, text_of

BICEP: Final = {path.name: text_of(path) for path in (ROOT / "bicep").rglob("*.bicep")}
N: Final = r"(\d[\d,]*|one|two|ten|fifteen|thirty)"
_WORDS: Final = {"one": 1, "two": 2, "ten": 10, "fifteen": 15, "thirty": 30}


def hours(period: timedelta) -> int:
    return round(period / timedelta(hours=1))


def minutes(period: timedelta) -> int:
    return round(period / timedelta(minutes=1))


def in_bicep(file: str, pattern: str) -> int:
    """The one number that a template has there."""
    found = set(re.findall(pattern, BICEP[file], re.MULTILINE))
    assert len(found) == 1, f"{file}: {pattern}"
    return int(found.pop())


@dataclass(frozen=True, slots=True)
class Fact:
    """How documents say it, with the number as the group, and what the number is."""

    said: str
    number: Callable[[], int]


FACTS: Final[Mapping[str, Fact]] = {
    "data keys": Fact(
        rf"newest is {N} days old|by themselves, after {N} days",
        lambda: rotate_keys.DATA_KEY_LIFETIME.days,
    ),
    "retired keys": Fact(
        rf"wrapped, for {N} days|until {N} days after they were retired|and, {N} days later",
        lambda: rotate_keys.KEPT_FOR_BACKUPS.days,
    ),
    "settling keys": Fact(
        rf"{N} minutes after the new key was made", lambda: minutes(rotate_keys.SETTLING)
    ),
    "retention": Fact(rf"{N} days unless (?:it|its)\b", lambda: DEFAULT_RETENTION_DAYS),
    "most retention": Fact(rf"\b1 to {N}\)", lambda: tenant_settings._MOST_RETENTION_DAYS),
    "logs": Fact(
        rf"(?:gone after|[Rr]each back|traces?|telemetry|logs)[^.|]{{0,60}}? {N} days",
        lambda: LOG_DAYS,
    ),
    "logs in the templates": Fact(
        rf"[Ww]orkspace(?:<br/>| keeps [^.|]*?){N} days",
        lambda: in_bicep("monitoring.bicep", r"param logDays int = (\d+)"),
    ),
    "backups": Fact(rf"without grants, {N} days|nightly[^.|]*? {N} days", lambda: BACKUP_DAYS),
    "receipts": Fact(rf"\b{N} years\b", lambda: round(clean_up.RECEIPT_LIFETIME.days / 365.25)),
    "deletion": Fact(rf"within {N} hours of (?:its|the) confirmation", lambda: hours(_PROMISE)),
    "revoking": Fact(
        rf"(?:is tried for|at|confirmed) {N} hours\b(?: (?:ago|an alarm|somebody)|;)",
        lambda: hours(REVOCATION_LIMIT),
    ),
    "confirmation": Fact(
        rf"(?:needed within|forgotten after) {N} hours?\b", lambda: hours(CONFIRMATION_LIFETIME)
    ),
    "fresh session": Fact(rf"not older than {N} minutes", lambda: minutes(confirm_deletion.FRESH)),
    "session": Fact(rf"[Ss]essions? lives? {N} minutes", lambda: minutes(sessions.LIFETIME)),
    "keys in memory": Fact(
        r"(?:instance within|remembers the two for|[Ww]ait|version for up to|in memory for)"
        rf" {N} minutes(?!\s+before)",
        lambda: int(key_vault._CACHE_SECONDS / 60),
    ),
    "between two rotations": Fact(
        rf"[Ww]ait {N} minutes before",
        lambda: minutes(sessions.SETTLED + sessions.LIFETIME + sessions.SKEW),
    ),
    "shortest secret": Fact(rf"less than {N} characters", lambda: sessions._LEAST_KEY_CHARACTERS),
    "wrong clock": Fact(rf"clock is more than {N} minutes", lambda: minutes(clean_up._WRONG_CLOCK)),
    "one-time codes": Fact(
        rf"\bcodes? (?:live|\([^)]*?)[ ,]*{N} minutes",
        lambda: minutes(finish_connection.PARKED_LIFETIME),
    ),
    "no backup": Fact(
        rf"no backup ran for {N} hours",
        lambda: in_bicep(
            "alerts.bicep", r'Message == "backup" and .{,80}TimeGenerated > ago\((\d+)h\)'
        ),
    ),
    "no clean-up": Fact(
        rf"no clean-up ran for {N} hours",
        lambda: in_bicep(
            "alerts.bicep", r'Message == "retention_cleanup" and TimeGenerated > ago\((\d+)h\)'
        ),
    ),
    "deleted keys": Fact(
        rf"(?:within|for) {N} days(?:\. Purge|, and cannot be purged)",
        lambda: in_bicep("keyvault.bicep", r"softDeleteRetentionInDays: (\d+)"),
    ),
    "packages": Fact(
        rf"Packages are kept for {N} days",
        lambda: _of_the_workflow(r"Keep the package(?:.|\n)*?retention-days: (\d+)"),
    ),
}


def _of_the_workflow(pattern: str) -> int:
    found = re.search(pattern, text_of(ROOT / ".github" / "workflows" / "deploy.yml"))
    assert found
    return int(found[1])


def faults(text: str) -> list[str]:
    """What a document says otherwise than code and templates."""
    line = " ".join(text.split())
    return [
        f"{about}: {said}"
        for about, fact in FACTS.items()
        for said in told(fact, line)
        if number_of(said) != fact.number()
    ]


def told(fact: Fact, line: str) -> list[str]:
    groups = (match.groups() for match in re.finditer(fact.said, line))
    return [next(one for one in found if one) for found in groups]


def number_of(said: str) -> int | None:
    plain = said.replace(",", "")
    return int(plain) if plain.isdigit() else _WORDS.get(plain.lower())


@pytest.mark.parametrize("path", documents(), ids=named)
def test_a_document_names_the_numbers_of_code_and_templates(path: Path) -> None:
    assert faults(text_of(path)) == []


@pytest.mark.parametrize("about", FACTS)
def test_each_number_is_named_somewhere_and_another_would_be_found(about: str) -> None:
    fact = FACTS[about]
    lines = [" ".join(text_of(path).split()) for path in documents()]
    match = next(found for line in lines if (found := re.search(fact.said, line)))

    said = next(one for one in match.groups() if one)
    begin = match.start(match.groups().index(said) + 1) - match.start()
    other = match[0][:begin] + "7" + match[0][begin + len(said) :]

    assert faults(match[0]) == []
    assert f"{about}: 7" in faults(other)


def test_what_is_promised_together_agrees() -> None:
    """Numbers of the code that documents take for one."""
    assert timedelta(hours=24) == _PROMISE
    assert in_bicep("monitoring.bicep", r"param logDays int = (\d+)") == LOG_DAYS == BACKUP_DAYS
    assert key_vault._CACHE_SECONDS == tenant_vault._CACHE_SECONDS == signing._NEWEST_SECONDS
    assert standings._CACHE_SECONDS <= 10


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("keyvault.bicep", "timeAfterCreate: 'P1Y'"),  # "every year"
        ("keyvault.bicep", "enablePurgeProtection: true"),
        ("keyvault.bicep", "keySize: 3072"),
        ("monitoring.bicep", "immediatePurgeDataOn30Days: true"),
    ],
)
def test_what_the_runbooks_say_of_a_template_stands_there(file: str, text: str) -> None:
    assert text in BICEP[file]
