"""The history of runs: which Flow, by whom, when, and how it ended."""

from datetime import datetime

import azure.functions as func

from functions.boundary import guarded, json_response
from functions.requests import caller_of, query_text
from shared.errors import InvalidRequestError
from shared.model import Run
from shared.services import Services

_USUAL_LIMIT = 50
_MOST = 200


def blueprint(services: Services) -> func.Blueprint:
    bp = func.Blueprint()

    @bp.route("v1/runs", methods=["GET"])
    @guarded(services)
    async def run_list(req: func.HttpRequest) -> func.HttpResponse:
        caller = await caller_of(req, services)
        whole_tenant, limit = _is_whole_tenant(req), _limit(req)

        listed = await services.list_runs(
            caller, whole_tenant=whole_tenant, after=query_text(req, "after"), limit=limit
        )

        runs = [_run(run, listed.flow_names.get(run.flow_id)) for run in listed.page.runs]
        return json_response({"runs": runs, "next": listed.page.next})

    return bp


def _is_whole_tenant(req: func.HttpRequest) -> bool:
    match query_text(req, "scope"):
        case None | "user":
            return False
        case "tenant":
            return True
        case _:
            raise InvalidRequestError


def _limit(req: func.HttpRequest) -> int:
    text = query_text(req, "limit")
    if text is None:
        return _USUAL_LIMIT
    is_short_number = text.isascii() and text.isdigit() and len(text) <= len(str(_MOST))
    if not is_short_number or not 1 <= int(text) <= _MOST:
        raise InvalidRequestError
    return int(text)


def _run(run: Run, flow_name: str | None) -> dict[str, object]:
    return {
        "run_id": run.id,
        "flow_id": run.flow_id,
        "flow_name": flow_name,
        "user_id": run.user,
        "org_id": run.org,
        "started_at": _time(run.started_at),
        "finished_at": None if run.finished_at is None else _time(run.finished_at),
        "outcome": run.outcome.value,
        "duration_ms": run.duration_ms,
    }


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
