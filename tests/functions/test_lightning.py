"""Opening Lightning Out, from request to response, with fakes behind the ports."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from shared import errors
from shared.errors import FlowRunnerError
from shared.model import LightningAppId
from shared.secret import Secret
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, OpenedSession, World
from tests.functions.host import call, failure_of, json_of
from tests.usecases.settling import settle

OPEN: Final = "lightning_session"
APP: Final = LightningAppId.parse("1Us5g000000wXyZCAU")


async def asked(world: World, token: Secret, **body: object) -> Any:  # noqa: ANN401 - a response
    return await call(world.services, OPEN, token=token, body={"app_id": APP, **body})


async def test_the_pane_gets_an_address_that_opens_the_app_as_the_user(
    world: World, connected: Secret
) -> None:
    response = await asked(world, connected)

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    answer = json_of(response)
    assert answer.keys() == {"frontdoor_url", "expires_in"}
    assert answer["expires_in"] == 60
    alice = await world.signed_in("alice")
    opened = world.lightning.browse(Secret(answer["frontdoor_url"]))
    assert opened == OpenedSession(alice.user, CONTOSO_ORG, APP)


async def test_an_idempotency_key_brings_no_address_back(world: World, connected: Secret) -> None:
    """Each answer is its own: an address that was told once is in nobody's memory."""
    answers = [
        await call(
            world.services,
            OPEN,
            token=connected,
            headers={"Idempotency-Key": "same"},
            body={"app_id": APP},
        )
        for _ in range(2)
    ]

    assert len({json_of(answer)["frontdoor_url"] for answer in answers}) == 2


async def test_one_of_several_orgs_can_be_named(world: World, connected: Secret) -> None:
    await world.connect(await world.signed_in("alice"), FABRIKAM_ORG)

    assert failure_of(await asked(world, connected)) == (409, "org_ambiguous")
    answer = json_of(await asked(world, connected, org_id=FABRIKAM_ORG))
    opened = world.lightning.browse(Secret(answer["frontdoor_url"]))
    assert opened is not None
    assert opened.org == FABRIKAM_ORG


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "app_id",
    [
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
        pytest.param(7, id="a-number"),
        pytest.param([APP], id="a-list"),
        pytest.param("1Us5g000000wXyZ", id="15-characters"),
        pytest.param("1Us5g000000wXyZCAUx", id="19-characters"),
        pytest.param("1us5g000000wXyZCAU", id="another-case-of-the-prefix"),
        pytest.param("00D5g00000CONTOEA5", id="an-org"),
        pytest.param(" 1Us5g000000wXyZCAU", id="a-leading-space"),
        pytest.param("1Us5g000000wXyZCAU\n", id="a-newline"),
        pytest.param("1Us5g000000wXy/CAU", id="p08-a-slash"),
        pytest.param("1Us5g000000wXy&a=b", id="p08-another-field"),
        pytest.param("1Us5g000000wXy_CAU", id="an-underscore"),
        pytest.param("1Us5g000000wXy\u0416CAU", id="a-cyrillic-letter"),
        pytest.param("1Us5g00000\u0660wXyZCAU", id="an-arabic-digit"),
    ],
)
async def test_an_app_id_of_another_form_is_invalid(
    world: World, connected: Secret, app_id: object
) -> None:
    world.lightning.faults.plan("open", lambda: AssertionError("asked"))

    assert failure_of(await asked(world, connected, app_id=app_id)) == (400, "invalid_request")


async def test_without_an_app_there_is_nothing_to_open(world: World, connected: Secret) -> None:
    response = await call(world.services, OPEN, token=connected, body={"org_id": str(CONTOSO_ORG)})

    assert failure_of(response) == (400, "invalid_request")


@pytest.mark.parametrize("org_id", ["x", "001000000000001", "00D5g00000CONTOEA4", 7, ""])
async def test_an_org_id_of_another_form_is_invalid(
    world: World, connected: Secret, org_id: object
) -> None:
    assert failure_of(await asked(world, connected, org_id=org_id)) == (400, "invalid_request")


async def test_a_member_that_the_contract_does_not_know_is_invalid(
    world: World, connected: Secret
) -> None:
    response = await asked(world, connected, redirect_uri="/lightning/setup")

    assert failure_of(response) == (400, "invalid_request")


async def test_a_form_is_no_request_of_the_contract(world: World, connected: Secret) -> None:
    """A page elsewhere could have a browser send one; it could not send the session, either."""
    response = await call(
        world.services,
        OPEN,
        token=connected,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=f"app_id={APP}".encode(),
    )

    assert failure_of(response) == (415, "unsupported_media_type")


async def test_without_a_connection_the_user_is_told_to_connect(
    world: World, alice: Secret
) -> None:
    for org in ({}, {"org_id": CONTOSO_ORG}):
        response = await asked(world, alice, **org)

        assert failure_of(response) == (409, "salesforce_not_connected")
        assert json_of(response)["action"] == "reconnect"


async def test_somebody_elses_org_is_not_connected(world: World, connected: Secret) -> None:
    await world.connect(await world.signed_in("bob"), FABRIKAM_ORG)

    response = await asked(world, connected, org_id=FABRIKAM_ORG)

    assert failure_of(response) == (409, "salesforce_not_connected")


async def test_an_org_that_the_tenant_does_not_allow_is_not_opened(
    world: World, connected: Secret
) -> None:
    settle(world, await world.signed_in("alice"), allowed_orgs=(FABRIKAM_ORG,))

    response = await asked(world.another_instance(), connected)

    assert failure_of(response) == (403, "org_not_allowed")


async def test_an_app_that_the_org_does_not_have_is_forbidden(
    world: World, connected: Secret
) -> None:
    world.lightning.apps[CONTOSO_ORG] = frozenset()

    assert failure_of(await asked(world, connected)) == (403, "salesforce_forbidden")


@pytest.mark.parametrize(
    ("failure", "answer"),
    [
        (errors.SalesforceForbiddenError, (403, "salesforce_forbidden")),
        (lambda: errors.SalesforceLimitError(60), (429, "salesforce_limit_reached")),
        (errors.SalesforceFailedError, (502, "salesforce_failed")),
        (errors.SalesforceUnavailableError, (503, "salesforce_unavailable")),
        (errors.SalesforceTimeoutError, (504, "salesforce_timeout")),
        (RuntimeError, (500, "internal")),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "failure",
)
async def test_each_failure_of_salesforces_has_its_own_code(
    world: World,
    connected: Secret,
    failure: Callable[[], FlowRunnerError],
    answer: tuple[int, str],
) -> None:
    world.lightning.faults.plan("open", failure, carried_out=True)

    response = await asked(world, connected)

    assert failure_of(response) == answer
    assert b"frontdoor" not in response.get_body()
    waits = answer[1] in ("salesforce_limit_reached", "salesforce_unavailable")
    assert ("Retry-After" in response.headers) is waits


@pytest.mark.parametrize(
    ("where", "method", "failure", "answer"),
    [
        ("connections", "load", errors.StorageFailedError, (502, "storage_failed")),
        ("connections", "of_user", errors.StorageFailedError, (502, "storage_failed")),
        ("key_wrapper", "unwrap", errors.KeyVaultFailedError, (502, "key_vault_failed")),
    ],
)
async def test_each_failure_of_ours_has_its_own_code(
    world: World,
    connected: Secret,
    where: str,
    method: str,
    failure: Callable[[], FlowRunnerError],
    answer: tuple[int, str],
) -> None:
    (key,) = world.tenant_keys.rows
    world.vault._opened.forget(key)
    getattr(world, where).faults.plan(method, failure)

    response = await asked(world, connected)

    assert failure_of(response) == answer
    assert int(response.headers["Retry-After"]) > 0


async def test_p10_an_expired_access_token_is_refreshed_and_the_user_notices_nothing(
    world: World, connected: Secret
) -> None:
    world.login.expire_access_tokens()

    response = await asked(world, connected)

    assert response.status_code == 200
    assert world.login.redemptions == 1


async def test_o13_a_grant_that_has_ended_says_why_and_what_to_do(
    world: World, connected: Secret
) -> None:
    world.login.expire_access_tokens()
    world.login.withdraw((await world.signed_in("alice")).user)

    response = await asked(world, connected)

    assert failure_of(response) == (409, "salesforce_not_connected")
    body = json_of(response)
    assert (body["health"], body["action"]) == ("revoked", "reconnect")


async def test_more_than_thirty_requests_at_once_are_too_many(
    world: World, connected: Secret
) -> None:
    answers = [await asked(world, connected) for _ in range(40)]
    refused = [answer for answer in answers if answer.status_code != 200]

    assert 5 <= len(refused) <= 12
    for answer in refused:
        assert failure_of(answer) == (429, "too_many_requests")
        assert int(answer.headers["Retry-After"]) >= 1
