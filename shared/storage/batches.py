"""Deleting many rows of one partition: entity group transactions of a hundred, a few at a time.

The Table service takes at most 100 operations and 4 MiB a transaction, all of one partition
(https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions).
"""

import asyncio
from collections.abc import Sequence
from itertools import batched
from typing import Final

from azure.data.tables import TableErrorCode, TableTransactionError
from azure.data.tables.aio import TableClient

from shared.storage.tables import plain, store_call

MOST_OPERATIONS: Final = 100
_AT_A_TIME: Final = 4
_NOT_FOUND: Final = 404


def is_row_missing(exc: TableTransactionError) -> bool:
    """Whether a transaction failed because one of its rows is not there. A table that is not there
    is 404 as well, and something else."""
    code: object = getattr(exc, "error_code", None)  # the SDK sets it, and does not declare it
    return exc.status_code == _NOT_FOUND and code != TableErrorCode.TABLE_NOT_FOUND


async def delete_rows(table: TableClient, partition: str, row_keys: Sequence[str]) -> int:
    """Delete these rows, whatever their state, and say how many there were. Rows that are gone
    already are no error: somebody else was at it, too. All transactions are waited for, whichever
    fails: each is carried out as a whole or not at all."""
    running = asyncio.Semaphore(_AT_A_TIME)

    async def delete(batch: Sequence[str]) -> int:
        async with running:
            return await _delete_batch(table, partition, batch)

    deleting = (delete(batch) for batch in batched(row_keys, MOST_OPERATIONS, strict=False))
    deleted = 0
    failures: list[BaseException] = []
    for outcome in await asyncio.gather(*deleting, return_exceptions=True):
        if isinstance(outcome, BaseException):
            failures.append(outcome)
        else:
            deleted += outcome
    if failures:
        raise failures[0]
    return deleted


async def _delete_batch(table: TableClient, partition: str, row_keys: Sequence[str]) -> int:
    """One transaction; a row that is gone makes all of it fail, and is left out of the next try."""
    left = list(row_keys)
    while left:
        operations = [("delete", plain({"PartitionKey": partition, "RowKey": k})) for k in left]
        async with store_call():
            try:
                await table.submit_transaction(operations)
            except TableTransactionError as exc:
                if not is_row_missing(exc):
                    raise
                del left[exc.index]
            else:
                return len(left)
    return 0
