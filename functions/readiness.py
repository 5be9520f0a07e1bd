"""Whether what the service depends on can be reached; health, for anybody, says less."""

# ruff: noqa: PLC0415 - imported at first use: see functions/__init__.py

from typing import TYPE_CHECKING

import azure.functions as func

from functions.boundary import guarded, json_response
from functions.requests import caller_of
from shared.errors import Json

if TYPE_CHECKING:
    from shared.services import Services
    from shared.usecases.check_readiness import Dependency


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.route("v1/ready", methods=["GET"])
    @guarded(services)
    async def readiness(req: func.HttpRequest) -> func.HttpResponse:
        caller = await caller_of(req, services)

        found = await services.check_readiness(caller)

        is_ready = all(dependency.is_reachable for dependency in found)
        return json_response(
            {
                "status": "ready" if is_ready else "degraded",
                "dependencies": [_members(dependency) for dependency in found],
            }
        )

    return bp


def _members(dependency: "Dependency") -> dict[str, Json]:
    """No host, and no word of why: what went wrong may say more than an administrator may know."""
    from shared.model import rfc3339

    return {
        "name": dependency.name,
        "reachable": dependency.is_reachable,
        "since": rfc3339(dependency.since),
    }
