"""The history of runs: which Flow, by whom, when, and how it ended."""

# ruff: noqa: PLC0415 - imported at first use: see functions/__init__.py

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

import azure.functions as func

from functions.boundary import guarded, json_response
from functions.export_body import ExportBody
from functions.negotiation import chosen_media_type, takes_gzip
from functions.requests import caller_of, query_instant, query_text
from shared.errors import InvalidRequestError

if TYPE_CHECKING:
    from shared.model import Period, RunFilter
    from shared.run_forms import RunForm
    from shared.services import Services
    from shared.usecases.export_runs import RunExport

_USUAL_LIMIT = 50
_MOST = 200
_FLOW_ID: Final = re.compile(r"f-[a-z2-7]{26}", re.ASCII)


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.route("v1/runs", methods=["GET"])
    @guarded(services)
    async def run_list(req: func.HttpRequest) -> func.HttpResponse:
        from shared.model import UserId
        from shared.run_forms import run_members

        caller = await caller_of(req, services)
        user = query_text(req, "user_id")

        listed = await services.list_runs(
            caller,
            whole_tenant=_is_whole_tenant(req),
            after=query_text(req, "after"),
            limit=_limit(req),
            user=None if user is None else UserId.parse(user),
            period=_period(req),
            where=_filter(req),
        )

        runs = [run_members(run, listed.flow_names.get(run.flow_id)) for run in listed.page.runs]
        return json_response({"runs": runs, "next": listed.page.next})

    @bp.route("v1/runs/export", methods=["GET"])
    @guarded(services)
    async def run_export(req: func.HttpRequest) -> func.HttpResponse:
        caller = await caller_of(req, services)
        forms = _forms()
        form = forms[chosen_media_type(req, tuple(forms))]
        period, gzip = _period(req), takes_gzip(req)

        body = ExportBody(gzip=gzip)
        export = await services.export_runs(caller, period=period, form=form, write=body.write)

        headers = _export_headers(export, form, gzip=gzip)
        return func.HttpResponse(body.finished(), mimetype=form.media_type, headers=headers)

    return bp


@cache
def _forms() -> "Mapping[str, RunForm]":
    """By their media types; the first is what they get who do not care."""
    from shared.run_forms import Csv, NdJson

    return {form.media_type: form for form in (NdJson(), Csv())}


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


def _period(req: func.HttpRequest) -> "Period":
    from shared.model import Period

    return Period(begin=query_instant(req, "from"), end=query_instant(req, "to"))


def _filter(req: func.HttpRequest) -> "RunFilter":
    from shared.model import OrgId, RunFilter, RunOutcome

    outcome, flow_id = query_text(req, "outcome"), query_text(req, "flow_id")
    org = query_text(req, "org_id")
    if outcome is not None and outcome not in set(RunOutcome):
        raise InvalidRequestError
    if flow_id is not None and not _FLOW_ID.fullmatch(flow_id):
        raise InvalidRequestError
    return RunFilter(
        outcome=None if outcome is None else RunOutcome(outcome),
        flow_id=flow_id,
        org=None if org is None else OrgId.parse(org),
    )


def _export_headers(export: "RunExport", form: "RunForm", *, gzip: bool) -> dict[str, str]:
    """The signature is over the content as it is without gzip."""
    name = f"flowrunner-runs-{export.as_of:%Y%m%dT%H%M%SZ}.{form.suffix}"
    headers = {
        "X-Export-Signature": export.signature,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Vary": "Accept, Accept-Encoding",
    }
    return headers | ({"Content-Encoding": "gzip"} if gzip else {})
