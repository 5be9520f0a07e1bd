"""Every function of the service, in the order in which a user meets them.

The host imports all of them before it answers anything. So they import what they need of `shared`,
but for its errors, secrets, JSON and telemetry, when they are first called: a cold start pays for
the function that was asked.
"""

from typing import TYPE_CHECKING

import azure.functions as func

from functions import (
    backup,
    deletion_request,
    deletion_worker,
    flow_describe,
    flow_invoke,
    keep_alive,
    key_rotation,
    lightning,
    operations,
    readiness,
    retention_cleanup,
    revocation_worker,
    runs,
    salesforce_oauth,
    sso_exchange,
    tenant,
)

if TYPE_CHECKING:
    from shared.services import Services

ALL = (
    sso_exchange.blueprint,
    salesforce_oauth.blueprint,
    flow_describe.blueprint,
    flow_invoke.blueprint,
    lightning.blueprint,
    runs.blueprint,
    tenant.blueprint,
    deletion_request.blueprint,
    deletion_worker.blueprint,
    revocation_worker.blueprint,
    keep_alive.blueprint,
    retention_cleanup.blueprint,
    key_rotation.blueprint,
    backup.blueprint,
    readiness.blueprint,
    operations.blueprint,
)


def create_app(services: "Services") -> func.FunctionApp:
    """The app that the host indexes.

    Anonymous towards the host: each function verifies its caller itself, in its first line, and
    `tests/functions/test_registration.py` proves that none forgets to.
    """
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    for blueprint in ALL:
        app.register_functions(blueprint(services))
    return app
