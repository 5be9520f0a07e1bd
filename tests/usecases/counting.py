"""How often a fake is called."""

from tests.fakes import World


def count_calls(world: World, fake: str, method: str) -> list[None]:
    """One more at each call from now on, of a thousand at most."""
    calls: list[None] = []

    async def one() -> None:
        calls.append(None)

    for _ in range(1_000):
        getattr(world, fake).faults.meanwhile(method, one)
    return calls
