"""`docs/promises.md`, read: each promise with its state, its proofs and its note."""

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.docs.commands import make_targets
from tests.docs.markdown import ROOT, text_of

STATES: Final = ("kept", "kept here, unproven in the cloud", "open")
IDS: Final = (
    *(f"F{number}" for number in range(1, 25)),
    *(f"E{number}" for number in range(1, 8)),
    *(f"B{number}" for number in range(1, 11)),
)
"""The promises of the two source documents, and what goes beyond both."""

NOTES: Final = {"open": "**Open:**", "kept here, unproven in the cloud": "**Unproven:**"}
"""What has to be said of a state."""

_ENTRY: Final = re.compile(r"^### (\w+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_STATE: Final = re.compile(r"^\*\*State:\*\* (.+)$", re.MULTILINE)
_PROOF: Final = re.compile(r"^- `(.+)`$", re.MULTILINE)
_COUNT: Final = re.compile(r"^\| ([a-z, ]+) \| (\d+) \|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Promise:
    id: str
    state: str
    proofs: tuple[str, ...]
    body: str


def promises(text: str) -> list[Promise]:
    return [
        Promise(
            id=found,
            state=(_STATE.findall(body) or [""])[0],
            proofs=tuple(_PROOF.findall(body)),
            body=body,
        )
        for found, body in _ENTRY.findall(text)
    ]


def faults(text: str) -> list[str]:
    """What is wrong with the document."""
    found = promises(text)
    wrong = [] if tuple(one.id for one in found) == IDS else ["not the promises of the list"]
    for one in found:
        wrong += [f"{one.id}: {fault}" for fault in _faults_of(one)]
    counted = Counter(one.state for one in found)
    said = {state: int(count) for state, count in _COUNT.findall(text)}
    if said != {state: counted[state] for state in STATES}:
        wrong.append("the counts are wrong")
    return wrong


def _faults_of(one: Promise) -> list[str]:
    wrong = [f"no proof {proof}" for proof in one.proofs if not exists(proof)]
    if one.state not in STATES:
        return [*wrong, f"no state {one.state}"]
    note = NOTES.get(one.state)
    if note is not None and note not in one.body:
        wrong.append(f"{one.state}, and no word of why")
    is_shown = any("::test_" in proof or proof.startswith("make ") for proof in one.proofs)
    if one.state != "open" and not is_shown:
        wrong.append("kept, and nothing that runs shows it")
    return wrong


def exists(proof: str) -> bool:
    """Whether there is such a test, target, text in a file, or document."""
    if proof.startswith("make "):
        return proof.removeprefix("make ") in make_targets()
    path, is_test, name = proof.partition("::")
    if is_test:
        return name in _tests_in(path)
    path, has_text, text = proof.partition(": ")
    file = ROOT / path
    return file.is_file() and (not has_text or text in text_of(file))


@cache
def _tests_in(path: str) -> frozenset[str]:
    """The functions that pytest collects from a file of this tree."""
    file = ROOT / path
    if not (file.is_file() and file.name.startswith("test_") and path.startswith("tests/")):
        return frozenset()
    nodes = ast.parse(text_of(file)).body
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))
