"""/services/data/vNN.N/query: SOQL over the Flow views, page by page.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm
"""

import re
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from local.simulators.salesforce.answers import json_answer
from local.simulators.salesforce.call import Call
from local.simulators.salesforce.cursors import Page
from local.simulators.salesforce.errors import RestError
from local.simulators.salesforce.flow_views import VIEWS, Row, View
from local.simulators.salesforce.rest import allow, version_path
from local.simulators.salesforce.sessions import Session, rest_session
from local.simulators.salesforce.soql import Condition, Query, parse
from local.simulators.salesforce.state import State
from local.simulators.salesforce.variables import Json

_BATCH_SIZE: Final = re.compile(r"batchSize=(\d{1,6})", re.IGNORECASE)
_SMALLEST_BATCH: Final = 200  # that a client may ask for


class QueryApi:
    def __init__(self, state: State) -> None:
        self._state = state

    async def first(self, call: Call) -> web.Response:
        """GET .../query?q=SELECT..."""
        session = rest_session(self._state, call)
        allow(call, "GET")
        base = version_path(call)
        text = call.query.get("q")
        if not text:
            raise RestError("MALFORMED_QUERY", "A query must be given")
        query = parse(text)
        view = _view(query)
        shown = [_canonical(view, field) for field in query.fields]
        records: list[Json] = [
            _record(base, view, shown, row) for row in _select(query, view, session)
        ]
        page = self._state.cursors.open(session.owner, records, _batch(call, session))
        return _answer(base, page)

    async def more(self, call: Call) -> web.Response:
        """GET what `nextRecordsUrl` names."""
        session = rest_session(self._state, call)
        allow(call, "GET")
        base = version_path(call)
        locator = call.request.match_info["locator"]
        return _answer(base, self._state.cursors.fetch(session.owner, locator))


def _answer(base: str, page: Page) -> web.Response:
    body: dict[str, Json] = {
        "totalSize": page.total,
        "done": page.next_locator is None,
        "records": page.records,
    }
    if page.next_locator:
        body["nextRecordsUrl"] = f"{base}/query/{page.next_locator}"
    return json_answer(body)


def _batch(call: Call, session: Session) -> int:
    """The org's batch, or a smaller one that the client asks for."""
    asked = _BATCH_SIZE.search(call.header("Sforce-Query-Options"))
    if asked is None:
        return session.org.query_batch
    return min(session.org.query_batch, max(_SMALLEST_BATCH, int(asked[1])))


def _view(query: Query) -> View:
    view = next((view for view in VIEWS if view.name.lower() == query.table.lower()), None)
    if view is None:
        raise RestError("INVALID_TYPE", f"sObject type '{query.table}' is not supported.")
    filtered = {
        _canonical(view, condition.field)
        for condition in query.conditions
        if condition.operator in ("=", "IN")
    }
    if view.needs_one_of and not filtered & set(view.needs_one_of):
        wanted = " or ".join(view.needs_one_of)
        raise RestError("MALFORMED_QUERY", f"{view.name} must be filtered by {wanted}")
    return view


def _canonical(view: View, field: str) -> str:
    """Names of fields do not know case."""
    for name in view.fields:
        if name.lower() == field.lower():
            return name
    raise RestError("INVALID_FIELD", f"No such column '{field}' on entity '{view.name}'.")


def _select(query: Query, view: View, session: Session) -> list[Row]:
    rows = [
        row
        for flow in session.org.flows.values()
        if flow.visible_to(session.user)
        for row in view.rows(session.org, flow)
    ]
    for condition in query.conditions:
        field = _canonical(view, condition.field)
        rows = [row for row in rows if _holds(condition, row[field])]
    for name, descending in reversed(query.order_by):
        rows.sort(key=_sort_key(_canonical(view, name)), reverse=descending)
    end = None if query.limit is None else query.offset + query.limit
    return rows[query.offset : end]


def _holds(condition: Condition, value: Json) -> bool:
    """Texts are compared without case, as everywhere in SOQL."""
    folded = _folded(value)
    wanted = [_folded(literal) for literal in condition.values]
    match condition.operator:
        case "=" | "IN":
            return folded in wanted
        case "!=" | "NOT IN":
            return folded not in wanted
        case "LIKE":
            return isinstance(folded, str) and _like(str(wanted[0])).fullmatch(folded) is not None


def _like(pattern: str) -> re.Pattern[str]:
    signs = {"%": ".*", "_": "."}
    return re.compile("".join(signs.get(sign, re.escape(sign)) for sign in pattern), re.DOTALL)


def _folded(value: Json) -> Json:
    return value.casefold() if isinstance(value, str) else value


def _sort_key(name: str) -> Callable[[Row], Any]:
    """Null comes first, as in Salesforce."""

    def key(row: Row) -> tuple[bool, str]:
        return row[name] is not None, str(_folded(row[name]))

    return key


def _record(base: str, view: View, shown: list[str], row: Row) -> Json:
    url = f"{base}/sobjects/{view.name}/{row['DurableId']}"
    return {
        "attributes": {"type": view.name, "url": url},
        **{name: row[name] for name in shown},
    }
