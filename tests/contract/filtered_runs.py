"""Many runs of all kinds, for the tests of filters and pages."""

from collections.abc import Sequence
from dataclasses import replace

from shared import ports
from shared.model import Run, RunOutcome, TenantId
from shared.storage.runs import TableRunStore, _entity
from shared.storage.tables import plain
from tests.contract.rows import ALICE, BOB, run_row
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG


async def kept(store: ports.RunStore, runs: Sequence[Run]) -> None:
    """Write at most a hundred runs as they are."""
    if isinstance(store, TableRunStore):
        rows = [("create", plain(_entity(_ended(run)))) for run in runs]
        await store._tables["runs"].submit_transaction(rows)
        return
    for run in runs:
        await store.start(run, None)
        await store.finish(_ended(run))


def _ended(run: Run) -> Run:
    if run.outcome is RunOutcome.STARTED:
        return run
    return replace(run, finished_at=run.started_at, duration_ms=0)


def all_of_them(tenant: TenantId) -> list[Run]:
    """One run for each outcome, Flow, org and user that the filters below name."""
    kinds = [
        (outcome, flow_id, org, user)
        for outcome in RunOutcome
        for flow_id in ("f-one", "f-two")
        for org in (CONTOSO_ORG, FABRIKAM_ORG)
        for user in (ALICE, BOB)
    ]
    return [
        replace(
            run_row(tenant, f"{n}", user=user, later=n), outcome=outcome, flow_id=flow_id, org=org
        )
        for n, (outcome, flow_id, org, user) in enumerate(kinds)
    ]
