"""Salesforce, as far as the service asks anything of it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.errors import Json
from shared.model import (
    Access,
    FlowDescription,
    FlowName,
    FlowResult,
    FlowSummary,
    Grant,
    LightningAppId,
    OrgId,
)
from shared.secret import Secret


class SalesforceLogin(Protocol):
    """Salesforce's OAuth endpoints."""

    def authorize_url(self, login_host: str, *, state: str, verifier: Secret) -> str: ...

    async def redeem_code(self, login_host: str, *, code: Secret, verifier: Secret) -> Grant:
        """Trade an authorization code, once.

        Raises InvalidStateError (the code is not good), NotConnectedError (this user or this app
        may not, with the health that tells why), and otherwise as `refresh`.
        """
        ...

    async def refresh(self, grant: Grant) -> Grant:
        """Redeem the refresh token, once.

        Raises NotConnectedError (the grant has ended, with its health), RefreshInProgressError
        (transient), SalesforceUnavailableError (nothing was carried out), SalesforceTimeoutError
        (sent, and no answer that can be used: the token may be spent), SalesforceFailedError (ours
        to mend: nothing has ended).
        """
        ...

    async def revoke(self, grant: Grant) -> bool:
        """End the grant at its own instance. False if its token was over already, which is no
        error: revoked, expired, or spent by a refresh."""
        ...


class SalesforceFlows(Protocol):
    """The Flow part of Salesforce's REST API, as the user whose token it is.

    Raises AccessRefusedError (the access token is not taken: nothing was carried out),
    SalesforceForbiddenError, SalesforceLimitError, SalesforceFailedError and its kinds.
    """

    def require_calls_left(self, org: OrgId) -> None:
        """Raises SalesforceLimitError if this instance knows that the org would refuse, because its
        day's calls are used up."""
        ...

    async def list(self, access: Access) -> Sequence[FlowSummary]: ...

    async def describe(self, access: Access, flow: FlowName) -> FlowDescription:
        """Raises NotFoundError, too."""
        ...

    async def invoke(
        self, access: Access, flow: FlowName, inputs: Mapping[str, Json]
    ) -> FlowResult:
        """Raises FlowFailedError, too. Never sends twice."""
        ...


class SalesforceSessions(Protocol):
    """Browser sessions of Salesforce, of the user whose token it is."""

    async def open(self, access: Access, app: LightningAppId) -> Secret:
        """The address that opens the app in a browser as this user: once, within about a minute.

        Raises AccessRefusedError (the access token is not taken), SalesforceForbiddenError (the org
        has no such app, or opens no session for this user), SalesforceLimitError,
        SalesforceFailedError and its kinds.
        """
        ...
