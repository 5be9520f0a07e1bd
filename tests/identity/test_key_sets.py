"""Key sets against a real HTTPS server: what is fetched, how often, and what is believed."""

import asyncio
import json
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any, Final

import pytest

from local import scene
from shared.errors import IdentityProviderFailedError, NotAuthenticatedError
from shared.identity.key_sets import KeySets, usable_keys
from shared.identity.microsoft import KEYS, MicrosoftPolicy
from shared.secret import Secret
from tests.identity.tokens import (
    ANY_TENANT_ISSUER,
    NOON,
    TENANT,
    base64url,
    header,
    jwk,
    microsoft_claims,
    private_key,
    signed,
)
from tests.upstream import (
    Answer,
    Upstream,
    after,
    answering,
    answering_json,
    dripping,
    dropping,
    gzipped,
    hanging,
    page,
    redirecting,
    upstream,
)

HOST: Final = "login.microsoftonline.com"
MINUTE: Final = 60.0
HOUR: Final = 3_600.0


class Seconds:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def provider() -> AsyncIterator[Upstream]:
    async with upstream(HOST, "evil.example.com") as server:
        server.answer = publishing(jwk())
        yield server


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
async def key_sets(provider: Upstream, clock: Seconds) -> AsyncIterator[KeySets]:
    made = KeySets(provider.network, clock=clock)
    yield made
    await settled(made)


def publishing(*members: object) -> Answer:
    return answering_json({"keys": list(members)})


async def settled(key_sets: KeySets) -> None:
    """Let a refresh in the background come to its end."""
    await asyncio.gather(*key_sets._fetches.values(), return_exceptions=True)


# --- fetched once, kept, and refreshed -----------------------------------------------------------


async def test_a_key_set_is_fetched_once(provider: Upstream, key_sets: KeySets) -> None:
    for _ in range(5):
        found = await key_sets.key(KEYS, "key-1")

    assert found.issuer == ANY_TENANT_ISSUER
    assert found.key.public_numbers() == private_key().public_key().public_numbers()
    assert [request.path for request in provider.received] == ["/common/discovery/v2.0/keys"]
    assert provider.received[0].host == HOST


async def test_many_callers_at_once_cause_one_fetch(provider: Upstream, key_sets: KeySets) -> None:
    await asyncio.gather(*(key_sets.key(KEYS, "key-1") for _ in range(50)))

    assert len(provider.received) == 1


async def test_a_set_of_an_hour_is_refreshed_while_nobody_waits(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    await key_sets.key(KEYS, "key-1")
    clock.now += HOUR
    await key_sets.key(KEYS, "key-1")
    await settled(key_sets)
    assert len(provider.received) == 1

    provider.answer = publishing(jwk(), jwk("key-2", private_key("next")))
    clock.now += 1
    await key_sets.key(KEYS, "key-1")
    await settled(key_sets)
    assert len(provider.received) == 2

    await key_sets.key(KEYS, "key-2")
    assert len(provider.received) == 2


async def test_a_key_that_was_withdrawn_is_refused_after_the_refresh(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    """T-11: an hour and the next request, a day at most."""
    await key_sets.key(KEYS, "key-1")
    provider.answer = publishing(jwk("key-2", private_key("next")))
    clock.now += HOUR + 1
    await key_sets.key(KEYS, "key-1")
    await settled(key_sets)

    with pytest.raises(NotAuthenticatedError):
        await key_sets.key(KEYS, "key-1")


# --- unknown key ids: asked for again, but not for each ------------------------------------------


async def test_a_key_published_a_minute_after_the_last_fetch_is_found(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    await key_sets.key(KEYS, "key-1")
    provider.answer = publishing(jwk(), jwk("key-2", private_key("next")))
    clock.now += MINUTE + 1

    await key_sets.key(KEYS, "key-2")

    assert len(provider.received) == 2


async def test_a_flood_of_invented_key_ids_is_no_flood_on_the_provider(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    await key_sets.key(KEYS, "key-1")
    for number in range(100):
        with pytest.raises(NotAuthenticatedError):
            await key_sets.key(KEYS, f"invented-{number}")
    assert len(provider.received) == 1

    for minute in range(3):
        clock.now += MINUTE + 1
        for number in range(50):
            with pytest.raises(NotAuthenticatedError):
                await key_sets.key(KEYS, f"invented-{minute}-{number}")
    assert len(provider.received) == 4


async def test_the_flood_does_not_keep_known_keys_from_anybody(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    await key_sets.key(KEYS, "key-1")
    clock.now += MINUTE + 1
    may_answer = asyncio.Event()
    provider.answer = after(may_answer, publishing(jwk()))
    flood = asyncio.create_task(key_sets.key(KEYS, "invented"))
    await asyncio.sleep(0.05)

    await asyncio.wait_for(key_sets.key(KEYS, "key-1"), 0.5)

    may_answer.set()
    with pytest.raises(NotAuthenticatedError):
        await flood


async def test_t11_whoever_comes_while_a_new_key_is_fetched_waits_for_it(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    """During a roll-over nobody is refused for having come second."""
    await key_sets.key(KEYS, "key-1")
    clock.now += MINUTE + 1
    may_answer = asyncio.Event()
    provider.answer = after(may_answer, publishing(jwk(), jwk("key-2", private_key("next"))))
    waiting = [asyncio.create_task(key_sets.key(KEYS, "key-2")) for _ in range(20)]
    await asyncio.sleep(0.05)

    may_answer.set()
    await asyncio.gather(*waiting)

    assert len(provider.received) == 2


async def test_t11_an_invented_key_id_does_not_delay_a_new_key_beyond_a_minute(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    await key_sets.key(KEYS, "key-1")
    clock.now += MINUTE + 1
    with pytest.raises(NotAuthenticatedError):
        await key_sets.key(KEYS, "invented")
    provider.answer = publishing(jwk(), jwk("key-2", private_key("next")))
    with pytest.raises(NotAuthenticatedError):
        await key_sets.key(KEYS, "key-2")

    clock.now += MINUTE + 1

    await key_sets.key(KEYS, "key-2")


# --- the provider is away ------------------------------------------------------------------------


BAD_ANSWERS: Final = [
    pytest.param(answering(status=503), id="unavailable"),
    pytest.param(answering(status=500), id="server-error"),
    pytest.param(answering(status=404), id="not-found"),
    pytest.param(answering_json({"keys": [jwk()]}, status=404), id="keys-and-not-found"),
    pytest.param(answering(status=204), id="no-content"),
    pytest.param(dropping, id="dropped"),
    pytest.param(page(), id="a-page"),
    pytest.param(answering(b""), id="nothing"),
    pytest.param(answering(b"{"), id="broken-json"),
    pytest.param(answering(b"[]"), id="a-list"),
    pytest.param(answering(b"null"), id="null"),
    pytest.param(answering_json({}), id="no-member-keys"),
    pytest.param(answering_json({"keys": {}}), id="keys-that-are-no-list"),
    pytest.param(answering_json({"keys": []}), id="no-keys"),
    pytest.param(answering_json({"keys": [1, "x", None, {}]}), id="members-that-are-no-keys"),
    pytest.param(
        answering(b'{"keys": [], "keys": [' + json.dumps(jwk()).encode() + b"]}"),
        id="a-duplicate-member",
    ),
    pytest.param(answering(b'{"keys":' + b"[" * 100_000), id="an-abyss"),
    pytest.param(gzipped(bytes(64 * 1024 * 1024)), id="a-decompression-bomb"),
    pytest.param(answering_json({"keys": [jwk()], "x": "x" * 600_000}), id="too-much"),
    pytest.param(redirecting("https://evil.example.com/keys"), id="a-redirect"),
    pytest.param(redirecting("file:///etc/passwd"), id="a-redirect-to-a-file"),
]


@pytest.mark.parametrize("answer", BAD_ANSWERS)
async def test_t13_without_known_keys_a_bad_answer_is_the_providers_failure(
    provider: Upstream, key_sets: KeySets, answer: Answer
) -> None:
    provider.answer = answer

    with pytest.raises(IdentityProviderFailedError) as failed:
        await key_sets.key(KEYS, "key-1")

    assert failed.value.retry_after is not None
    assert {request.host for request in provider.received} == {HOST}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
async def test_t13_known_keys_go_on_working_after_a_bad_answer(
    provider: Upstream, key_sets: KeySets, clock: Seconds, answer: Answer
) -> None:
    await key_sets.key(KEYS, "key-1")
    provider.answer = answer
    clock.now += HOUR + 1
    await key_sets.key(KEYS, "key-1")
    await settled(key_sets)
    assert len(provider.received) > 1

    await key_sets.key(KEYS, "key-1")
    clock.now += 22 * HOUR
    await key_sets.key(KEYS, "key-1")


async def test_t13_but_for_a_day_at_most(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    await key_sets.key(KEYS, "key-1")
    provider.answer = answering(status=503)
    clock.now += 24 * HOUR + 1

    with pytest.raises(IdentityProviderFailedError):
        await key_sets.key(KEYS, "key-1")


async def test_t13_recovery_needs_no_restart(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    provider.answer = answering(status=503)
    with pytest.raises(IdentityProviderFailedError):
        await key_sets.key(KEYS, "key-1")

    provider.answer = publishing(jwk())
    clock.now += 3

    await key_sets.key(KEYS, "key-1")


async def test_t13_while_there_is_no_key_the_provider_is_asked_every_two_seconds_at_most(
    provider: Upstream, key_sets: KeySets
) -> None:
    provider.answer = answering(status=503)
    for _ in range(50):
        with pytest.raises(IdentityProviderFailedError):
            await key_sets.key(KEYS, "key-1")

    assert len(provider.received) == 1


async def test_t13_a_failed_refresh_in_the_background_disturbs_nobody(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    await key_sets.key(KEYS, "key-1")
    provider.answer = answering(status=503)
    clock.now += HOUR + 1
    await key_sets.key(KEYS, "key-1")
    await settled(key_sets)

    assert complaints == []


async def test_t13_refreshes_of_a_provider_that_is_away_are_a_minute_apart(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    await key_sets.key(KEYS, "key-1")
    provider.answer = answering(status=503)
    clock.now += HOUR + 1
    for _ in range(20):
        await key_sets.key(KEYS, "key-1")
        await settled(key_sets)

    assert len(provider.received) == 2


async def test_t13_while_the_provider_is_away_an_unknown_key_is_its_failure_not_the_tokens(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    """It may have been published since: nobody is told that a good token is a bad one."""
    await key_sets.key(KEYS, "key-1")
    provider.answer = answering(status=503)
    clock.now += MINUTE + 1
    for _ in range(20):
        with pytest.raises(IdentityProviderFailedError):
            await key_sets.key(KEYS, "key-2")
        await key_sets.key(KEYS, "key-1")
    assert len(provider.received) == 2


async def test_t13_a_new_key_is_found_ten_seconds_after_a_failure(
    provider: Upstream, key_sets: KeySets, clock: Seconds
) -> None:
    await key_sets.key(KEYS, "key-1")
    provider.answer = answering(status=503)
    clock.now += MINUTE + 1
    with pytest.raises(IdentityProviderFailedError):
        await key_sets.key(KEYS, "key-2")
    provider.answer = publishing(jwk(), jwk("key-2", private_key("next")))

    clock.now += 10.5

    await key_sets.key(KEYS, "key-2")
    with pytest.raises(NotAuthenticatedError):
        await key_sets.key(KEYS, "invented")
    assert len(provider.received) == 3


async def test_t13_a_provider_that_drips_or_hangs_is_left_within_seconds(
    clock: Seconds,
) -> None:
    """The deadline is of the whole call: a byte every second resets a time-out of reads."""
    slow = (dripping(b"{" * 60, seconds=0.5), hanging)

    async def asked(answer: Answer) -> float:
        async with upstream(HOST) as server:
            server.answer = answer
            began = monotonic()
            with pytest.raises(IdentityProviderFailedError):
                await KeySets(server.network, clock=clock).key(KEYS, "key-1")
            return monotonic() - began

    for took in await asyncio.gather(*(asked(answer) for answer in slow)):
        assert took < 7.0


# --- which members are keys ----------------------------------------------------------------------


def without(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return jwk("odd", private_key("next"), **members)


UNUSABLE: Final = [
    pytest.param(without(use="enc"), id="for-encryption"),
    pytest.param(without(use=None), id="a-use-that-is-null"),
    pytest.param(without(key_ops=["sign"]), id="operations-without-verify"),
    pytest.param(without(key_ops="verify"), id="operations-that-are-a-text"),
    pytest.param(without(key_ops=[]), id="no-operations"),
    pytest.param(without(alg="RS512"), id="for-another-algorithm"),
    pytest.param(without(alg="HS256"), id="for-hmac"),
    pytest.param(without(alg=None), id="an-algorithm-that-is-null"),
    pytest.param(without(kty="EC", crv="P-256", x="x", y="y"), id="an-elliptic-curve"),
    pytest.param(without(kty="oct", k=base64url(b"s" * 32)), id="a-shared-secret"),
    pytest.param(without(kty="rsa"), id="a-type-in-lower-case"),
    pytest.param(without(kty=...), id="no-type"),
    pytest.param(without(n=...), id="no-modulus"),
    pytest.param(without(e=...), id="no-exponent"),
    pytest.param(without(n=""), id="an-empty-modulus"),
    pytest.param(without(n="****"), id="a-modulus-that-is-no-base64"),
    pytest.param(without(n=5), id="a-modulus-that-is-a-number"),
    pytest.param(without(n=None), id="a-modulus-that-is-null"),
    pytest.param(without(n=["AQAB"]), id="a-modulus-that-is-a-list"),
    pytest.param(without(n={"a": 1}), id="a-modulus-that-is-an-object"),
    pytest.param(without(n="ü"), id="a-modulus-beyond-ascii"),
    pytest.param(without(e=""), id="an-empty-exponent"),
    pytest.param(without(e="AQ"), id="an-exponent-of-one"),
    pytest.param(without(e="Ag"), id="an-even-exponent"),
    pytest.param(without(e=True), id="an-exponent-that-is-a-truth"),
    pytest.param(without(issuer=1), id="an-issuer-that-is-a-number"),
    pytest.param(without(issuer=[ANY_TENANT_ISSUER]), id="an-issuer-that-is-a-list"),
    pytest.param(jwk(None), id="a-key-id-that-is-null"),
    pytest.param(jwk(1), id="a-key-id-that-is-a-number"),
    pytest.param(jwk(["key-1"]), id="a-key-id-that-is-a-list"),
    pytest.param(jwk(...), id="no-key-id"),
    pytest.param(jwk("odd", private_key("small", 1_024)), id="a-modulus-of-1024-bits"),
    pytest.param("key", id="a-text"),
    pytest.param(None, id="null"),
    pytest.param([], id="a-list"),
]


@pytest.mark.parametrize("member", UNUSABLE)
def test_t11_an_unusable_member_is_skipped_beside_a_good_one(member: object) -> None:
    assert set(usable_keys({"keys": [member, jwk(), member]})) == {"key-1"}


@pytest.mark.parametrize("member", UNUSABLE)
def test_t11_a_set_of_unusable_members_is_no_key_set(member: object) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        usable_keys({"keys": [member]})


@pytest.mark.parametrize(
    "members",
    [
        {"use": ...},
        {"alg": "RS256"},
        {"key_ops": ["verify"]},
        {"key_ops": ["sign", "verify"]},
        {"x5c": ["MII"], "x5t": "x", "cloud_instance_name": "microsoftonline.com"},
        {"issuer": ...},
    ],
    ids=["no-use", "alg", "key-ops", "several-key-ops", "certificates", "no-issuer"],
)
def test_keys_as_the_providers_publish_them_are_used(members: dict[str, Any]) -> None:
    assert set(usable_keys({"keys": [jwk(**members)]})) == {"key-1"}


def test_t07_a_key_id_that_occurs_twice_names_no_key() -> None:
    twice = [jwk("twice"), jwk("twice", private_key("next"))]

    assert set(usable_keys({"keys": [*twice, jwk()]})) == {"key-1"}
    assert set(usable_keys({"keys": [jwk("twice", use="enc"), jwk("twice"), jwk()]})) == {"key-1"}


def test_a_key_keeps_its_own_issuer() -> None:
    keys = usable_keys({"keys": [jwk(issuer="https://x.example.com"), jwk("other", issuer=...)]})

    assert keys["key-1"].issuer == "https://x.example.com"
    assert keys["other"].issuer is None


def test_t02_a_private_key_in_a_set_is_used_for_its_public_half_alone() -> None:
    numbers = private_key().private_numbers()
    leaked = jwk(d=base64url(numbers.d.to_bytes(256)), p=base64url(numbers.p.to_bytes(128)))

    (found,) = usable_keys({"keys": [leaked]}).values()

    assert not hasattr(found.key, "private_numbers")


async def test_t06_an_address_in_a_token_is_never_asked(
    provider: Upstream, key_sets: KeySets
) -> None:
    """The listener at the address hears nothing; the provider's own address is asked, once."""
    stranger = private_key("stranger")
    elsewhere = "https://evil.example.com/keys"
    brought = header(jku=elsewhere, x5u=elsewhere, jwk=jwk(key=stranger))
    policy = MicrosoftPolicy(
        key_sets,
        audience=scene.ENTRA_API_CLIENT_ID,
        addin_clients=frozenset({scene.ENTRA_ADDIN_CLIENT_ID}),
        accept_v1=False,
        clock=lambda: NOON,
    )

    with pytest.raises(NotAuthenticatedError):
        await policy.verify(Secret(signed(brought, microsoft_claims(), stranger)))
    identity = await policy.verify(Secret(signed(header(), microsoft_claims())))

    assert identity.directory == TENANT
    assert [request.host for request in provider.received] == [HOST]
