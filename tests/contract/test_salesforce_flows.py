"""What Flows promise: the fake, and the REST adapter against the simulator."""

from collections.abc import Awaitable, Callable

import pytest

from shared.errors import (
    AccessRefusedError,
    FlowFailedError,
    InvalidRequestError,
    Json,
    NotFoundError,
    SalesforceForbiddenError,
    SalesforceLimitError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.model import Access, FlowDescription, FlowName, FlowSummary
from shared.secret import Secret
from tests.contract.salesforce import REST, Scene, access_to
from tests.fakes import FakeFlow, variable

LOG = FlowName.parse("Log_Email")
SCREEN = FlowName.parse("New_Lead_Screen")
FAULTY = FlowName.parse("Always_Faults")
WAITING = FlowName.parse("Waits_For_Approval")
NAMESPACED = FlowName.parse("ns__Sync_Contact")
BOBS = FlowName.parse("For_Bob")

FLOWS = (
    FakeFlow(
        name=LOG,
        label="Log Email",
        description="Logs an email",
        inputs=(
            variable("subject", description="Subject of the email"),
            variable("recipients", is_collection=True),
            variable("count", "INTEGER"),
            variable("contact", "SOBJECT", record_type="Contact"),
        ),
        outputs=(variable("subject"), variable("count", "INTEGER")),
    ),
    FakeFlow(name=SCREEN, label="New Lead", kind="screen", inputs=(variable("senderEmail"),)),
    FakeFlow(name=FAULTY, inputs=(variable("subject"),), behaviour="fault"),
    FakeFlow(name=WAITING, inputs=(variable("subject"),), behaviour="waiting"),
    FakeFlow(name=NAMESPACED, label="Sync Contact", inputs=(variable("score", "DOUBLE"),)),
    FakeFlow(name=BOBS, label="For Bob", users=frozenset({"bob"})),
)


@pytest.fixture
def org(scene: Scene) -> Scene:
    scene.put(*FLOWS)
    return scene


# --- list --------------------------------------------------------------------------------------


async def test_the_list_holds_autolaunched_flows_and_then_screen_flows(org: Scene) -> None:
    listed = await org.flows.list(await access_to(org))

    assert [(flow.name, flow.kind) for flow in listed] == [
        (LOG, "autolaunched"),
        (FAULTY, "autolaunched"),
        (WAITING, "autolaunched"),
        (NAMESPACED, "autolaunched"),
        (SCREEN, "screen"),
    ]


async def test_a_line_of_the_list_says_what_the_flow_is(org: Scene) -> None:
    listed = await org.flows.list(await access_to(org))

    assert listed[0] == FlowSummary(
        name=LOG,
        label="Log Email",
        description="Logs an email",
        kind="autolaunched",
        org=org.org,
    )


async def test_the_list_shows_what_the_user_may_run(org: Scene) -> None:
    names = {user: await _names(org, await access_to(org, user)) for user in ("alice", "bob")}

    assert names["bob"] - names["alice"] == {BOBS}


async def _names(org: Scene, access: Access) -> set[FlowName]:
    return {flow.name for flow in await org.flows.list(access)}


# --- describe ----------------------------------------------------------------------------------


async def test_a_description_names_inputs_and_outputs_with_their_types(org: Scene) -> None:
    assert await org.flows.describe(await access_to(org), LOG) == FlowDescription(
        name=LOG,
        label="Log Email",
        kind="autolaunched",
        inputs=FLOWS[0].inputs,
        outputs=FLOWS[0].outputs,
    )


async def test_a_screen_flow_is_described_as_one(org: Scene) -> None:
    assert await org.flows.describe(await access_to(org), SCREEN) == FlowDescription(
        name=SCREEN,
        label="New Lead",
        kind="screen",
        inputs=FLOWS[1].inputs,
        outputs=(),
    )


@pytest.mark.parametrize("name", ["No_Such_Flow", "For_Bob", "ns__Log_Email", "Sync_Contact"])
async def test_a_flow_that_is_not_there_for_this_user_is_not_found(org: Scene, name: str) -> None:
    with pytest.raises(NotFoundError):
        await org.flows.describe(await access_to(org), FlowName.parse(name))


# --- invoke ------------------------------------------------------------------------------------


async def test_a_flow_gets_its_inputs_once_and_answers_its_outputs(org: Scene) -> None:
    inputs: dict[str, Json] = {
        "subject": "Gr\u00fc\u00dfe",
        "recipients": ["a@example.com", "b@example.com"],
        "count": 2,
    }

    result = await org.flows.invoke(await access_to(org), LOG, inputs)

    assert result.status == "succeeded"
    assert result.outputs == {"subject": "Gr\u00fc\u00dfe", "count": 2}
    assert org.received() == [inputs]


async def test_a_flow_runs_without_inputs(org: Scene) -> None:
    result = await org.flows.invoke(await access_to(org), NAMESPACED, {})

    assert (result.status, result.outputs) == ("succeeded", {})
    assert org.received() == [{}]


async def test_a_flow_that_waits_says_so(org: Scene) -> None:
    result = await org.flows.invoke(await access_to(org), WAITING, {"subject": "a"})

    assert (result.status, result.outputs) == ("waiting", {})


async def test_a_fault_of_the_flow_carries_salesforces_words(org: Scene) -> None:
    with pytest.raises(FlowFailedError) as caught:
        await org.flows.invoke(await access_to(org), FAULTY, {"subject": "a"})

    (error,) = caught.value.errors
    assert error.keys() == {"statusCode", "message"}
    assert error["statusCode"] == "UNKNOWN_EXCEPTION"
    assert org.received() == [{"subject": "a"}]


@pytest.mark.parametrize(
    ("flow", "inputs", "failure"),
    [
        pytest.param("No_Such_Flow", {}, NotFoundError, id="unknown"),
        pytest.param(SCREEN, {}, NotFoundError, id="a-screen-flow"),
        pytest.param(BOBS, {}, SalesforceForbiddenError, id="somebody-elses"),
        pytest.param(LOG, {"secret": 1}, InvalidRequestError, id="an-undeclared-input"),
        pytest.param(LOG, {"Subject": "a"}, InvalidRequestError, id="a-name-in-another-case"),
        pytest.param(LOG, {"count": "many"}, InvalidRequestError, id="a-wrong-type"),
        pytest.param(LOG, {"recipients": "one"}, InvalidRequestError, id="no-collection"),
    ],
)
async def test_what_cannot_be_run_is_refused_and_not_run(
    org: Scene, flow: str, inputs: dict[str, str], failure: type[Exception]
) -> None:
    with pytest.raises(failure):
        await org.flows.invoke(await access_to(org), FlowName.parse(flow), inputs)

    assert org.received() == []


# --- what any call may meet ----------------------------------------------------------------------

type Use = Callable[[Scene, Access], Awaitable[object]]

USES = pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda org, access: org.flows.list(access), id="list"),
        pytest.param(lambda org, access: org.flows.describe(access, LOG), id="describe"),
        pytest.param(lambda org, access: org.flows.invoke(access, LOG, {}), id="invoke"),
    ],
)


@USES
async def test_an_expired_access_token_is_refused_and_nothing_runs(org: Scene, use: Use) -> None:
    access = await access_to(org)
    org.expire_access_tokens("alice")

    with pytest.raises(AccessRefusedError):
        await use(org, access)

    assert org.received() == []


@USES
async def test_the_access_token_of_a_grant_that_ended_is_refused(org: Scene, use: Use) -> None:
    access = await access_to(org)
    org.withdraw("alice")

    with pytest.raises(AccessRefusedError):
        await use(org, access)


@USES
async def test_an_access_token_that_never_was_is_refused(org: Scene, use: Use) -> None:
    stranger = Access(
        org=org.org, instance_host=org.host, token=Secret(f"{org.org[:15]}!none"), generation=1
    )

    with pytest.raises(AccessRefusedError):
        await use(org, stranger)


@USES
async def test_when_salesforce_is_unavailable_nothing_runs(org: Scene, use: Use) -> None:
    access = await access_to(org)
    org.unavailable(REST)

    with pytest.raises(SalesforceUnavailableError):
        await use(org, access)

    assert org.received() == []


@USES
async def test_when_the_limit_is_used_up_the_caller_is_told_to_wait(org: Scene, use: Use) -> None:
    access = await access_to(org)
    org.used_up()

    with pytest.raises(SalesforceLimitError) as caught:
        await use(org, access)

    assert caught.value.retry_after
    assert org.received() == []


async def test_p11_a_flow_whose_answer_was_lost_ran_once(org: Scene) -> None:
    access = await access_to(org)
    org.answer_lost(REST)

    with pytest.raises(SalesforceTimeoutError):
        await org.flows.invoke(access, LOG, {"count": 1})

    assert org.received() == [{"count": 1}]
