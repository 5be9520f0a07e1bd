"""S-02 on two processes: how long a session that was ended at one of them lives on at the other."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final
from uuid import uuid4

import pytest

from local.network import pinned_network
from local.stack_info import StackInfo
from shared.model import TenantId, TenantStatus
from shared.outside import Azure
from shared.services import Services
from tests.attacks.hammering import Pane, Who
from tests.attacks.second_worker import worker_beside
from tests.attacks.worker_settings import settings_on
from tools.suspend_tenant import Options, run

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

ENDED_WITHIN: Final = 10.0  # seconds: the promise
PEOPLE: Final = 4
PAUSE: Final = 0.1


@pytest.fixture(scope="module")
def beside(stack: StackInfo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    with worker_beside(stack, tmp_path_factory.mktemp("beside")) as info:
        yield info


class Watched:
    """One session in front of both processes, each of which has just let it in."""

    def __init__(self, here: Pane, there: Pane) -> None:
        self.here, self.there = here, there
        self.ended_at = 0.0

    def is_over(self, pane: Pane) -> bool:
        """Too many requests are a live session's."""
        status = pane.send("GET", "/tenant/settings").status_code
        assert status in (200, 401, 409, 429), status
        return status == 401

    def seconds_left(self) -> float:
        """For how long the other process goes on letting it in."""
        last = self.ended_at
        while time.monotonic() < self.ended_at + 2 * ENDED_WITHIN:
            asked_at = time.monotonic()
            if self.is_over(self.there):
                return last - self.ended_at
            last = asked_at
            time.sleep(PAUSE)
        raise AssertionError("it is not over at all")


class Case:
    """People of one new tenant."""

    def __init__(self, stack: StackInfo, beside: StackInfo, running: ExitStack) -> None:
        self.stack, self._beside, self._running = stack, beside, running
        self.tid = str(uuid4())

    def somebody(self, *, is_admin: bool = False) -> Watched:
        who = Who(tid=self.tid, oid=str(uuid4()), salesforce_user="", is_admin=is_admin)
        here = self._running.enter_context(Pane(self.stack, who))
        there = self._running.enter_context(Pane(self._beside, who))
        here.sign_in()
        there._session_token = here._session_token
        return Watched(here, there)


@pytest.fixture
def case(stack: StackInfo, beside: StackInfo) -> Iterator[Case]:
    with ExitStack() as running:
        yield Case(stack, beside, running)


def delete(pane: Pane, scope: str) -> None:
    asked = pane.call("POST", "/deletion-requests", body={"scope": scope}, expect=201)
    code = {"confirmation_code": asked["confirmation_code"]}
    pane.call("POST", f"/deletion-requests/{asked['id']}/confirm", body=code, expect=202)


def sign_out(case: Case, people: list[Watched]) -> None:
    del case
    for one in people:
        one.here.call("DELETE", "/sso/session", expect=204)
        one.ended_at = time.monotonic()


def delete_users(case: Case, people: list[Watched]) -> None:
    del case
    for one in people:
        delete(one.here, "user")
        one.ended_at = time.monotonic()


def delete_the_tenant(case: Case, people: list[Watched]) -> None:
    delete(case.somebody(is_admin=True).here, "tenant")
    for one in people:
        one.ended_at = time.monotonic()


def suspend_the_tenant(case: Case, people: list[Watched]) -> None:
    """By the operator's own tool, in a process that is none of the two."""

    async def suspend() -> int:
        azure = Azure(settings_on(case.stack), pinned_network(case.stack))
        options = Options(tenant=TenantId.parse(f"ms-{case.tid}"), status=TenantStatus.DISABLED)
        return await run(Services(azure._settings, azure), options)

    assert asyncio.run(suspend()) == 0
    for one in people:
        one.ended_at = time.monotonic()


@pytest.mark.usefixtures("identity_endpoint")
@pytest.mark.parametrize("end", [sign_out, delete_users, delete_the_tenant, suspend_the_tenant])
def test_S02_an_end_is_seen_by_another_process_within_ten_seconds(
    case: Case, end: Callable[[Case, list[Watched]], None]
) -> None:
    people = [case.somebody() for _ in range(PEOPLE)]
    for one in people:
        assert not one.is_over(one.here)
        assert not one.is_over(one.there)

    end(case, people)

    with ThreadPoolExecutor(PEOPLE) as watching:
        seconds = sorted(watching.map(Watched.seconds_left, people))
    print(  # noqa: T201 - the figures, for a person
        f"\nS-02: {end.__name__}: the other process lets {PEOPLE} sessions in for "
        f"{', '.join(f'{one:.1f}' for one in seconds)} s more"
    )
    assert seconds[-1] < ENDED_WITHIN
    for one in people:
        for pane in (one.here, one.there):
            assert {*pane.statuses_of_every_route().values()} == {401}


def test_S02_and_it_is_not_over_for_anybody_else(case: Case) -> None:
    """So that what is measured is the end, and no outage."""
    leaves, stays = case.somebody(), case.somebody()
    for one in (leaves, stays):
        assert not one.is_over(one.there)

    sign_out(case, [leaves])
    leaves.seconds_left()

    assert not stays.is_over(stays.here)
    assert not stays.is_over(stays.there)
