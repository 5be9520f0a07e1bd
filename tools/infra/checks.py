"""All checks over a folder of templates."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.infra import golden, modules, parameter_files, properties, symbols
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.folder import Folder, load
from tools.infra.frames import CycleError
from tools.infra.policies import RULES

ROOTS: Final = ("main.bicep", "modules/stack.bicep")
"""What is deployed: into a subscription of ours, and alone into a customer's resource group."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run of all checks found."""

    files: int
    resources: int
    findings: tuple[Finding, ...]


def check(folder: Path, *, compare: bool = True) -> Report:
    """Run every check, and compare with the committed list of what would be deployed unless told
    otherwise. Templates that cannot be read are the only findings if there are any."""
    loaded = load(folder)
    files = len(loaded.templates) + len(loaded.parameter_files)
    resources = sum(len(one.resources) for one in loaded.templates.values())
    found = loaded.unreadable or (*_findings(loaded), *(_changed(loaded) if compare else ()))
    return Report(files, resources, tuple(sorted(set(found))))


def _findings(folder: Folder) -> Iterator[Finding]:
    for template in folder.templates.values():
        yield from symbols.check(template, folder)
        yield from modules.check(template, folder)
    yield from modules.unreached(folder, ROOTS)
    yield from parameter_files.check(folder)
    for root in ROOTS:
        if root in folder.templates:
            yield from _deployment(folder, root)


def _changed(folder: Folder) -> Iterator[Finding]:
    try:
        yield from golden.compare(folder)
    except CycleError:
        return  # a finding already


def _deployment(folder: Folder, root: str) -> Iterator[Finding]:
    deployment = Deployment(folder, root)
    try:
        yield from properties.check(deployment)
        for rule in RULES:
            yield from rule(deployment)
    except CycleError as error:
        yield Finding(error.at, "symbol-cycle", "made of itself")
