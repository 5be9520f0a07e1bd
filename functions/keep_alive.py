"""Every six hours: grants that are idle for nearly 30 days are refreshed, or let lapse."""

from typing import TYPE_CHECKING

import azure.functions as func

from functions.boundary import timed

if TYPE_CHECKING:
    from shared.services import Services

_EVERY_SIX_HOURS = "0 41 */6 * * *"


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.timer_trigger(arg_name="timer", schedule=_EVERY_SIX_HOURS)
    @timed
    async def keep_alive(timer: func.TimerRequest) -> None:  # noqa: ARG001 - bound by the host
        await services.keep_alive()

    return bp
