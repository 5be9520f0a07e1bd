"""Hourly: what has outlived its retention goes."""

from typing import TYPE_CHECKING

import azure.functions as func

from functions.boundary import timed

if TYPE_CHECKING:
    from shared.services import Services

_HOURLY = "0 7 * * * *"


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.timer_trigger(arg_name="timer", schedule=_HOURLY)
    @timed
    async def retention_cleanup(timer: func.TimerRequest) -> None:
        await services.clean_up(is_late=bool(timer.past_due))

    return bp
