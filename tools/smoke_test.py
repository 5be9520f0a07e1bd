"""After a deployment: is what answers there this code, whole, and as it is meant to be?

    python -m tools.smoke_test BASE_URL [--functions FILE] [--ca FILE] [--patience SECONDS]

BASE_URL   where the service answers, as in `https://<app>.azurewebsites.net/api`
--functions  the names of the deployed functions, one a line (`-`: from standard input), as
           `az functionapp function list --query "[].name" -o tsv` prints them
--ca       a certificate authority to trust instead of this machine's, PEM
--patience how long a new deployment may take to start; what fails is tried again so long

Prints a line for each check, and exits 1 if one failed. Run it in the checkout that was deployed:
the functions and the contract are compared with those of this tree. Needs nothing but Python, sends
no secret, changes nothing, and goes straight: proxies of the environment are not used.
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
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

FUNCTIONS: Final = Path(__file__).parent.parent / "functions"
PATIENCE: Final = 120.0
_DEADLINE: Final = 10.0
_PAUSE: Final = 3.0
_LARGEST: Final = 4 * 1024 * 1024
_YEAR: Final = 31_536_000


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

    def ask(self, url: str, *, body: bytes | None = None) -> Answer:
        """GET, or POST of JSON. Raises OSError or HTTPException when there is no answer."""
        sent = {} if body is None else {"Content-Type": "application/json"}
        request = Request(url, data=body, headers=sent)  # noqa: S310 - https or http, see callers
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


def names_in(listed: str) -> set[str]:
    """One name a line, each perhaps with the app's before it."""
    return {line.strip().rpartition("/")[2] for line in listed.splitlines() if line.strip()}


def _listed(file: str) -> set[str]:
    return names_in(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))


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
    _require_status(answer, 200)
    if _json(answer) != {"status": "ok"}:
        raise Failure("the answer does not say that all is well")
    return "200"


def check_headers(deployment: Deployment) -> str:
    answer = deployment.ask(f"{deployment.base_url}/v1/health")
    transport = answer.header("Strict-Transport-Security").lower()
    age = re.search(r"(?:^|;)\s*max-age=(\d+)\s*(?:;|$)", transport)
    if age is None or int(age[1]) < _YEAR or "includesubdomains" not in transport:
        raise Failure(f"Strict-Transport-Security is {transport!a:.80}: less than a year of all")
    for name, wanted in (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")):
        if answer.header(name).lower() != wanted:
            raise Failure(f"{name} is {answer.header(name)!a:.80}, not {wanted}")
    policy = [part.strip() for part in answer.header("Content-Security-Policy").split(";")]
    if "default-src 'none'" not in policy:
        raise Failure("Content-Security-Policy has no default-src 'none'")
    return "HSTS, nosniff, no-store, CSP"


def check_contract(deployment: Deployment) -> str:
    answer = deployment.ask(f"{deployment.base_url}/v1/openapi.json")
    _require_status(answer, 200)
    if answer.body != (FUNCTIONS / "openapi.json").read_bytes():
        raise Failure("the contract is not the one of this tree: another version is deployed")
    return "the contract of this tree, byte for byte"


def check_stranger(deployment: Deployment) -> str:
    answer = deployment.ask(f"{deployment.base_url}/v1/flows/Nobody/runs", body=b"{}")
    _require_status(answer, 401)
    if answer.header("Content-Type").partition(";")[0] != "application/problem+json":
        raise Failure("401 without a problem document")
    told = _json(answer)
    if not isinstance(told, dict) or (told.get("status"), told.get("code")) != (
        401,
        "not_authenticated",
    ):
        raise Failure("the problem document does not say not_authenticated")
    if not answer.header("WWW-Authenticate").startswith("Bearer"):
        raise Failure("WWW-Authenticate does not ask for a Bearer token")
    return "401 with a problem document"


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


def _require_status(answer: Answer, wanted: int) -> None:
    if answer.status != wanted:
        raise Failure(f"the status is {answer.status}, not {wanted}")


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
    parser.add_argument("--ca", type=Path)
    parser.add_argument("--patience", type=float, default=PATIENCE)
    options = parser.parse_args(arguments)
    try:
        deployment = Deployment(options.base_url, options.ca)
        deployed = _listed(options.functions) if options.functions else None
    except (Failure, OSError, UnicodeError) as exc:
        print(f"FAILED  {exc}")
        return 1
    is_fine = True
    for held, line in outcomes(deployment, deployed, options.patience):
        print(line, flush=True)
        is_fine = is_fine and held
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
