"""The Table service: Azurite behind a proxy that changes nothing, so that faults can be injected.

It is served over TLS on 127.0.0.1 and not under a production host name, because Azurite carries
out entity group transactions only under path-style addresses.
"""

from collections.abc import Sequence
from typing import Final

from yarl import URL

from local.simulators.azurite_store import AzuriteStore

_API: Final = {
    "x-ms-version": "2019-02-02",
    "Accept": "application/json;odata=nometadata",
    "Content-Type": "application/json",
}


class Tables(AzuriteStore):
    """Azurite's Table service."""

    name = "tables"
    makes = "tables"

    async def empty(self) -> None:
        """Every table that has rows is dropped and made again, which costs two calls however many
        rows there are. For those milliseconds the table does not exist."""
        headers = {**_API, **self._azurite.authorization()}
        for name in await self._table_names(headers):
            await self._empty_table(name, headers)

    async def create(self, names: Sequence[str]) -> None:
        headers = {**_API, **self._azurite.authorization()}
        for name in set(names) - set(await self._table_names(headers)):
            tables = self._account / "Tables"
            async with self._azurite.session().post(
                tables, headers=headers, json={"TableName": name}
            ) as response:
                response.raise_for_status()

    async def _table_names(self, headers: dict[str, str]) -> list[str]:
        names: list[str] = []
        query: dict[str, str] | None = {}
        while query is not None:
            page = (self._account / "Tables").with_query(query)
            async with self._azurite.session().get(page, headers=headers) as response:
                response.raise_for_status()
                names += [table["TableName"] for table in (await response.json())["value"]]
                following = response.headers.get("x-ms-continuation-NextTableName")
                query = {"NextTableName": following} if following else None
        return names

    async def _empty_table(self, name: str, headers: dict[str, str]) -> None:
        http, tables = self._azurite.session(), self._account / "Tables"
        first_row = (self._account / f"{name}()").with_query({"$top": "1"})
        async with http.get(first_row, headers=headers) as response:
            response.raise_for_status()
            if not (await response.json())["value"]:
                return
        async with http.delete(URL(f"{tables}('{name}')"), headers=headers) as response:
            response.raise_for_status()
        async with http.post(tables, headers=headers, json={"TableName": name}) as response:
            response.raise_for_status()
