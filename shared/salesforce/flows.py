"""The Flow part of Salesforce's REST API: list, describe, invoke.

Autolaunched Flows are custom actions (`/actions/custom/flow`); screen Flows are neither listed nor
invocable there and are found by `FlowDefinitionView` instead. Sources: Salesforce Actions
Developer Guide, "Flow Actions"; Object Reference, `FlowDefinitionView` and `FlowVariableView`.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from shared.errors import (
    FlowFailedError,
    InvalidRequestError,
    Json,
    NotFoundError,
    SalesforceFailedError,
    SalesforceForbiddenError,
    SalesforceTimeoutError,
)
from shared.model import (
    Access,
    FlowDescription,
    FlowName,
    FlowResult,
    FlowSummary,
    FlowVariable,
    OrgId,
)
from shared.network import Network
from shared.salesforce.transport import (
    INVOKE_SECONDS,
    Answer,
    SalesforceRest,
    error_code,
    is_result,
    raise_not_found,
)

_ACTIONS: Final = "actions/custom/flow"
_LIST_SOQL: Final = (
    "SELECT ApiName, NamespacePrefix, Label, Description, ProcessType FROM FlowDefinitionView "
    "WHERE ProcessType IN ('Flow','AutoLaunchedFlow') AND ActiveVersionId != null"
)
_OF_THE_INTERVIEW: Final = "Flow__"  # outputs that Salesforce adds to each Flow's own
_MOST_RECORDS: Final = 10_000
_MOST_PAGES: Final = 50
_LARGEST_PAGE: Final = 2 * 1024**2
_QUERY_SECONDS: Final = 60.0
_OK: Final = 200
_BAD_REQUEST: Final = 400


class RestFlows:
    """Satisfies `ports.SalesforceFlows`. `query_seconds` is for all pages of a query together."""

    def __init__(self, network: Network, *, query_seconds: float = _QUERY_SECONDS) -> None:
        self._rest = SalesforceRest(network)
        self._query_seconds = query_seconds

    def require_calls_left(self, org: OrgId) -> None:
        self._rest.require_calls_left(org)

    async def list(self, access: Access) -> Sequence[FlowSummary]:
        """The active autolaunched Flows, then the active screen Flows."""
        answer = await self._rest.call(access, "GET", _ACTIONS)
        views = await self._definition_views(access)
        with _readable():
            actions = [(FlowName.parse(a["name"]), str(a["label"])) for a in answer.body["actions"]]
            named = [(_qualified_name(view), view) for view in views]
        details = dict(named)
        launched = [
            FlowSummary(
                name=name,
                label=label,
                description=_text(details.get(name, {}).get("Description")),
                kind="autolaunched",
                org=access.org,
            )
            for name, label in actions
        ]
        screens = [
            FlowSummary(
                name=name,
                label=str(view.get("Label") or name),
                description=_text(view.get("Description")),
                kind="screen",
                org=access.org,
            )
            for name, view in named
            if view.get("ProcessType") == "Flow"
        ]
        return [*launched, *screens]

    async def describe(self, access: Access, flow: FlowName) -> FlowDescription:
        answer = await self._rest.call(access, "GET", f"{_ACTIONS}/{flow}")
        if answer.status != _OK:
            return await self._describe_screen_flow(access, flow)
        with _readable():
            return FlowDescription(
                name=flow,
                label=str(answer.body["label"]),
                kind="autolaunched",
                inputs=tuple(_action_variable(item) for item in answer.body["inputs"]),
                outputs=tuple(
                    _action_variable(item)
                    for item in answer.body["outputs"]
                    if not str(item["name"]).startswith(_OF_THE_INTERVIEW)
                ),
            )

    async def invoke(
        self, access: Access, flow: FlowName, inputs: Mapping[str, Json]
    ) -> FlowResult:
        answer = await self._rest.call(
            access,
            "POST",
            f"{_ACTIONS}/{flow}",
            body={"inputs": [dict(inputs)]},
            seconds=INVOKE_SECONDS,
        )
        return _flow_result(answer)

    async def _definition_views(self, access: Access) -> Sequence[Mapping[str, Any]]:
        """Rows of FlowDefinitionView; none where the user may not read it."""
        try:
            return await self._query(access, _LIST_SOQL)
        except SalesforceForbiddenError:
            return []

    async def _describe_screen_flow(self, access: Access, flow: FlowName) -> FlowDescription:
        """By the variables of the active version. Names are letters, digits and underscores only,
        so that a name cannot end the quotes it stands in."""
        prefix, separator, bare = flow.partition("__")
        api_name, namespace = (bare, f"'{prefix}'") if separator else (str(flow), "null")
        definitions = await self._query(
            access,
            "SELECT Label, ActiveVersionId FROM FlowDefinitionView "  # noqa: S608 - see above
            f"WHERE ApiName = '{api_name}' AND NamespacePrefix = {namespace} "
            "AND ProcessType = 'Flow' AND ActiveVersionId != null",
        )
        if not definitions:
            raise NotFoundError
        with _readable():
            version = str(definitions[0]["ActiveVersionId"])
            if not version.isascii() or not version.replace("-", "").isalnum():
                raise ValueError
        variables = await self._query(
            access,
            "SELECT ApiName, DataType, IsCollection, IsInput, IsOutput, ObjectType, Description "  # noqa: S608 - checked above
            f"FROM FlowVariableView WHERE FlowVersionViewId = '{version}'",
        )
        with _readable():
            return FlowDescription(
                name=flow,
                label=str(definitions[0]["Label"]),
                kind="screen",
                inputs=tuple(_view_variable(v) for v in variables if v["IsInput"]),
                outputs=tuple(_view_variable(v) for v in variables if v["IsOutput"]),
            )

    async def _query(self, access: Access, soql: str) -> Sequence[Mapping[str, Any]]:
        """All records of a query, page after page. Raises SalesforceFailedError if they are more
        than any org has Flows, SalesforceTimeoutError if it takes too long."""
        try:
            async with asyncio.timeout(self._query_seconds):
                return await self._all_pages(access, soql)
        except TimeoutError as exc:
            raise SalesforceTimeoutError from exc

    async def _all_pages(self, access: Access, soql: str) -> Sequence[Mapping[str, Any]]:
        records: list[Mapping[str, Any]] = []
        answer = await self._page(access, "query", {"q": soql})
        for _ in range(_MOST_PAGES):
            if answer.status != _OK:
                raise SalesforceForbiddenError
            with _readable():
                records += answer.body["records"]
                if len(records) > _MOST_RECORDS:
                    raise ValueError
                following = answer.body.get("nextRecordsUrl")
                if following is None:
                    return records
                # Our own path with their cursor: an address from an answer is never followed.
                cursor = str(following).rpartition("/")[2]
                if not cursor.replace("-", "").isalnum():
                    raise ValueError
            answer = await self._page(access, f"query/{cursor}")
        raise SalesforceFailedError

    async def _page(
        self, access: Access, path: str, query: Mapping[str, str] | None = None
    ) -> Answer:
        return await self._rest.call(access, "GET", path, query=query, max_bytes=_LARGEST_PAGE)


def _flow_result(answer: Answer) -> FlowResult:
    """The result array is read before the status: a fault of the Flow comes as a 400."""
    if is_result(answer.body):
        result = answer.body[0]
        if not result["isSuccess"]:
            raise FlowFailedError(_flow_errors(result.get("errors")))
        outputs = result.get("outputValues") or {}
        with _readable():
            waits = outputs.get("Flow__InterviewStatus") == "Waiting"
            return FlowResult(
                status="waiting" if waits else "succeeded",
                outputs={k: v for k, v in outputs.items() if not k.startswith(_OF_THE_INTERVIEW)},
            )
    raise_not_found(answer)
    if answer.status == _BAD_REQUEST and error_code(answer.body):
        # The Flow changed since it was described: nothing was carried out.
        raise InvalidRequestError
    raise SalesforceFailedError


def _flow_errors(errors: object) -> list[dict[str, str]]:
    found = errors if isinstance(errors, list) else []
    return [
        {"statusCode": str(e.get("statusCode", "")), "message": str(e.get("message", ""))}
        for e in found
        if isinstance(e, dict)
    ]


def _action_variable(item: Mapping[str, Any]) -> FlowVariable:
    """A variable as the action resource describes it: a collection has `maxOccurs` above one."""
    is_apex = bool(item.get("apexClass"))
    return FlowVariable(
        name=str(item["name"]),
        type="APEX" if is_apex or not item.get("type") else str(item["type"]).upper(),
        is_collection=int(item.get("maxOccurs") or 1) > 1,
        record_type=_text(item.get("sobjectType")),
        description=_text(item.get("description")),
    )


def _view_variable(item: Mapping[str, Any]) -> FlowVariable:
    """A variable as FlowVariableView describes it."""
    kind = str(item["DataType"]).upper()
    return FlowVariable(
        name=str(item["ApiName"]),
        type={"NUMBER": "DOUBLE"}.get(kind, kind),
        is_collection=bool(item["IsCollection"]),
        record_type=_text(item.get("ObjectType")),
        description=_text(item.get("Description")),
    )


def _qualified_name(view: Mapping[str, Any]) -> FlowName:
    namespace, name = view.get("NamespacePrefix"), str(view["ApiName"])
    return FlowName.parse(f"{namespace}__{name}" if namespace else name)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


@contextmanager
def _readable() -> Iterator[None]:
    """An answer of the wrong shape is Salesforce's failure, not the caller's."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, InvalidRequestError) as exc:
        raise SalesforceFailedError from exc
