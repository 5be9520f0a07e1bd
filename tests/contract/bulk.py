"""Many runs at once: the table gets a hundred a transaction, past the store and its gates."""

import asyncio
from itertools import batched

from shared import ports
from shared.model import Run
from shared.storage.runs import TableRunStore, _entity
from shared.storage.tables import plain


async def started(store: ports.RunStore, runs: list[Run]) -> list[Run]:
    """Write the runs, and answer them newest first."""
    if isinstance(store, TableRunStore):
        for chunk in batched(runs, 100, strict=False):
            rows = [("create", plain(_entity(run))) for run in chunk]
            await store._tables["runs"].submit_transaction(rows)
    else:
        await asyncio.gather(*(store.start(run, None) for run in runs))
    return sorted(runs, key=lambda run: run.started_at, reverse=True)
