"""No handler answers an HTTP error by hand: `python tools/check_handlers.py [folder]`.

Failures are raised as errors of `shared/errors.py`; `functions/boundary.py` alone turns them into
statuses (and `functions/pages.py` dresses them for a browser). So in every other file of
`functions/`, an error status is a finding: a number from 400 to 599 given to a call or to a name
that says `status`, or a member of `HTTPStatus` in that range. One line for each finding; exits 1
if there is any.
"""

import ast
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Final

MAY_SPEAK_HTTP: Final = frozenset({"boundary.py", "pages.py"})
_ERRORS: Final = frozenset(status.name for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST)


def findings(source: str, name: str) -> Iterator[str]:
    """A line for each error status in the source of a file."""
    for node in ast.walk(ast.parse(source, name)):
        for status in _statuses(node):
            yield f"{name}:{status.lineno}: an HTTP error by hand; raise one of shared.errors"


def _statuses(node: ast.AST) -> Iterator[ast.expr | ast.alias]:
    match node:
        case ast.Attribute(attr=attr) if attr in _ERRORS:
            yield node
        case ast.ImportFrom(module="http" | "http.client", names=names):
            yield from (alias for alias in names if alias.name in _ERRORS)
        case ast.Call(args=args, keywords=keywords):
            given = [*args, *(keyword.value for keyword in keywords)]
            yield from (value for value in given if _is_error_number(value))
        case ast.Assign(targets=targets, value=value) if any(map(_says_status, targets)):
            yield from _error_numbers(value)
        case ast.AnnAssign(target=target, value=ast.expr() as value) if _says_status(target):
            yield from _error_numbers(value)


def _error_numbers(value: ast.expr) -> Iterator[ast.expr]:
    parts = (part for part in ast.walk(value) if isinstance(part, ast.expr))
    return (part for part in parts if _is_error_number(part))


def _is_error_number(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599  # noqa: PLR2004


def _says_status(target: ast.expr) -> bool:
    return "status" in ast.unparse(target).lower()


def main(folder: Path) -> int:
    """Print every finding in the folder's files; 1 if there is any, else 0."""
    found = [
        finding
        for path in sorted(folder.rglob("*.py"))
        if path.name not in MAY_SPEAK_HTTP
        for finding in findings(path.read_text(encoding="utf-8"), str(path))
    ]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    default = Path(__file__).parent.parent / "functions"
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else default))
