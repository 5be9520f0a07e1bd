"""Which hosts the deployed code names: read from its texts, not from what anybody says of it.

A host is found in every text of `functions/` and `shared/` that is no documentation: as it is, in
an address, in the pieces of an f-string, and in a regular expression. What a pattern leaves open
before the fixed part (an account, an organisation, an org) is left out.
"""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.docs.markdown import ROOT

# Of the addresses among the settings, the one that is our own and is not called.
_OUR_OWN: Final = frozenset({"PUBLIC_BASE_URL"})

_ALTERNATIVES: Final = re.compile(r"\(\?:([a-z]+(?:\|[a-z]+)+)\)")
_ADDRESS: Final = re.compile(r"https?://([^/\s\"'?#:]+)")
_DOMAIN: Final = re.compile(
    r"(?<![a-z0-9@-])(?:[a-z0-9-]+\.)+"
    r"(?:app|biz|cloud|com|dev|gov|info|mil|net|org|(?!py\b|md\b|js\b)[a-z]{2})(?![a-z0-9.(-])"
)
_PLAIN: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_IP_ADDRESS: Final = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")


@cache
def deployed() -> tuple[Path, ...]:
    """Every Python file that is deployed."""
    folders = (ROOT / "functions", ROOT / "shared")
    found = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return (ROOT / "function_app.py", *found)


def texts(tree: ast.AST) -> Iterator[str]:
    """Every text of the code; not the docstrings, of modules, functions and attributes."""
    said = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def hosts_in(text: str) -> set[str]:
    """The hosts that a text names, a regular expression included."""
    found: set[str] = set()
    for plain in _spelled_out(text.replace("\\.", ".")):
        found |= {address for address in _ADDRESS.findall(plain) if _PLAIN.fullmatch(address)}
        found |= set(_DOMAIN.findall(plain))
        found |= set(_IP_ADDRESS.findall(plain))
    return found


def _spelled_out(text: str) -> Iterator[str]:
    """`(?:login|test).x` as both of its readings."""
    group = _ALTERNATIVES.search(text)
    if group is None:
        yield text
        return
    words = group[1].split("|")
    for word in words:
        yield from _spelled_out(text[: group.start()] + word + text[group.end() :])


def given_hosts() -> dict[str, str]:
    """The hosts that a deployment gives by a setting: by the setting, without the account's label.

    The code knows these by the setting alone, so what kind of host it is stands in the sample,
    which `Settings` accepts (tests/test_settings.py).
    """
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]
    tree = ast.parse((ROOT / "shared" / "settings.py").read_text(encoding="utf-8"))
    asked = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "https"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }
    hosts = {name: str(urlsplit(sample[name]).hostname) for name in asked - _OUR_OWN}
    return {name: host.partition(".")[2] for name, host in hosts.items()}


@cache
def named_hosts() -> frozenset[str]:
    """All of them, in the whole of what is deployed."""
    found: set[str] = set()
    for path in deployed():
        for text in texts(ast.parse(path.read_text(encoding="utf-8"))):
            found |= hosts_in(text)
    return frozenset(found)
