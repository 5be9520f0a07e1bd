"""After a deployment: is what answers there whole, and as this tree says that it should be?

    python -m tools.smoke_test BASE_URL [--functions FILE [--app NAME]] [--ca FILE]
                               [--patience SECONDS]

BASE_URL   where the service answers, as in `https://<app>.azurewebsites.net/api`
--functions  the names of the deployed functions, one a line (`-`: from standard input), as
           `az functionapp function list --query "[].name" -o tsv` prints them
--app      the app whose functions these must be
--ca       a certificate authority to trust instead of this machine's, PEM
--patience how long a new deployment may take to start; what fails is tried again so long

Prints a line for each check, and exits 1 if one failed. Run it in the checkout that was deployed:
the functions, the contract and the headers are compared with those of this tree, and each operation
that takes a token is asked without one. Needs nothing but Python, sends no secret, changes nothing,
and goes straight: proxies of the environment are not used.

It cannot tell which build answers: health says no version, by design, and what a stranger can see
of two builds with one contract is the same. The package's SHA-256 is what the deployment was given.
"""

import argparse
import ast
import json
import re
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener
from uuid import uuid4

ROOT: Final = Path(__file__).parent.parent
FUNCTIONS: Final = ROOT / "functions"
PATIENCE: Final = 120.0
_DEADLINE: Final = 10.0
_PAUSE: Final = 3.0
_LARGEST: Final = 4 * 1024 * 1024
_DAY: Final = 86_400
_REQUEST_ID: Final = re.compile(r"[0-9a-f]{32}")
_PUBLIC_DOCUMENT: Final = {"Cache-Control": "public, max-age=300"}
_NOT_TOLD: Final = "the contract is that of this tree; which build answers is not told"


class Failure(Exception):  # noqa: N818 - the outcome of a check, not a fault of this program
    """What is wrong with the deployment, in one line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Of headers that came more than once, every value."""

    status: int
    headers: Mapping[str, Sequence[str]]  # names in lower case
    body: bytes

    def header(self, name: str) -> str:
        """The only value. Raises Failure."""
        values = self.headers.get(name.lower(), ())
        if len(values) != 1:
            raise Failure(f"the header {name} is there {len(values)} times, not once")
        return values[0]


class _NoRedirects(HTTPRedirectHandler):
    """A redirect is an answer like any other: it is looked at, and not followed."""

    def redirect_request(self, *_: object) -> None:
        return None


class Deployment:
    """The deployed service. Every call has a deadline, and an answer has a limit."""

    def __init__(self, base_url: str, authority: Path | None = None) -> None:
        """Raises Failure for a base URL that is none."""
        parts = urlsplit(base_url)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
            raise Failure(f"{base_url!a} is no https URL")
        self.base_url = base_url.rstrip("/")
        tls = ssl.create_default_context(cafile=authority)
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=tls), _NoRedirects())
        self._request_ids: set[str] = set()

    def new_request_id(self, answer: Answer) -> str:
        """The id of the request that this is the answer to. Raises Failure if it came before."""
        request_id = answer.header("X-Request-Id")
        if not _REQUEST_ID.fullmatch(request_id):
            raise Failure(f"X-Request-Id is {request_id!a:.80}, no id of ours")
        if request_id in self._request_ids:
            raise Failure("X-Request-Id is that of an earlier answer")
        self._request_ids.add(request_id)
        return request_id

    def ask(self, url: str, *, method: str = "GET", body: bytes | None = None) -> Answer:
        """A body is JSON. Raises OSError or HTTPException when there is no answer."""
        sent = {} if body is None else {"Content-Type": "application/json"}
        request = Request(  # noqa: S310 - https or http, see callers
            url, data=body, headers=sent, method=method
        )
        deadline = time.monotonic() + _DEADLINE
        try:
            response = self._opener.open(request, timeout=_DEADLINE)
        except HTTPError as refused:
            response = refused
        with response:
            content = b""
            while piece := response.read1(64 * 1024):
                content += piece
                if len(content) > _LARGEST or time.monotonic() > deadline:
                    raise Failure("the answer is too long, or too slow")
            headers: dict[str, list[str]] = {}
            for name, value in response.headers.items():
                headers.setdefault(name.lower(), []).append(value)
            return Answer(response.status, headers, content)


# --- what this tree registers ------------------------------------------------------------------


def registered() -> set[str]:
    """The names of the functions, read from their sources: importing them takes all dependencies.

    A function is what a blueprint decorates: `@bp.route(...)` or `@bp.<something>_trigger(...)`.
    """
    sources = (path.read_text(encoding="utf-8") for path in FUNCTIONS.glob("*.py"))
    nodes = (node for source in sources for node in ast.walk(ast.parse(source)))
    definitions = (n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name for node in definitions if any(map(_registers, node.decorator_list))}


def _registers(decorator: ast.expr) -> bool:
    match decorator:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="bp"), attr=name)):
            return name == "route" or name.endswith("_trigger")
    return False


def names_in(listed: str, app: str | None = None) -> set[str]:
    """One name a line, all with the name of one app before them, or none: `app` where it is given.

    Raises Failure.
    """
    lines = [line.strip().rpartition("/") for line in listed.splitlines() if line.strip()]
    apps = {before for before, _, _ in lines}
    if app is not None and apps - {app}:
        raise Failure(f"these are functions of {min(apps - {app})!a:.80}, not of {app}")
    if len(apps) > 1:
        raise Failure("these are functions of more than one app")
    return {name for _, _, name in lines}


def _listed(file: str, app: str | None) -> set[str]:
    read = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    return names_in(read, app)


@cache
def security_headers() -> Mapping[str, str]:
    """What every answer bears, as `host.json` has it: of the host's own answers and of ours."""
    http = json.loads((ROOT / "host.json").read_bytes())["extensions"]["http"]
    age = int(http["hsts"]["maxAge"]) * _DAY
    transport = {"Strict-Transport-Security": f"max-age={age}; includeSubDomains"}
    return {**http["customHeaders"], **transport}


def guarded() -> Iterator[tuple[str, str, bytes | None]]:
    """Method, path and body of every operation of the contract that takes a token."""
    contract: dict[str, Any] = json.loads((FUNCTIONS / "openapi.json").read_bytes())
    for template, operations in contract["paths"].items():
        path = re.sub(r"\{[a-z_]+\}", "Nobody", template)
        for method, operation in operations.items():
            if isinstance(operation, dict) and operation.get("security"):
                yield method.upper(), path, b"{}" if "requestBody" in operation else None


# --- the checks --------------------------------------------------------------------------------


def check_functions(deployed: set[str]) -> str:
    missing, strange = registered() - deployed, deployed - registered()
    if missing:
        raise Failure(f"not deployed: {', '.join(sorted(missing))}")
    if strange:
        raise Failure(f"deployed, but not of this tree: {', '.join(sorted(strange))}")
    return f"all {len(deployed)} functions are there"


def check_health(deployment: Deployment) -> str:
    answer = deployment.ask(f"{deployment.base_url}/v1/health")
    _require_status(answer, HTTPStatus.OK)
    _require_type(answer, "application/json")
    if _json(answer) != {"status": "ok"}:
        raise Failure("the answer does not say that all is well")
    return "200"


def check_headers(deployment: Deployment) -> str:
    answer = deployment.ask(f"{deployment.base_url}/v1/health")
    _require_headers(answer, security_headers())
    deployment.new_request_id(answer)
    return ", ".join(security_headers())


def check_contract(deployment: Deployment) -> str:
    answer = deployment.ask(f"{deployment.base_url}/v1/openapi.json")
    _require_status(answer, HTTPStatus.OK)
    _require_type(answer, "application/json")
    _require_headers(answer, {**security_headers(), **_PUBLIC_DOCUMENT})
    deployment.new_request_id(answer)
    if answer.body != (FUNCTIONS / "openapi.json").read_bytes():
        raise Failure("the contract is not the one of this tree: another version is deployed")
    return "that of this tree, byte for byte"


def check_stranger(deployment: Deployment) -> str:
    operations = list(guarded())
    for method, path, body in operations:
        answer = deployment.ask(f"{deployment.base_url}{path}", method=method, body=body)
        try:
            _require_problem(deployment, answer, HTTPStatus.UNAUTHORIZED, "not_authenticated")
            _require_headers(answer, {"WWW-Authenticate": "Bearer"})
        except Failure as failure:
            raise Failure(f"{method} {path}: {failure}") from None
    return f"401 with a problem document, on all {len(operations)} operations that take a token"


def check_unknown(deployment: Deployment) -> str:
    """Of a path that nobody can have prepared."""
    answer = deployment.ask(f"{deployment.base_url}/v1/{uuid4().hex}")
    _require_problem(deployment, answer, HTTPStatus.NOT_FOUND, "not_found")
    return "404 with a problem document"


def check_plain_http(deployment: Deployment) -> str:
    """Refused, by no connection or by an error of the caller's, or redirected to https."""
    parts = urlsplit(f"{deployment.base_url}/v1/health")
    try:
        answer = deployment.ask(urlunsplit(parts._replace(scheme="http")))
    except (OSError, HTTPException):
        return "no connection"
    if 300 <= answer.status < 400:  # noqa: PLR2004 - a redirect
        target = urlsplit(answer.header("Location"))
        if (target.scheme, target.hostname) != ("https", parts.hostname):
            raise Failure("http leads elsewhere than to https at the same host")
        return f"{answer.status} to https"
    if not 400 <= answer.status < 500:  # noqa: PLR2004 - an error of the caller's
        raise Failure(f"http is answered with {answer.status}")
    return f"refused with {answer.status}"


def _require_status(answer: Answer, wanted: HTTPStatus) -> None:
    if answer.status != wanted:
        raise Failure(f"the status is {answer.status}, not {int(wanted)}")


def _require_type(answer: Answer, wanted: str) -> None:
    found = answer.header("Content-Type")
    if found.partition(";")[0].strip().lower() != wanted:
        raise Failure(f"Content-Type is {found!a:.80}, not {wanted}")


def _require_headers(answer: Answer, wanted: Mapping[str, str]) -> None:
    for name, value in wanted.items():
        if answer.header(name) != value:
            raise Failure(f"{name} is {answer.header(name)!a:.80}, not {value}")


def _require_problem(deployment: Deployment, answer: Answer, status: HTTPStatus, code: str) -> None:
    """Whole (RFC 9457), with our security headers, and of this request alone. Raises Failure."""
    _require_status(answer, status)
    _require_type(answer, "application/problem+json")
    _require_headers(answer, security_headers())
    wanted = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "code": code,
        "incident": deployment.new_request_id(answer),
    }
    found = _json(answer)
    if not isinstance(found, dict):
        raise Failure("the problem document is no object")
    wrong = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if wrong:
        raise Failure(f"the problem document has another {', '.join(wrong)!a:.80}")


def _json(answer: Answer) -> object:
    try:
        return json.loads(answer.body)
    except ValueError:
        raise Failure("the answer is not JSON") from None


# --- all of them -------------------------------------------------------------------------------


def outcomes(
    deployment: Deployment, deployed: set[str] | None, patience: float
) -> Iterator[tuple[bool, str]]:
    """Whether each check held, and a line for a person. The patience is one for all of them."""
    last = time.monotonic() + patience
    checks: list[tuple[str, Callable[[], str]]] = [
        ("health", lambda: check_health(deployment)),
        ("security headers", lambda: check_headers(deployment)),
        ("contract", lambda: check_contract(deployment)),
        ("stranger", lambda: check_stranger(deployment)),
        ("unknown path", lambda: check_unknown(deployment)),
        ("plain http", lambda: check_plain_http(deployment)),
    ]
    if deployed is not None:  # what was listed before does not change: no second try
        yield _tried("functions", lambda: check_functions(deployed), last=0.0)
    for name, check in checks:
        yield _tried(name, check, last)


def _tried(name: str, check: Callable[[], str], last: float) -> tuple[bool, str]:
    while True:
        try:
            return True, f"ok      {name}: {check()}"
        except Failure as failure:
            why = str(failure)
        except (OSError, HTTPException) as exc:
            why = f"no answer: {exc!a:.200}"
        if time.monotonic() + _PAUSE > last:
            return False, f"FAILED  {name}: {why}"
        time.sleep(_PAUSE)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="smoke_test", description="Check a deployment.")
    parser.add_argument("base_url", metavar="BASE_URL")
    parser.add_argument("--functions", metavar="FILE")
    parser.add_argument("--app", metavar="NAME")
    parser.add_argument("--ca", type=Path)
    parser.add_argument("--patience", type=float, default=PATIENCE)
    options = parser.parse_args(arguments)
    if options.app and not options.functions:
        parser.error("--app says whose --functions these are")
    try:
        deployment = Deployment(options.base_url, options.ca)
        deployed = _listed(options.functions, options.app) if options.functions else None
    except (Failure, OSError, UnicodeError) as exc:
        print(f"FAILED  {exc}")
        return 1
    is_fine = True
    for held, line in outcomes(deployment, deployed, options.patience):
        print(line, flush=True)
        is_fine = is_fine and held
    if is_fine:
        print(f"note    {_NOT_TOLD}")
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
