"""Everything that a world has stored, as somebody who steals the tables would read it."""

import base64
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from tests.fakes import World


def everything(world: World) -> bytes:
    """All keys and columns of all rows, one after the other."""
    tables = (
        world.tenants.rows,
        world.tenants.flow_names,
        world.tenant_keys.rows,
        world.users.rows,
        world.connections.rows,
        world.pending.rows,
        world.runs.rows,
        world.runs.keys,
    )
    return b"\n".join(_texts(list(table.items()) for table in tables))


def holds(stored: bytes, text: str) -> bool:
    """Whether the text is there in clear, in hexadecimal, or in base64 at any offset."""
    plain = text.encode()
    spellings = [plain, plain.hex().encode()]
    for offset in range(3):
        # The characters that depend on the neighbours are cut off at both ends.
        encoded = base64.b64encode(b"\0" * offset + plain)
        spellings.append(encoded[4 if offset else 0 : -4])
    return any(spelling.lower() in stored.lower() for spelling in spellings if len(spelling) > 3)


def _texts(value: Any) -> Iterator[bytes]:  # noqa: ANN401 - whatever a row holds
    if isinstance(value, bytes):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _texts(getattr(value, field.name))
    elif isinstance(value, dict):
        yield from _texts(list(value.items()))
    elif hasattr(value, "__iter__") and not isinstance(value, str):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value).encode()
