"""Three people with everything that has an id: oneself, a colleague, and somebody elsewhere."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from functions.salesforce_oauth import COOKIE
from shared.model import (
    Caller,
    DeletionScope,
    OneTimeCode,
    OrgId,
    TenantId,
    TenantSettings,
)
from shared.secret import Secret
from shared.usecases.request_deletion import DeletionAsked
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, FakeFlow, World
from tests.usecases.deleting import asked_by
from tests.usecases.invoking import invocation, run


class Whose(StrEnum):
    """Whose id is given."""

    OWN = "own"
    COLLEAGUE = "colleague"
    OTHER_TENANT = "other-tenant"
    ABSENT = "absent"
    MALFORMED = "malformed"


STRANGE_ORG: Final = OrgId.parse("00D5g00000OTHER")
ABSENT_ORG: Final = OrgId.parse("00D5g00000NOBOD")
_NAMES: Final = {
    Whose.OWN: ("alice", CONTOSO_ORG),
    Whose.COLLEAGUE: ("bob", FABRIKAM_ORG),
    Whose.OTHER_TENANT: ("mallory", STRANGE_ORG),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody, and the ids of what is theirs."""

    name: str
    caller: Caller
    session: Secret
    org: OrgId
    flow: str
    """A Flow that this person alone can see."""
    key: str
    """An idempotency key that was used."""
    place: str
    """Where the second page of their runs begins. Of all the people here it is the same."""
    ticket: str
    state: str
    code: str
    cookie: str
    completion: str
    deletion: DeletionAsked
    """Asked for, and not confirmed."""
    receipted: DeletionAsked
    """Of an earlier account of the same person, and carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The world with these people in it; alice is the one who asks."""

    world: World
    people: dict[Whose, Person]
    administrator: Secret
    """The session of Carol, who administers alice's tenant."""
    absent_place: str
    """Like `Person.place`, of somebody whose runs are gone."""

    @property
    def alice(self) -> Person:
        return self.people[Whose.OWN]

    @property
    def bob(self) -> Person:
        return self.people[Whose.COLLEAGUE]

    @property
    def mallory(self) -> Person:
        return self.people[Whose.OTHER_TENANT]


async def set_scene() -> Scene:
    """A new world. Nothing of these people is shared but the tenant of the first two."""
    world = World()
    world.login.hosts[STRANGE_ORG] = "northwind.my.salesforce.com"
    receipted = {whose: await _deleted(world, name) for whose, (name, _) in _NAMES.items()}
    names = [*(name for name, _ in _NAMES.values()), "carol"]
    signed_in = {name: await world.sign_in(name) for name in names}
    orgs = {**dict(_NAMES.values()), "carol": CONTOSO_ORG}
    for name in names:
        caller, org = signed_in[name].caller, orgs[name]
        await world.connect(caller, org)
        world.flows.put(FakeFlow(name="Log_Email"), org)
        own_flow = FakeFlow(name=f"Of_{name}", users=frozenset({caller.user}))
        world.flows.put(own_flow, org)
    elsewhere = signed_in["mallory"].caller.tenant
    world.tenants.change(elsewhere, settings=TenantSettings(retention_days=7))
    await _run_everybody(world, {name: signed_in[name].caller for name in names})
    places = {name: await _place(world, signed_in[name].caller) for name in names}
    _forget_runs(world, signed_in["carol"].caller)
    people = {}
    for whose, (name, org) in _NAMES.items():
        caller = signed_in[name].caller
        ticket, state, code, cookie = await _on_the_way(world, caller, org)
        people[whose] = Person(
            name=name,
            caller=caller,
            session=signed_in[name].session,
            org=org,
            flow=f"Of_{name}",
            key=f"key-of-{name}",
            place=places[name],
            ticket=ticket,
            state=state,
            code=code,
            cookie=cookie,
            completion=(await world.consented(caller, org)).reveal(),
            deletion=await world.services.request_deletion(caller, DeletionScope.USER),
            receipted=receipted[whose],
        )
    return Scene(
        world=world,
        people=people,
        administrator=signed_in["carol"].session,
        absent_place=places["carol"],
    )


async def _deleted(world: World, name: str) -> DeletionAsked:
    deleting = await asked_by(world, name)
    await deleting.confirm()
    await deleting.finish()
    return deleting.asked


async def _run_everybody(world: World, callers: dict[str, Caller]) -> None:
    """Each twice. Alice's runs are the first and the last, so that all others lie between."""
    newest_last = [*callers, *reversed(callers)]
    for number, name in enumerate(newest_last):
        world.clock.move(seconds=1)
        is_first = number < len(callers)
        asked = invocation(f"Of_{name}", key=f"key-of-{name}" if is_first else None)
        await run(world, callers[name], asked)


async def _place(world: World, caller: Caller) -> str:
    listed = await world.services.list_runs(caller, whole_tenant=False, after=None, limit=1)
    assert listed.page.next is not None
    return listed.page.next


def _forget_runs(world: World, caller: Caller) -> None:
    for key, row in list(world.runs.rows.items()):
        if row.user == caller.user:
            del world.runs.rows[key]


async def _on_the_way(world: World, caller: Caller, org: OrgId) -> tuple[str, str, str, str]:
    """A ticket nobody has opened; and of another attempt the state, the code and the cookie."""
    services = world.services
    ticket = await services.begin_connection(caller, None, None)
    departure = await services.start_connection(await services.begin_connection(caller, None, None))
    back = world.login.approve(departure.authorize_url, user=caller.user, org=org)
    cookie = f"{COOKIE}={departure.browser_nonce.reveal()}"
    return ticket.reveal(), back.state, back.code.reveal(), cookie


def absent_code(tenant: TenantId) -> str:
    """A one-time code of the right form that nobody was ever given."""
    return OneTimeCode.new(tenant).reveal()
