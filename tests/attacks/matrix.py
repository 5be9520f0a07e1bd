"""The form of the IDOR matrix, and what of the contract has no place in it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import azure.functions as func

from shared.secret import Secret
from shared.services import Services
from tests.attacks.people import Scene, Whose
from tests.functions.host import call
from tests.functions.json_schema import resolved

type Place = Literal["path", "query", "header", "body", "token"]
type Answer = tuple[int, str | None]
"""A status, and for a failure its code."""

_BEARERS: Final = frozenset({"session", "identityProvider"})
"""Security schemes that say who asks, rather than what is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request to one operation."""

    token: Secret | str | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    header: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = None

    def giving(self, place: Place, name: str, value: str) -> "Ask":
        """The same, with this id instead."""
        match place:
            case "token":
                return replace(self, token=value)
            case "path":
                return replace(self, path={**self.path, name: value})
            case "query":
                return replace(self, query={**self.query, name: value})
            case "header":
                return replace(self, header={**self.header, name: value})
            case "body":
                return replace(self, body={**(self.body or {}), name: value})

    async def sent(self, services: Services, operation: str) -> func.HttpResponse:
        return await call(
            services,
            operation,
            token=self.token,
            headers=self.header,
            route=self.path,
            params=self.query,
            body=b"" if self.body is None else self.body,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Id:
    """A parameter by which somebody else's could be named.

    `refusal` is the one answer for a colleague's, another tenant's and an absent id; `malformed`
    where the form alone is refused in other words. `differs` holds the answers that are not that of
    an absent id, each with its `why`. `used_up`: whatever else is wrong, a one-time code that
    exists is spent, so the two are told apart by what is stored, though not by the answer.
    """

    place: Place
    name: str
    of: Callable[[Scene, Whose], str]
    refusal: Answer
    malformed: Answer | None = None
    differs: Mapping[Whose, Answer] = field(default_factory=dict)
    used_up: bool = False
    writes: bool = False
    asked: Callable[[Scene], Ask] | None = None
    """Whose request it is, if not the operation's own."""
    for_nobody: bool = False
    """Who asks may not give it at all, not even their own."""
    why: str = ""

    def answer(self, whose: Whose) -> Answer:
        if whose is Whose.MALFORMED:
            return self.malformed or self.refusal
        return self.differs.get(whose, self.refusal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """How one asks for one's own, what then comes back, and by which ids one could ask for more.

    `others` are the parameters that name nothing of anybody's, with the reason. Where `ids` is
    empty, `without_ids` says how the operation knows what is meant.
    """

    own: Callable[[Scene], Ask]
    status: int
    ids: tuple[Id, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    without_ids: str = ""


def gaps(document: Mapping[str, Any], table: Mapping[str, Operation]) -> list[str]:
    """What the table does not say about the document, and what it says that is not there."""
    found: list[str] = []
    seen: set[str] = set()
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            name = described["operationId"]
            seen.add(name)
            if name not in table:
                found.append(f"{method.upper()} {path}: {name} has no entry")
                continue
            found += _gaps_of(name, set(_parameters(described, document)), table[name])
    return found + [f"{name}: no such operation" for name in table if name not in seen]


def _gaps_of(name: str, parameters: set[str], entry: Operation) -> list[str]:
    told = {f"{one.place} {one.name}" for one in entry.ids} | set(entry.others)
    found = [f"{name}: {missing} has no entry" for missing in sorted(parameters - told)]
    found += [f"{name}: {extra} is not in the document" for extra in sorted(told - parameters)]
    if not entry.ids and not entry.without_ids:
        found.append(f"{name}: no ids, and no reason")
    found += [f"{name}: {other} has no reason" for other, why in entry.others.items() if not why]
    found += [
        f"{name}: {one.name} answers otherwise without a reason"
        for one in entry.ids
        if (one.differs or one.used_up or one.writes) and not one.why
    ]
    return found


def _parameters(described: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """`<place> <name>` of each parameter, member of the body, and token that is no sign-in."""
    for parameter in described.get("parameters", ()):
        yield f"{parameter['in']} {parameter['name']}"
    for scheme in (name for required in described["security"] for name in required):
        if scheme not in _BEARERS:
            yield f"token {scheme}"
    for content in described.get("requestBody", {}).get("content", {}).values():
        yield from (f"body {name}" for name in resolved(content["schema"], document)["properties"])


def answer_of(response: func.HttpResponse) -> Answer:
    """Status and code, also where a page or a redirect tells the code."""
    body = response.get_body().decode()
    location = response.headers.get("Location") or ""
    page = re.search(r'"error": "(\w+)"', body) or re.search(r"#error=(\w+)$", location)
    if page:
        return response.status_code, page[1]
    if response.mimetype == "application/problem+json":
        return response.status_code, json.loads(body)["code"]
    return response.status_code, None


def told(response: func.HttpResponse) -> tuple[str, dict[str, str]]:
    """Body and headers, without what is random in every answer."""
    incident = response.headers["X-Request-Id"]
    policy = response.headers.get("Content-Security-Policy", "")
    nonce = re.search("'nonce-([^']+)'", policy)

    def calm(text: str) -> str:
        text = text.replace(incident, "<incident>")
        text = text.replace(nonce[1], "<nonce>") if nonce else text
        return re.sub("r-[a-z2-7]{26}", "<run>", text) if is_one_run else text

    body = response.get_body().decode()
    is_one_run = '"run_id"' in body and '"runs"' not in body
    return calm(body), {name: calm(value) for name, value in response.headers.items()}
