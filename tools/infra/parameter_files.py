"""Parameter files against the template that they are for.

azd fills in `${VAR}` and `${VAR=default}` before it deploys, so a placeholder may stand for any
type; a default in one has to be allowed like any other value.
"""

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from tools.infra.findings import Finding
from tools.infra.folder import Folder
from tools.infra.policies.entry import CLOSED, NO_DEFAULT
from tools.infra.symbols import nearest
from tools.infra.template import Param, Template
from tools.infra.values import Position

_PLACEHOLDER: Final = re.compile(r"\$\{(?P<name>[A-Z][A-Z0-9_]*)(?:=(?P<default>[^}]*))?\}")
_OF_AZD: Final = {"environmentName": "AZURE_ENV_NAME", "location": "AZURE_LOCATION"}
_NEW_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_KINDS: Final = {str: "string", bool: "bool", int: "int", list: "array", dict: "object"}
_SCHEMA: Final = "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#"


def template_of(path: str) -> str:
    """The template that a parameter file is for: "dedicated" ones deploy the stack alone."""
    dedicated = "dedicated" in PurePosixPath(path).name
    return "modules/stack.bicep" if dedicated else "main.bicep"


def check(folder: Folder) -> Iterator[Finding]:
    """Every fault in every parameter file."""
    for path, text in folder.parameter_files.items():
        template = folder.templates.get(template_of(path))
        if template is not None:
            yield from _File(path, text, template).findings()


class _File:
    """One parameter file."""

    def __init__(self, path: str, text: str, template: Template) -> None:
        self._path = path
        self._text = text
        self._template = template
        self._twice: list[str] = []

    def _pairs(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        """An object; of a key given twice JSON readers take one, and not all the same one."""
        names = [name for name, _ in pairs]
        self._twice += [name for name in names if names.count(name) > 1]
        return dict(pairs)

    def findings(self) -> Iterator[Finding]:
        try:
            content = json.loads(self._text, object_pairs_hook=self._pairs)
            given = content["parameters"]
            values = {name: entry["value"] for name, entry in given.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            yield self._finding("", "parameters-unreadable", "no file of deployment parameters")
            return
        for name in dict.fromkeys(self._twice):
            yield self._finding(name, "parameters-duplicate", f"{name} is given twice")
        if content.get("$schema") != _SCHEMA:
            yield self._finding("$schema", "parameters-unreadable", f"$schema is not {_SCHEMA}")
        params = self._template.params
        for name, param in params.items():
            if param.required and name not in values:
                yield self._finding("", "parameters-missing", f"{name} has no default")
        for name, value in values.items():
            if name not in params:
                message = f"{name} is not declared{nearest(name, params)}"
                yield self._finding(name, "parameters-unknown", message)
            else:
                yield from self._value(params[name], value)

    def _value(self, param: Param, value: object) -> Iterator[Finding]:
        if isinstance(value, str) and (found := _PLACEHOLDER.fullmatch(value)):
            if found["name"] != _variable(param.name):
                message = f"{param.name} is filled in from {found['name']}"
                yield self._finding(param.name, "parameters-variable", message)
            if not found["default"]:
                return
            value = _typed(found["default"], param.type)
        yield from self._open(param.name, value)
        kind = _KINDS.get(type(value))
        if kind != param.type:
            message = f"{param.name}: {param.type} wanted, {kind} given"
            yield self._finding(param.name, "parameters-type", message)
            return
        if param.allowed is not None and value not in param.allowed:
            message = f"{param.name}: {value} is none of {list(param.allowed)}"
            yield self._finding(param.name, "parameters-value", message)
        size = value if isinstance(value, int) else len(str(value))
        least = param.limit("minValue" if param.type == "int" else "minLength")
        most = param.limit("maxValue" if param.type == "int" else "maxLength")
        if param.type in {"int", "string"} and not (least or 0) <= size <= (most or size):
            message = f"{param.name}: {value} is not within {least} and {most}"
            yield self._finding(param.name, "parameters-value", message)

    def _open(self, name: str, value: object) -> Iterator[Finding]:
        """F12, F13, F20, F21: no file here opens what is closed by default."""
        closed = value != "*" if name == NO_DEFAULT else value == CLOSED.get(name, value)
        if not closed:
            yield self._finding(name, "parameters-open", f"{name} is {value}")

    def _finding(self, name: str, code: str, message: str) -> Finding:
        """At the first line that names the parameter."""
        lines = enumerate(self._text.splitlines(), start=1)
        line = next((number for number, text in lines if name and f'"{name}"' in text), 1)
        return Finding(Position(self._path, line, 1), code, message)


def _variable(name: str) -> str:
    """The variable that azd fills a parameter in from: MONTHLY_BUDGET is monthlyBudget."""
    return _OF_AZD.get(name) or _NEW_WORD.sub("_", name).upper()


def _typed(text: str, kind: str) -> object:
    """What azd makes of a placeholder's text for a parameter of this type."""
    if kind == "bool" and text in {"true", "false"}:
        return text == "true"
    if kind == "int" and re.fullmatch(r"-?\d+", text):
        return int(text)
    return text
