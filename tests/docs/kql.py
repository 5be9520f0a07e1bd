"""Queries of the workspace, as far as they can be checked without one: what they name exists."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from shared.telemetry.allow_list import EVENT_NAMES, RULES
from tests.docs.markdown import ROOT, text_of

# The columns that queries use, of those in https://learn.microsoft.com/azure/azure-monitor/reference/tables/<name>
COLUMNS: Final[Mapping[str, frozenset[str]]] = {
    table: frozenset(columns.split())
    for table, columns in {
        "AppTraces": "TimeGenerated Message Properties SeverityLevel AppRoleName",
        "AZKVAuditLogs": (
            "TimeGenerated OperationName ResultType ResultSignature HttpStatusCode CallerIpAddress"
            " ClientInfo Identity RequestUri DurationMs"
        ),
        "StorageTableLogs": (
            "TimeGenerated OperationName StatusCode StatusText AccountName CallerIpAddress"
            " RequesterObjectId UserAgentHeader Uri DurationMs AuthenticationType"
        ),
        "StorageBlobLogs": (
            "TimeGenerated OperationName StatusCode StatusText AccountName CallerIpAddress"
            " RequesterObjectId UserAgentHeader Uri DurationMs AuthenticationType"
        ),
        "FunctionAppLogs": "TimeGenerated Message Level Category FunctionName",
    }.items()
}

# https://learn.microsoft.com/kusto/query/
_WORDS: Final = frozenset(
    [
        "ago",
        "and",
        "asc",
        "between",
        "bin",
        "by",
        "count",
        "countif",
        "datetime",
        "desc",
        "endofday",
        "extend",
        "extract",
        "has",
        "in",
        "isempty",
        "isnotempty",
        "let",
        "max",
        "min",
        "not",
        "or",
        "order",
        "project",
        "startofday",
        "summarize",
        "take",
        "toint",
        "top",
        "tostring",
        "url_decode",
        "where",
    ]
)
# How Key Vault writes who called: https://learn.microsoft.com/azure/key-vault/general/logging
_INSIDE: Final = frozenset({"Identity.claim.oid"})
_STRING: Final = re.compile(r"@?\"[^\"\n]*\"")
_PERIOD: Final = re.compile(r"\b\d+(?:ms|[smhd])\b")
_DATE: Final = re.compile(r"datetime\([^)]*\)")
_PROPERTY: Final = re.compile(r"\bProperties(?:\.(\w+)|\[\"(\w+)\"\])")
_MESSAGES: Final = re.compile(r"\bMessage\s*(?:==|!=|in)\s*(\([^)]*\)|\"[^\"]*\")")
_DEFINED: Final = re.compile(r"\b([A-Za-z_]\w*)\s*=(?!=|~)")


def faults(query: str) -> list[str]:
    """What the query names that there is not."""
    code = _STRING.sub('""', _DATE.sub("t", query))
    tables = [table for table in COLUMNS if re.search(rf"^\s*{table}\b", code, re.MULTILINE)]
    if not tables:
        return ["no known table"]
    found = [f"event {name}" for name in events(query) if name not in EVENT_NAMES]
    found += [f"field {name}" for name in fields(query) if name not in RULES]
    known = _WORDS | set(tables) | {"t"} | set(_DEFINED.findall(code))
    known |= {column for table in tables for column in COLUMNS[table]}
    code = _PROPERTY.sub("Properties", code.replace('Properties[""]', "Properties"))
    for path in _INSIDE:
        code = code.replace(path, path.partition(".")[0])
    names = re.findall(r"[A-Za-z_][\w.]*", _PERIOD.sub("0", code))
    return found + [f"name {name}" for name in dict.fromkeys(names) if name not in known]


def events(query: str) -> list[str]:
    return [name for told in _MESSAGES.findall(query) for name in re.findall(r'"([^"]*)"', told)]


def fields(query: str) -> list[str]:
    return [plain or quoted for plain, quoted in _PROPERTY.findall(query)]


@cache
def told() -> frozenset[str]:
    """The events that some line of the service tells."""
    return frozenset(_told())


def _told() -> Iterator[str]:
    for folder in ("functions", "shared"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(text_of(path))):
                if isinstance(node, ast.Dict):  # as it goes to a sink
                    for key, value in zip(node.keys, node.values, strict=True):
                        is_event = isinstance(key, ast.Constant) and key.value == "event"
                        if is_event and isinstance(value, ast.Constant):
                            yield str(value.value)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                    first = node.args[0]
                    is_event = node.func.id in ("event", "alarm", "_write")
                    if is_event and isinstance(first, ast.Constant):
                        yield str(first.value)
