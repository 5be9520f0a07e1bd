"""Nightly: every tenant is backed up, and backups that have expired are removed."""

from typing import TYPE_CHECKING

import azure.functions as func

from functions.boundary import timed

if TYPE_CHECKING:
    from shared.services import Services

_AT_NIGHT = "0 15 2 * * *"


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.timer_trigger(arg_name="timer", schedule=_AT_NIGHT)
    @timed
    async def backup(timer: func.TimerRequest) -> None:  # noqa: ARG001 - bound by the host
        await services.back_up_tenants()

    return bp
