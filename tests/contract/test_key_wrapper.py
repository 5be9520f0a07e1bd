"""What every key wrapper promises: the fake, and Key Vault behind its adapter."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from local import scene
from shared import ports
from shared.crypto.key_vault import TENANT_KEK, KeyVaultKeyWrapper
from shared.errors import KeyVaultFailedError
from shared.outside import Azure
from tests.contract.conftest import BOTH
from tests.control_client import ControlClient
from tests.fakes import FakeClock
from tests.fakes.keys import LocalKeyWrapper

DATA_KEY = bytes(range(32))


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A wrapper, and what its operator can do to the wrapping key."""

    wrapper: ports.KeyWrapper
    rotate: Callable[[], object]
    disable: Callable[[str], object]
    clock: FakeClock


@pytest.fixture(params=BOTH)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    clock = FakeClock()
    if request.param == "fake":
        local = LocalKeyWrapper()
        yield Rig(wrapper=local, rotate=local.rotate, disable=local.disable, clock=clock)
        return
    azure: Azure = request.getfixturevalue("azure")
    control: ControlClient = request.getfixturevalue("control")

    def disable(kek_id: str) -> None:
        version = {"name": TENANT_KEK, "version": kek_id.rpartition("/")[2]}
        control.post("/_sim/keyvault/keys/disable", version)

    yield Rig(
        wrapper=KeyVaultKeyWrapper(
            f"https://{scene.KEY_VAULT_HOST}",
            credential=azure._credential,
            transport=azure._azure_transport,
            monotonic_clock=clock.monotonic,
        ),
        rotate=lambda: control.post("/_sim/keyvault/keys/rotate", {"name": TENANT_KEK}),
        disable=disable,
        clock=clock,
    )
    # The vault as it was: the service of the stack must never get to know these versions.
    control.post("/_sim/reset")


async def test_what_was_wrapped_unwraps(rig: Rig) -> None:
    wrapped, kek_id = await rig.wrapper.wrap(DATA_KEY)

    assert DATA_KEY not in wrapped
    assert await rig.wrapper.unwrap(wrapped, kek_id) == DATA_KEY


async def test_the_identifier_names_a_version_of_the_tenant_key(rig: Rig) -> None:
    _, kek_id = await rig.wrapper.wrap(DATA_KEY)

    assert kek_id.startswith("https://")
    assert kek_id.rsplit("/", 2)[1] == TENANT_KEK
    assert len(kek_id.rpartition("/")[2]) == 32


async def test_wrapping_twice_gives_two_texts_of_the_same_key(rig: Rig) -> None:
    first, kek_id = await rig.wrapper.wrap(DATA_KEY)
    second, _ = await rig.wrapper.wrap(DATA_KEY)

    assert first != second
    assert len(first) == len(second) == 3072 // 8
    assert await rig.wrapper.unwrap(second, kek_id) == DATA_KEY


@pytest.mark.parametrize("position", [0, 191, 383])
async def test_c05_an_altered_key_does_not_unwrap(rig: Rig, position: int) -> None:
    wrapped, kek_id = await rig.wrapper.wrap(DATA_KEY)
    altered = bytearray(wrapped)
    altered[position] ^= 0x01

    with pytest.raises(KeyVaultFailedError):
        await rig.wrapper.unwrap(bytes(altered), kek_id)


@pytest.mark.parametrize("length", [0, 1, 383, 385])
async def test_c05_a_key_of_the_wrong_length_does_not_unwrap(rig: Rig, length: int) -> None:
    wrapped, kek_id = await rig.wrapper.wrap(DATA_KEY)

    with pytest.raises(KeyVaultFailedError):
        await rig.wrapper.unwrap((wrapped + b"\x00")[:length], kek_id)


async def test_a_version_that_never_was_does_not_unwrap(rig: Rig) -> None:
    wrapped, kek_id = await rig.wrapper.wrap(DATA_KEY)
    unknown = f"{kek_id.rpartition('/')[0]}/{'f' * 32}"

    with pytest.raises(KeyVaultFailedError):
        await rig.wrapper.unwrap(wrapped, unknown)


@pytest.mark.parametrize("kek_id", ["", "tenant-kek", "https://127.0.0.1/", "not an address"])
async def test_what_is_no_identifier_does_not_unwrap(rig: Rig, kek_id: str) -> None:
    wrapped, _ = await rig.wrapper.wrap(DATA_KEY)

    with pytest.raises(KeyVaultFailedError):
        await rig.wrapper.unwrap(wrapped, kek_id)


async def test_c06_after_a_rotation_the_new_version_wraps_and_the_old_still_unwraps(
    rig: Rig,
) -> None:
    old, old_id = await rig.wrapper.wrap(DATA_KEY)
    rig.rotate()
    rig.clock.move(minutes=11)  # the newest version is remembered for ten

    new, new_id = await rig.wrapper.wrap(DATA_KEY)

    assert new_id != old_id
    assert await rig.wrapper.unwrap(old, old_id) == DATA_KEY
    assert await rig.wrapper.unwrap(new, new_id) == DATA_KEY
    with pytest.raises(KeyVaultFailedError):
        await rig.wrapper.unwrap(old, new_id)


async def test_c06_the_newest_is_what_would_wrap_at_most_ten_minutes_behind(rig: Rig) -> None:
    before = await rig.wrapper.newest()
    assert before == (await rig.wrapper.wrap(DATA_KEY))[1]
    rig.rotate()
    rig.clock.move(minutes=11)

    after = await rig.wrapper.newest()

    assert after != before
    assert after == (await rig.wrapper.wrap(DATA_KEY))[1]


async def test_the_newest_of_a_version_that_is_named_is_that_version(rig: Rig) -> None:
    named = await rig.wrapper.newest()
    rig.rotate()
    rig.clock.move(minutes=11)

    assert await rig.wrapper.newest(by=named) == named
    assert (await rig.wrapper.wrap(DATA_KEY, by=named))[1] == named


async def test_of_a_key_that_is_not_there_there_is_no_newest(rig: Rig) -> None:
    ours = (await rig.wrapper.newest()).rpartition("/")[0]

    with pytest.raises(KeyVaultFailedError):
        await rig.wrapper.newest(by=f"{ours}-of-nobody")


async def test_a_key_that_was_disabled_unwraps_nothing(rig: Rig) -> None:
    wrapped, kek_id = await rig.wrapper.wrap(DATA_KEY)
    rig.disable(kek_id)

    with pytest.raises(KeyVaultFailedError):
        await rig.wrapper.unwrap(wrapped, kek_id)
