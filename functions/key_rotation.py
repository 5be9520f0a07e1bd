"""Hourly: data keys are wrapped by the newest key, followed by new ones, retired, destroyed."""

from typing import TYPE_CHECKING

import azure.functions as func

from functions.boundary import timed

if TYPE_CHECKING:
    from shared.services import Services

_HOURLY = "0 37 * * * *"


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.timer_trigger(arg_name="timer", schedule=_HOURLY)
    @timed
    async def key_rotation(timer: func.TimerRequest) -> None:  # noqa: ARG001 - bound by the host
        await services.rotate_keys()

    return bp
