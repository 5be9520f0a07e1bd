"""The names that documents use - files, settings, parameters, outputs - and if there are such."""

import json
import re
from dataclasses import fields
from functools import cache
from typing import Final

from shared.settings import Settings
from tests.docs.commands import make_targets
from tests.docs.markdown import ROOT, blocks, spans, text_of

_FOLDERS: Final = "bench|bicep|docs|functions|local|shared|tests|tools|\\.ci|\\.github"
_PATH: Final = re.compile(rf"(?<![\w./<>-])(?:{_FOLDERS})/[\w./*-]*[\w*/]")
_AT_TOP: Final = re.compile(r"[\w.-]+\.(?:py|json|md|toml|txt|yaml|yml)")
_CAPITALS: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_PARAMETER: Final = re.compile(r"\bparameters? `(\w+)`")
_OUTPUT: Final = re.compile(r"\boutputs? `(\w+)`")

# Made by a command, or by whoever reads: not in the tree.
_MADE: Final = frozenset(
    [
        "keys.json",
        "manifest.json",
        "headers.txt",
        "activity.json",
        "session-signing-key.txt",
        "release.json",
        "api.json",
        "local.settings.json",
    ]
)
# What a reader puts something else for, and names of other systems.
PLACEHOLDERS: Final = frozenset(
    (
        "CLIENT_ID",
        "CUSTOMER_TENANT",
        "EXTENSION_ID",
        "LOCK_ID",
        "NEW_ADDRESS",
        "NEW_REGION",
        "OLD_VERSION",
        "RUN_ID",
        "STATUS_TOKEN",
        "TENANT_ID",
    )
)
_OF_OTHERS: Final = frozenset(
    # Azure's own names of settings, and what the tests and tools read.
    [
        "AZURE_ENV_NAME",
        "AZURE_SUBSCRIPTION_ID",
        "AZURE_TENANT_ID",
        "EVENT_NAMES",
        "FLOWRUNNER_LOCAL_STACK",
        "IDENTITY_ENDPOINT",
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "TLS1_2",
    ]
)


def faults(text: str) -> list[str]:
    """What a document names that there is not."""
    code = [*spans(text), *(block.body for block in blocks(text))]
    found = [f"file {path}" for path in file_names(text, code) if not _exists(path)]
    found += [
        f"setting {name}"
        for piece in code
        for name in _CAPITALS.findall(piece)
        if name not in known_capitals()
    ]
    found += [f"parameter {name}" for name in _PARAMETER.findall(text) if name not in parameters()]
    found += [f"output {name}" for name in _OUTPUT.findall(text) if name not in outputs()]
    return list(dict.fromkeys(found))


def file_names(text: str, code: list[str]) -> list[str]:
    """Paths below our folders, anywhere in the text; files of the top folder, in code alone."""
    top = [piece for piece in code if _AT_TOP.fullmatch(piece)]
    return [*_PATH.findall(text), *top]


def _exists(name: str) -> bool:
    if name in _MADE:
        return True
    if (ROOT / name).exists() or ("/" not in name and name in _bare_names()):
        return True
    pattern = re.sub(r"\b[A-Z]+\b", "*", name)  # NAME stands for any
    return "*" in pattern and any(ROOT.glob(pattern))


@cache
def _bare_names() -> frozenset[str]:
    """Of files that a document names without their folder, beside one that it has named."""
    folders = ("bench", "bicep", "docs", "functions", "local", "shared", "tests", "tools")
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.*"))
    return frozenset(path.name for path in found if "node_modules" not in path.parts)


@cache
def parameters() -> frozenset[str]:
    """Of the template for a subscription, which has all of a group's."""
    return parameters_of(text_of(ROOT / "bicep/main.bicep"))


def parameters_of(bicep: str) -> frozenset[str]:
    return frozenset(re.findall(r"^param (\w+) ", bicep, re.MULTILINE))


@cache
def outputs() -> frozenset[str]:
    text = text_of(ROOT / "bicep/main.bicep")
    return frozenset(re.findall(r"^output (\w+) ", text, re.MULTILINE))


@cache
def settings() -> frozenset[str]:
    return frozenset(field.name.upper() for field in fields(Settings))


@cache
def of_azd() -> frozenset[str]:
    """What azd takes from its environment into the parameters."""
    text = text_of(ROOT / "bicep/main.parameters.json")
    json.loads(text)
    return frozenset(re.findall(r"\$\{([A-Z_]+)(?:=[^}]*)?\}", text))


@cache
def known_capitals() -> frozenset[str]:
    return settings() | outputs() | of_azd() | PLACEHOLDERS | _OF_OTHERS | make_targets()
