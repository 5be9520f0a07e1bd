"""Revoking a grant that nobody is to use any more, as far as that can be done now."""

from shared.errors import UpstreamError
from shared.model import Grant
from shared.ports import SalesforceLogin
from shared.telemetry.events import event


async def try_to_revoke(login: SalesforceLogin, grant: Grant) -> None:
    """Revoke at Salesforce. Where that fails, it is told, and what the caller does goes on: a
    grant that cannot be revoked now is no reason to keep it, or to hide another failure."""
    try:
        await login.revoke(grant)
    except UpstreamError:
        event("revocation_failed")
