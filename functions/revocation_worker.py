"""Every five minutes: grants that nobody is to use any more are revoked at Salesforce."""

from typing import TYPE_CHECKING

import azure.functions as func

from functions.boundary import timed

if TYPE_CHECKING:
    from shared.services import Services

_EVERY_FIVE_MINUTES = "0 */5 * * * *"


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.timer_trigger(arg_name="timer", schedule=_EVERY_FIVE_MINUTES)
    @timed
    async def revocation_worker(timer: func.TimerRequest) -> None:  # noqa: ARG001 - bound by the host
        await services.work_off_revocations()

    return bp
