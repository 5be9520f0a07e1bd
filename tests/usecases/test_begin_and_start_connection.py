"""The first two stops of connecting an org: a ticket for the pane, and the browser's departure."""

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.errors import (
    HostNotAllowedError,
    InvalidReturnUrlError,
    InvalidStateError,
    StorageFailedError,
)
from shared.model import OneTimeCode, PendingKind
from shared.secret import Secret
from tests.fakes import World
from tests.settings import RETURN_URL
from tests.usecases.stored import everything, holds


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


# --- begin -----------------------------------------------------------------------------------


async def test_a_ticket_names_its_tenant_and_is_stored_as_a_hash(world: World) -> None:
    caller = await world.signed_in("alice")

    ticket = await world.services.begin_connection(caller, None, None)

    tenant, _, random = ticket.reveal().partition(".")
    assert tenant == caller.tenant
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", random)
    assert not holds(everything(world), random)
    assert list(world.pending.rows) == [
        (caller.tenant, PendingKind.TICKET, hashlib.sha256(random.encode()).hexdigest())
    ]


@pytest.mark.parametrize(
    "host",
    [
        "login.salesforce.com",
        "test.salesforce.com",
        "contoso.my.salesforce.com",
        "contoso--uat.sandbox.my.salesforce.com",
    ],
)
async def test_the_browser_is_sent_to_the_host_that_was_asked_for(world: World, host: str) -> None:
    caller = await world.signed_in("alice")
    ticket = await world.services.begin_connection(caller, host, None)

    departure = await world.services.start_connection(ticket)

    assert urlsplit(departure.authorize_url).netloc == host


async def test_without_a_wish_the_host_is_that_of_the_settings(world: World) -> None:
    caller = await world.signed_in("alice")
    ticket = await world.services.begin_connection(caller, None, None)

    departure = await world.services.start_connection(ticket)

    assert urlsplit(departure.authorize_url).netloc == "login.salesforce.com"


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("evil.example.com", id="another"),
        pytest.param("login.salesforce.com.evil.example.com", id="suffix"),
        pytest.param("evil.example.com\\@login.salesforce.com", id="backslash"),
        pytest.param("user@login.salesforce.com", id="user-information"),
        pytest.param("login.salesforce.com:8443", id="port"),
        pytest.param("login.salesforce.com.", id="trailing-dot"),
        pytest.param("LOGIN.SALESFORCE.COM", id="upper-case"),
        pytest.param("https://login.salesforce.com", id="address"),
        pytest.param("login.salesforce.com/", id="path"),
        pytest.param("login.salesforce.com\n", id="line-break"),
        pytest.param("127.0.0.1", id="loopback"),
    ],
)
async def test_a_host_that_is_not_salesforces_is_refused_and_stores_nothing(
    world: World, host: str
) -> None:
    caller = await world.signed_in("alice")

    with pytest.raises(HostNotAllowedError):
        await world.services.begin_connection(caller, host, None)

    assert world.pending.rows == {}


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(RETURN_URL + "/", id="trailing-slash"),
        pytest.param(RETURN_URL + "?x=1", id="query"),
        pytest.param(RETURN_URL + "#x", id="fragment"),
        pytest.param(RETURN_URL.upper(), id="upper-case"),
        pytest.param(RETURN_URL.replace("https", "http"), id="http"),
        pytest.param("https://addin.example.com@evil.example.com/connected.html", id="at"),
        pytest.param("//evil.example.com", id="protocol-relative"),
        pytest.param("javascript:alert(1)", id="script"),
        pytest.param("", id="empty"),
    ],
)
async def test_o08_only_a_registered_address_is_returned_to(world: World, address: str) -> None:
    caller = await world.signed_in("alice")

    with pytest.raises(InvalidReturnUrlError):
        await world.services.begin_connection(caller, None, address)

    assert world.pending.rows == {}


async def test_a_registered_address_is_taken(world: World) -> None:
    caller = await world.signed_in("alice")

    await world.services.begin_connection(caller, None, RETURN_URL)

    assert len(world.pending.rows) == 1


# --- start -----------------------------------------------------------------------------------


async def test_the_browser_leaves_with_a_state_a_challenge_and_a_nonce(world: World) -> None:
    caller = await world.signed_in("alice")
    ticket = await world.services.begin_connection(caller, None, None)

    departure = await world.services.start_connection(ticket)

    query = query_of(departure.authorize_url)
    state = OneTimeCode.parse(query["state"])
    assert state.tenant == caller.tenant
    assert list(world.pending.rows) == [(caller.tenant, PendingKind.STATE, state.digest)]
    assert query["code_challenge_method"] == "S256"
    assert len(departure.browser_nonce.reveal()) >= 43


async def test_nothing_that_was_given_out_can_be_read_in_the_store(world: World) -> None:
    caller = await world.signed_in("alice")
    ticket = await world.services.begin_connection(caller, "contoso.my.salesforce.com", RETURN_URL)
    departure = await world.services.start_connection(ticket)

    stored = everything(world)

    query = query_of(departure.authorize_url)
    nonce = departure.browser_nonce.reveal()
    for secret in (
        query["state"].partition(".")[2],
        query["code_challenge"],
        nonce,
        hashlib.sha256(nonce.encode()).hexdigest(),
        "contoso.my.salesforce.com",
        RETURN_URL,
    ):
        assert not holds(stored, secret)


async def test_o05_every_departure_has_secrets_of_its_own(world: World) -> None:
    caller = await world.signed_in("alice")
    departures = []
    for _ in range(5):
        ticket = await world.services.begin_connection(caller, None, None)
        departures.append(await world.services.start_connection(ticket))

    for secret in ("state", "code_challenge"):
        assert len({query_of(one.authorize_url)[secret] for one in departures}) == 5
    assert len({one.browser_nonce.reveal() for one in departures}) == 5


async def test_o05_the_challenge_is_that_of_a_verifier_of_legal_length(world: World) -> None:
    """43 to 128 characters (RFC 7636, 4.1); the verifier itself stays here, sealed."""
    caller = await world.signed_in("alice")
    ticket = await world.services.begin_connection(caller, None, None)
    departure = await world.services.start_connection(ticket)
    ((_, pending),) = world.pending.rows.items()

    plain = (await world.vault.open(pending.place, pending.sealed)).decode()

    (verifier,) = re.findall(r'"verifier": "([A-Za-z0-9._~-]+)"', plain)
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert 43 <= len(verifier) <= 128
    assert query_of(departure.authorize_url)["code_challenge"] == challenge


async def test_a_ticket_opens_one_browser_once(world: World) -> None:
    caller = await world.signed_in("alice")
    ticket = await world.services.begin_connection(caller, None, None)
    await world.services.start_connection(ticket)

    with pytest.raises(InvalidStateError):
        await world.services.start_connection(ticket)


@pytest.mark.parametrize(("seconds", "is_good"), [(599, True), (600, False), (601, False)])
async def test_a_ticket_is_good_for_ten_minutes(world: World, seconds: int, is_good: bool) -> None:
    caller = await world.signed_in("alice")
    ticket = await world.services.begin_connection(caller, None, None)
    world.clock.move(seconds=seconds)

    if is_good:
        await world.services.start_connection(ticket)
    else:
        with pytest.raises(InvalidStateError):
            await world.services.start_connection(ticket)
        assert world.pending.rows == {}


async def test_a_ticket_that_never_was_is_refused(world: World) -> None:
    caller = await world.signed_in("alice")

    with pytest.raises(InvalidStateError):
        await world.services.start_connection(OneTimeCode.new(caller.tenant))


async def test_o03_a_ticket_of_one_tenant_is_none_of_another(world: World) -> None:
    alice, mallory = await world.signed_in("alice"), await world.signed_in("mallory")
    ticket = await world.services.begin_connection(alice, None, None)
    random = ticket.reveal().partition(".")[2]

    with pytest.raises(InvalidStateError):
        await world.services.start_connection(OneTimeCode(mallory.tenant, Secret(random)))

    await world.services.start_connection(ticket)


async def test_a_ticket_is_no_state_and_a_state_is_no_ticket(world: World) -> None:
    caller = await world.signed_in("alice")
    ticket = await world.services.begin_connection(caller, None, None)
    arrival = await world.services.finish_connection(ticket, Secret("code"), Secret("nonce"))
    assert isinstance(arrival.failure, InvalidStateError)

    departure = await world.services.start_connection(ticket)

    state = OneTimeCode.parse(query_of(departure.authorize_url)["state"])
    with pytest.raises(InvalidStateError):
        await world.services.start_connection(state)


async def test_when_the_store_is_away_nobody_departs(world: World) -> None:
    caller = await world.signed_in("alice")
    ticket = await world.services.begin_connection(caller, None, None)
    world.pending.faults.plan("put", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await world.services.start_connection(ticket)
