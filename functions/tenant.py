"""The settings of the caller's tenant, and what is held about the caller."""

# ruff: noqa: PLC0415 - imported at first use: see functions/__init__.py

import re
from typing import TYPE_CHECKING, Final

import azure.functions as func

from functions.boundary import guarded, json_response
from functions.requests import caller_of, json_object
from shared.errors import IfMatchRequiredError, InvalidRequestError, Json

if TYPE_CHECKING:
    from shared.model import SettingsChange
    from shared.services import Services
    from shared.usecases.my_data import Mine
    from shared.usecases.read_settings import SeenSettings

_ENTITY_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e]{0,200})"', re.ASCII)  # RFC 9110, 8.8.3


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.route("v1/tenant/settings", methods=["GET"])
    @guarded(services)
    async def tenant_settings(req: func.HttpRequest) -> func.HttpResponse:
        caller = await caller_of(req, services)

        return _settings(await services.read_settings(caller))

    @bp.route("v1/tenant/settings", methods=["PUT"])
    @guarded(services)
    async def tenant_settings_change(req: func.HttpRequest) -> func.HttpResponse:
        from shared.tenant_settings import MEMBERS, settings_sent

        caller = await caller_of(req, services)
        revision = _revision_in_if_match(req)
        body = dict(json_object(req, allowed=(*MEMBERS, "changes")))
        body.pop("changes", None)  # of the GET's answer, which may be sent back as it was
        wanted = settings_sent(body)

        return _settings(await services.change_settings(caller, wanted, revision=revision))

    @bp.route("v1/me/data", methods=["GET"])
    @guarded(services)
    async def my_data(req: func.HttpRequest) -> func.HttpResponse:
        caller = await caller_of(req, services)

        mine = await services.my_data(caller)

        return json_response(_mine(mine))

    return bp


def _revision_in_if_match(req: func.HttpRequest) -> str:
    """The one revision that the change is a change of (RFC 9110, 13.1.1).

    `*` and lists would change what nobody has read: InvalidRequestError. A weak tag never matches
    here, and is read as a revision that no settings have. Raises IfMatchRequiredError, too.
    """
    text = req.headers.get("If-Match", "").strip()
    if not text:
        raise IfMatchRequiredError
    tag = _ENTITY_TAG.fullmatch(text)
    if tag is None:
        raise InvalidRequestError
    return "" if tag[1] else tag[2]


def _settings(seen: "SeenSettings") -> func.HttpResponse:
    from shared.tenant_settings import settings_members

    body = settings_members(seen.settings)
    if seen.changes is None:
        del body["customer_key"]
    else:
        body["changes"] = [_change(change) for change in seen.changes]
    return json_response(body, headers={"ETag": f'"{seen.revision}"'})


def _change(change: "SettingsChange") -> dict[str, Json]:
    from shared.model import rfc3339

    return {
        "changed_at": rfc3339(change.changed_at),
        "changed_by": change.changed_by or None,
        "changed": list(change.changed),
    }


def _mine(mine: "Mine") -> dict[str, Json]:
    from shared.model import rfc3339
    from shared.model.schema import BACKUPS_STATEMENT, LOGS_STATEMENT

    return {
        "as_of": rfc3339(mine.as_of),
        "user_id": mine.user,
        "tenant_id": mine.tenant,
        "held": [
            {
                "table": held.table,
                "kind": held.kind.name,
                "purpose": held.kind.purpose,
                "retention": held.kind.retention,
                "rows": list(held.rows),
            }
            for held in mine.held
        ],
        "backups": BACKUPS_STATEMENT,
        "logs": LOGS_STATEMENT,
    }
