"""The published keys, from request to response."""

from shared.errors import KeyVaultFailedError
from tests.fakes import World
from tests.functions.host import call, failure_of, json_of


async def test_x07_anybody_may_save_the_keys(world: World) -> None:
    response = await call(world.services, "public_keys")

    assert response.status_code == 200
    assert response.mimetype == "application/jwk-set+json"
    assert response.headers["Cache-Control"] == "public, max-age=300"
    (key,) = json_of(response)["keys"]
    assert key == (await world.signer.public_keys())[0]
    assert key["kid"] == (await world.signer.newest()).kid


async def test_x07_keys_of_before_a_rotation_stay_published(world: World) -> None:
    kids: list[str] = []
    for _ in range(3):
        kids.insert(0, (await world.signer.newest()).kid)
        world.signer.rotate()
    kids.insert(0, (await world.signer.newest()).kid)

    published = json_of(await call(world.services, "public_keys"))["keys"]

    assert [key["kid"] for key in published] == kids


async def test_no_part_of_a_private_key_is_published(world: World) -> None:
    (key,) = json_of(await call(world.services, "public_keys"))["keys"]

    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


async def test_a_vault_that_fails_is_not_cached(world: World) -> None:
    world.signer.faults.plan("public_keys", KeyVaultFailedError)

    response = await call(world.services, "public_keys")

    assert failure_of(response) == (502, "key_vault_failed")
    assert response.headers["Cache-Control"] == "no-store"
