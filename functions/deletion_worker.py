"""Every minute: confirmed deletions are carried out."""

from typing import TYPE_CHECKING

import azure.functions as func

from functions.boundary import timed

if TYPE_CHECKING:
    from shared.services import Services

_EVERY_MINUTE = "0 * * * * *"


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.timer_trigger(arg_name="timer", schedule=_EVERY_MINUTE)
    @timed
    async def deletion_worker(timer: func.TimerRequest) -> None:  # noqa: ARG001 - bound by the host
        await services.work_off_deletions()

    return bp
