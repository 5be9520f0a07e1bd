"""Everything that the fakes hold, to be compared; and which of their calls were made."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy

from tests.attacks.people import Person
from tests.fakes import Faults, World

type Contents = Mapping[str, object]
"""`<fake>.<attribute>[<key>]` to what is there."""

_COUNTERS = {
    "login": ("code_redemptions", "redemptions", "replays", "revocations"),
}


def contents(world: World) -> Contents:
    """All rows, files, gates and leases, what Salesforce received, and what ended there."""
    found: dict[str, object] = {}
    for name, fake in vars(world).items():
        if not isinstance(getattr(fake, "faults", None), Faults):
            continue
        for attribute, value in vars(fake).items():
            place = f"{name}.{attribute}"
            if attribute.startswith("_") or attribute == "people":
                continue
            match value:
                case dict():
                    found |= {f"{place}[{key}]": deepcopy(row) for key, row in value.items()}
                case set() | list():
                    found |= {f"{place}[{row}]": True for row in value}
        for counter in _COUNTERS.get(name, ()):
            found[f"{name}.{counter}"] = getattr(fake, counter)
    return found


def changes(before: Contents, after: Contents) -> set[str]:
    """The places that were added, changed or emptied."""
    nothing = object()
    return {
        place
        for place in before.keys() | after.keys()
        if before.get(place, nothing) != after.get(place, nothing)
    }


def of_person(person: Person, changed: set[str], *contained: Contents) -> set[str]:
    """Those of the places that are this person's, by key or by content."""
    own = (str(person.caller.user), str(person.org))
    return {
        place
        for place in changed
        if any(mark in f"{place} {holding.get(place)!r}" for mark in own for holding in contained)
    }


class CountedFaults(Faults):
    """Notes each call that comes through."""

    def __init__(self, name: str, calls: list[str]) -> None:
        super().__init__()
        self._name, self._calls = name, calls

    @asynccontextmanager
    async def call(self, method: str) -> AsyncIterator[None]:
        self._calls.append(f"{self._name}.{method}")
        async with super().call(method):
            yield


def counted(world: World) -> list[str]:
    """From now on every call to a fake is in this list, in order."""
    calls: list[str] = []
    for name, fake in vars(world).items():
        if isinstance(getattr(fake, "faults", None), Faults):
            fake.faults = CountedFaults(name, calls)
    return calls
