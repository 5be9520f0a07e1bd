"""The adapters as deployed, which besides note what a caller of a race went through."""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from time import monotonic
from typing import Final, Protocol

import aiohttp

from local.network import pinned_network
from local.stack_info import StackInfo
from shared.errors import AccessRefusedError
from shared.model import Access, FlowSummary, Grant
from shared.salesforce.flows import RestFlows
from shared.salesforce.oauth import SalesforceOAuth
from shared.secret import Secret
from tests.attacks.shifted_azure import ShiftedAzure
from tests.attacks.worker_settings import settings_on


@dataclass(slots=True)
class Watch:
    """One caller: when the access token was first refused, and when it was tried again."""

    refused_at: float | None = None
    again_at: float | None = None
    redeemed: bool = False

    @property
    def waited(self) -> float | None:
        if self.refused_at is None or self.again_at is None:
            return None
        return self.again_at - self.refused_at


watching: Final[ContextVar[Watch]] = ContextVar("watching")
"""Whose call this is. A refresh runs in a task of its own, with the context of who began it."""


class WatchedFlows(RestFlows):
    """Salesforce's Flows. The list is the call that is raced: nothing of it is remembered."""

    async def list(self, access: Access) -> Sequence[FlowSummary]:
        watch = watching.get()
        if watch.refused_at is not None and watch.again_at is None:
            watch.again_at = monotonic()
        try:
            return await super().list(access)
        except AccessRefusedError:
            watch.refused_at = watch.refused_at or monotonic()
            raise


class BeforeRedeeming(Protocol):
    def __call__(self) -> None: ...


class WatchedLogin:
    """Satisfies `ports.SalesforceLogin`: passes everything on, and counts what is redeemed."""

    def __init__(self, login: SalesforceOAuth) -> None:
        self._login = login
        self.redemptions = 0
        self.before_redeeming: BeforeRedeeming | None = None

    def authorize_url(self, login_host: str, *, state: str, verifier: Secret) -> str:
        return self._login.authorize_url(login_host, state=state, verifier=verifier)

    async def redeem_code(self, login_host: str, *, code: Secret, verifier: Secret) -> Grant:
        return await self._login.redeem_code(login_host, code=code, verifier=verifier)

    async def refresh(self, grant: Grant) -> Grant:
        watching.get().redeemed = True
        self.redemptions += 1
        if self.before_redeeming is not None:
            self.before_redeeming()
        return await self._login.refresh(grant)

    async def revoke(self, grant: Grant) -> bool:
        return await self._login.revoke(grant)

    def close(self) -> None:
        self._login.close()


class WatchedAzure(ShiftedAzure):
    """Satisfies `ports.Outside`, for one process of a race. Its clock can be set ahead."""

    def __init__(self, info: StackInfo, *, ahead: float = 0.0) -> None:
        super().__init__(settings_on(info), pinned_network(info))
        self.ahead = timedelta(seconds=ahead)
        self._store = int(info.tables.rpartition(":")[2].partition("/")[0])
        self.store_calls = 0

    def count_store_calls(self) -> None:
        """From now on. Needs a running loop, and comes before the first call."""

        async def count(_: object, __: object, sent: aiohttp.TraceRequestStartParams) -> None:
            self.store_calls += (sent.url.host, sent.url.port) == ("127.0.0.1", self._store)

        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(count)
        tracing.freeze()
        self._network.session().trace_configs.append(tracing)

    @cached_property
    def flows(self) -> WatchedFlows:
        return WatchedFlows(self._network)

    @cached_property
    def login(self) -> WatchedLogin:
        login = super().login
        assert isinstance(login, SalesforceOAuth)
        return WatchedLogin(login)
