"""Short ways to run Flows in tests."""

from collections.abc import Mapping

from shared.errors import Json
from shared.model import Caller, FlowName, FlowResult, OrgId, Run
from shared.usecases.invoke_flow import Invocation
from tests.fakes import World

LOG = "Log_Email"


def invocation(
    flow: str = LOG,
    *,
    email: Mapping[str, Json] | None = None,
    inputs: Mapping[str, Json] | None = None,
    key: str | None = None,
    org: OrgId | None = None,
) -> Invocation:
    return Invocation(
        flow=FlowName.parse(flow),
        org=org,
        email=email or {},
        inputs=inputs or {},
        idempotency_key=key,
    )


async def run(world: World, caller: Caller, asked: Invocation) -> tuple[Run, FlowResult]:
    return await world.services.invoke_flow(caller, asked)
