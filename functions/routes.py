"""The routes of the contract, read from the contract itself (`openapi.json`)."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = Path(__file__).parent / "openapi.json"


@cache
def contract() -> dict[str, Any]:
    """The OpenAPI document, parsed."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_bytes())
    return document


def allowed_methods(path: str) -> tuple[str, ...]:
    """The methods that the contract knows for a path (without the route prefix); none: no route."""
    for template, operations in contract()["paths"].items():
        if re.fullmatch(_pattern(template), f"/{path}", re.IGNORECASE):
            return tuple(method.upper() for method in operations if method != "parameters")
    return ()


def _pattern(template: str) -> str:
    parts = re.split(r"\{[a-z_]+\}", template)
    return "[^/]+".join(re.escape(part) for part in parts)
