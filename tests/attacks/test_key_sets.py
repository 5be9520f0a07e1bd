"""T-11 and T-13: key sets under a flood of invented key ids, and while their provider is away."""

import asyncio
import json
import sys
import time
import uuid
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import pytest

from bench.control import set_delay
from bench.tokens.cases import Case
from bench.tokens.over_http import Door
from local import scene
from local.stack_info import StackInfo
from tests.attacks.azurite_rows import AzuriteRows
from tests.attacks.key_set_workers import Order
from tests.attacks.refusals import Entrance
from tests.control_client import ControlClient
from tests.identity.tokens import header, jwk, microsoft_claims, part, private_key, signed
from tests.upstream import Upstream, answering, answering_json, authority_file, upstream

WORKERS: Final = 8
INVENTED: Final = 10_000
FEW: Final = 800
COOLDOWN: Final = 61.0
_ANSWER_BYTES: Final = 1024 * 1024
_MANY: Final = 100_000
_BACK_SECONDS: Final = 15.0


class Workers:
    """Eight processes that verify tokens, and what they saw of an order, added up."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.slowest = 0.0

    async def carry_out(self, order: Order) -> tuple[Counter[str], Counter[str]]:
        """The answers to tokens with invented key ids, and those to the good one."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(order.as_line().encode())
        await self._process.stdin.drain()
        seen = json.loads(await asyncio.wait_for(self._process.stdout.readline(), 60))
        assert len(seen) == WORKERS
        self.slowest = max(self.slowest, *(one["slowest"] for one in seen))
        invented, good = Counter[str](), Counter[str]()
        for one in seen:
            invented.update(one["invented"])
            good.update(one["good"])
        return invented, good


@pytest.fixture
async def provider() -> AsyncIterator[Upstream]:
    async with upstream(scene.ENTRA_HOST) as server:
        server.answer = answering_json({"keys": [jwk()]})
        yield server


@pytest.fixture
async def workers(provider: Upstream) -> AsyncIterator[Workers]:
    command = ("-m", "tests.attacks.key_set_workers", str(WORKERS), str(provider.port))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, authority_file(), stdin=PIPE, stdout=PIPE, limit=_ANSWER_BYTES
    )
    yield Workers(process)
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0


def order(*, ahead: float, good: str | None = None, invented: int = INVENTED) -> Order:
    token = good or signed(header(), microsoft_claims())
    return Order(ahead=ahead, invented=invented // WORKERS, good=token)


async def test_T13_ten_thousand_invented_key_ids_are_one_fetch_a_worker_and_cooldown(
    provider: Upstream, workers: Workers
) -> None:
    fetches = []
    began = time.monotonic()
    for cooldown in range(3):
        before = len(provider.received)
        invented, good = await workers.carry_out(order(ahead=cooldown * COOLDOWN))
        later = order(ahead=cooldown * COOLDOWN + 59, invented=FEW)
        again, still_good = await workers.carry_out(later)

        assert invented + again == {"not_authenticated": INVENTED + FEW}
        assert (good + still_good).keys() == {"accepted"}
        fetches.append(len(provider.received) - before)

    print(  # noqa: T201 - for who asks with -s
        f"\n{3 * (INVENTED + FEW):,} invented key ids at {WORKERS} workers: fetches in three "
        f"cooldowns {fetches}, {time.monotonic() - began:.1f} s; the slowest fifty at once, with a "
        f"good token among them, {workers.slowest * 1_000:.0f} ms"
    )
    assert fetches == [WORKERS] * 3


async def test_T13_while_the_provider_is_away_known_keys_hold_under_the_flood(
    provider: Upstream, workers: Workers
) -> None:
    """For a day. Nobody can say of an unknown key that it is none; so nobody says it."""
    await workers.carry_out(order(ahead=0, invented=WORKERS))
    provider.answer = answering(status=503)
    before = len(provider.received)
    fetches = []
    for ahead, number in ((COOLDOWN, INVENTED), (COOLDOWN + 5, FEW), (3_700, FEW), (86_000, FEW)):
        invented, good = await workers.carry_out(order(ahead=ahead, invented=number))

        assert invented == {"identity_provider_failed": number}
        assert good.keys() == {"accepted"}
        fetches.append(len(provider.received) - before)
        before = len(provider.received)
    too_late = await workers.carry_out(order(ahead=86_500, invented=WORKERS))

    print(f"\nprovider away: {fetches} fetches of {WORKERS} workers")  # noqa: T201 - with -s
    assert fetches == [WORKERS, 0, WORKERS, WORKERS]
    assert too_late[1] == {"identity_provider_failed": WORKERS}


async def test_T11_a_new_key_is_known_everywhere_after_the_cooldown_flood_or_not(
    provider: Upstream, workers: Workers
) -> None:
    new = signed(header(kid="key-2"), microsoft_claims(), private_key("next"))
    await workers.carry_out(order(ahead=0, invented=FEW))
    provider.answer = answering_json({"keys": [jwk("key-2", private_key("next"))]})

    _, within = await workers.carry_out(order(ahead=59, good=new, invented=FEW))
    _, after = await workers.carry_out(order(ahead=COOLDOWN, good=new, invented=FEW))
    _, old = await workers.carry_out(order(ahead=COOLDOWN, invented=FEW))

    assert within.keys() == {"not_authenticated"}
    assert after.keys() == {"accepted"}
    assert old.keys() == {"not_authenticated"}  # it was withdrawn
    assert len(provider.received) == 2 * WORKERS


# --- the running stack ---------------------------------------------------------------------------


@pytest.fixture
def entrance(stack: StackInfo, rows: AzuriteRows) -> Iterator[Entrance]:
    opened = Entrance(stack, rows)
    yield opened
    opened.close()


@pytest.fixture
def away(
    stack: StackInfo, control: ControlClient, entrance: Entrance
) -> Iterator[Callable[..., None]]:
    """`away("entra", "/common")`: from now on, until the end of the test, nothing but 503.

    Afterwards the service has seen that they are back, so that no other test finds them away.
    """

    def fail(target: str, match: str) -> None:
        fault = {"target": target, "match": match, "fault": "status", "value": 503}
        control.post("/_sim/faults", {**fault, "times": _MANY})

    yield fail
    set_delay(stack, 0)  # which sets all faults aside
    for provider, token in (("microsoft", entrance.microsoft()), ("google", entrance.google())):
        until = time.monotonic() + _BACK_SECONDS
        while entrance.shown(with_invented_key(token), provider).status_code != 401:
            assert time.monotonic() < until
            time.sleep(0.2)


def with_invented_key(token: str) -> str:
    return (
        f"{part({'typ': 'JWT', 'alg': 'RS256', 'kid': uuid.uuid4().hex})}.{token.partition('.')[2]}"
    )


async def flooded(info: StackInfo, token: str, provider: str, count: int) -> Counter[str]:
    """What came of so many tokens with invented key ids, eight at a time."""
    doors = [Door(info) for _ in range(WORKERS)]
    answers = Counter[str]()

    async def flood(door: Door) -> None:
        for _ in range(count // WORKERS):
            case = Case(target=provider, kind="", text=with_invented_key(token))
            answers[(await door.answer(case))[0]] += 1

    await asyncio.gather(*map(flood, doors))
    for door in doors:
        door.close()
    return answers


def calls(control: ControlClient, provider: str, path: str) -> int:
    counted: dict[str, Any] = control.get(f"/_sim/{provider}/ledger")["calls"]
    return int(counted.get(f"GET {path}", 0))


@pytest.mark.stack
@pytest.mark.parametrize(
    ("provider", "simulator", "path"),
    [
        ("microsoft", "entra", "/{tenant}/discovery/v2.0/keys"),
        ("google", "google", "/oauth2/v3/certs"),
    ],
)
async def test_T13_a_flood_at_the_running_service_is_one_fetch(
    stack: StackInfo,
    control: ControlClient,
    entrance: Entrance,
    provider: str,
    simulator: str,
    path: str,
) -> None:
    make = entrance.microsoft if provider == "microsoft" else entrance.google
    user = str(uuid.uuid4()) if provider == "microsoft" else str(uuid.uuid4().int)
    token = make(**{"oid" if provider == "microsoft" else "sub": user})
    assert entrance.shown(token, provider).status_code == 200
    before = calls(control, simulator, path)
    began = time.monotonic()

    answers = await flooded(stack, token, provider, 200)

    cooldowns = int((time.monotonic() - began) / 60) + 1
    assert answers == {"not_authenticated": 200}
    assert calls(control, simulator, path) - before <= cooldowns
    assert entrance.shown(token, provider).status_code == 200


@pytest.mark.stack
async def test_T13_with_both_key_sets_away_users_go_on_signing_in(
    stack: StackInfo, entrance: Entrance, away: Callable[..., None]
) -> None:
    """And whoever brings an unknown key gets no verdict on the token that is not known to hold."""
    people = [("microsoft", entrance.microsoft(oid=str(uuid.uuid4())))]
    people.append(("google", entrance.google(sub=str(uuid.uuid4().int))))
    for provider, token in people:
        assert entrance.shown(token, provider).status_code == 200
    away("entra", "/common/discovery/v2.0/keys")
    away("google", "/")

    for provider, token in people:
        answers = await flooded(stack, token, provider, 80)

        assert answers.keys() <= {"not_authenticated", "502 identity_provider_failed"}
        assert entrance.shown(token, provider).status_code == 200
    newcomer = entrance.google(sub=str(uuid.uuid4().int))
    assert entrance.shown(newcomer, "google").status_code == 200


@pytest.mark.stack
def test_T13_with_all_of_entra_away_google_users_go_on_and_microsofts_are_told_to_wait(
    entrance: Entrance, away: Callable[..., None]
) -> None:
    """Entra has the last word on its users (on-behalf-of), so without it none signs in."""
    away("entra", "/")

    refused = entrance.shown(entrance.microsoft(oid=str(uuid.uuid4())))
    accepted = entrance.shown(entrance.google(sub=str(uuid.uuid4().int)), "google")

    assert (refused.status_code, refused.json()["code"]) == (502, "identity_provider_failed")
    assert int(refused.headers["Retry-After"]) >= 1
    assert accepted.status_code == 200
