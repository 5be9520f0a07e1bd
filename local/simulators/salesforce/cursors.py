"""Query results that did not fit into one answer, by the name in `nextRecordsUrl`."""

import secrets
from collections import OrderedDict
from typing import Final, NamedTuple

from local.simulators.salesforce.errors import RestError
from local.simulators.salesforce.grant import Owner
from local.simulators.salesforce.variables import Json

_KEPT: Final = 100


class Page(NamedTuple):
    records: list[Json]
    total: int
    next_locator: str | None


class _Cursor(NamedTuple):
    owner: Owner
    records: list[Json]
    batch: int


class Cursors:
    def __init__(self) -> None:
        self._cursors: OrderedDict[str, _Cursor] = OrderedDict()

    def open(self, owner: Owner, records: list[Json], batch: int) -> Page:
        """The first page; what is left can be fetched by the same user alone."""
        if len(records) <= batch:
            return Page(records, len(records), None)
        name = "01g5g0" + secrets.token_hex(6)
        self._cursors[name] = _Cursor(owner, records, batch)
        while len(self._cursors) > _KEPT:
            self._cursors.popitem(last=False)
        return self._page(name, 0)

    def fetch(self, owner: Owner, locator: str) -> Page:
        """The page that a locator names; raises `RestError`."""
        name, _, offset = locator.partition("-")
        cursor = self._cursors.get(name)
        if cursor is None or cursor.owner != owner or not offset.isdecimal():
            raise RestError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(name, int(offset))

    def _page(self, name: str, offset: int) -> Page:
        cursor = self._cursors[name]
        end = offset + cursor.batch
        more = end < len(cursor.records)
        return Page(
            cursor.records[offset:end], len(cursor.records), f"{name}-{end}" if more else None
        )
