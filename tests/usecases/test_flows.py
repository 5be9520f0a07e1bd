"""Listing and describing Flows, in one org or in all that are connected."""

import asyncio

import pytest

from shared.errors import (
    NotConnectedError,
    NotFoundError,
    SalesforceFailedError,
    SalesforceForbiddenError,
    SalesforceUnavailableError,
)
from shared.model import Caller, FlowName
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, FakeFlow, World, variable
from tests.usecases.conftest import Told

LOG = FlowName.parse("Log_Email")


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


# --- list ------------------------------------------------------------------------------------


async def test_both_kinds_of_flows_are_listed(world: World, alice: Caller) -> None:
    listed = await world.services.list_flows(alice, None)

    assert {(flow.name, flow.kind) for flow in listed} >= {
        ("Log_Email", "autolaunched"),
        ("New_Lead_Screen", "screen"),
    }


async def test_the_flows_of_all_orgs_are_listed_together(world: World, alice: Caller) -> None:
    await world.connect(alice, FABRIKAM_ORG)

    listed = await world.services.list_flows(alice, None)

    assert {flow.org for flow in listed} == {CONTOSO_ORG, FABRIKAM_ORG}
    assert [flow.name for flow in await world.services.list_flows(alice, FABRIKAM_ORG)] == [
        "Log_Call"
    ]


async def test_an_org_that_fails_does_not_hide_the_others(world: World, alice: Caller) -> None:
    await world.connect(alice, FABRIKAM_ORG)
    world.flows.faults.plan("list", SalesforceUnavailableError)

    listed = await world.services.list_flows(alice, None)

    assert len({flow.org for flow in listed}) == 1


async def test_if_every_org_fails_the_first_failure_is_told(world: World, alice: Caller) -> None:
    await world.connect(alice, FABRIKAM_ORG)
    world.flows.faults.plan("list", SalesforceForbiddenError, times=2)

    with pytest.raises(SalesforceForbiddenError):
        await world.services.list_flows(alice, None)


async def test_a_bug_in_one_org_is_not_hidden_by_the_others(world: World, alice: Caller) -> None:
    await world.connect(alice, FABRIKAM_ORG)
    world.flows.faults.plan("list", lambda: RuntimeError("a bug"))

    with pytest.raises(RuntimeError):
        await world.services.list_flows(alice, None)


async def test_who_has_connected_nothing_is_told_to(world: World) -> None:
    bob = await world.signed_in("bob")

    with pytest.raises(NotConnectedError):
        await world.services.list_flows(bob, None)


async def test_f17_who_listed_flows_is_told_by_pseudonym_and_no_flow_is_named(
    world: World, alice: Caller, told: Told
) -> None:
    await world.connect(alice, FABRIKAM_ORG)

    every = await world.services.list_flows(alice, None)
    one = await world.services.list_flows(alice, FABRIKAM_ORG)

    assert told("flows_listed") == [
        {
            "event": "flows_listed",
            "level": "INFO",
            "tenant": alice.tenant,
            "user": alice.user,
            "count": len(listed),
        }
        for listed in (every, one)
    ]


async def test_f17_flows_that_could_not_be_listed_are_not_told_as_listed(
    world: World, alice: Caller, told: Told
) -> None:
    world.flows.faults.plan("list", SalesforceUnavailableError)

    with pytest.raises(SalesforceUnavailableError):
        await world.services.list_flows(alice, CONTOSO_ORG)

    assert told("flows_listed") == []


# --- describe --------------------------------------------------------------------------------


async def test_a_flow_is_described_as_it_is_now(world: World, alice: Caller) -> None:
    await world.services.describe_flow(alice, None, LOG)
    world.flows.put(FakeFlow(name=LOG, label="Changed", inputs=(variable("cc"),)))

    described = await world.services.describe_flow(alice, None, LOG)

    assert (described.label, described.inputs) == ("Changed", (variable("cc"),))


async def test_an_unknown_flow_is_not_found(world: World, alice: Caller, told: Told) -> None:
    with pytest.raises(NotFoundError):
        await world.services.describe_flow(alice, None, FlowName.parse("No_Such_Flow"))

    assert told("flow_described") == []


async def test_f17_who_had_a_flow_described_is_told_by_pseudonym_and_the_flow_is_not_named(
    world: World, alice: Caller, told: Told
) -> None:
    await world.services.describe_flow(alice, None, LOG)

    assert told("flow_described") == [
        {
            "event": "flow_described",
            "level": "INFO",
            "tenant": alice.tenant,
            "user": alice.user,
        }
    ]


async def test_what_is_known_is_asked_for_once(world: World, alice: Caller) -> None:
    describe = world.services.describe_flow
    await asyncio.gather(*(describe.known(alice, CONTOSO_ORG, LOG) for _ in range(16)))
    world.flows.faults.plan("describe", SalesforceFailedError, times=100)

    assert (await describe.known(alice, CONTOSO_ORG, LOG)).name == LOG


async def test_what_one_user_may_see_another_does_not_get_from_memory(
    world: World, alice: Caller
) -> None:
    bob = await world.signed_in("bob")
    await world.connect(bob)
    world.flows.put(FakeFlow(name="For_Alice", users=frozenset({alice.user})))
    name = FlowName.parse("For_Alice")
    await world.services.describe_flow.known(alice, CONTOSO_ORG, name)

    with pytest.raises(NotFoundError):
        await world.services.describe_flow.known(bob, CONTOSO_ORG, name)


async def test_a_description_that_is_too_large_is_not_kept(world: World, alice: Caller) -> None:
    """An org's answers do not decide how much memory an instance has."""
    for inputs in (
        tuple(variable(f"v{number}") for number in range(501)),
        (variable("subject", description="x" * 64_000),),
    ):
        world.flows.put(FakeFlow(name=LOG, inputs=inputs))
        world.services.describe_flow.forget(alice, CONTOSO_ORG, LOG)
        assert (await world.services.describe_flow.known(alice, CONTOSO_ORG, LOG)).inputs == inputs

        assert not world.services.describe_flow.remembers(alice, CONTOSO_ORG, LOG)
