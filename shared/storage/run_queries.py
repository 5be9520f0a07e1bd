"""Queries over the table `runs`: which rows are asked for, and where a page goes on."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.errors import InvalidRequestError
from shared.model import LONGEST_RUN, Period, RunFilter, RunOutcome, TenantId, UserId
from shared.storage.run_keys import descending_time

_FIRST: Final = datetime(1971, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2286, 1, 1, tzinfo=UTC)
_LONGEST_TOKEN: Final = 2_000

type Continuation = Mapping[str, str]
"""Where the table service goes on: `PartitionKey` and `RowKey`, opaque to us
(https://learn.microsoft.com/rest/api/storageservices/query-timeout-and-pagination)."""


@dataclass(frozen=True, slots=True)
class PageStart:
    """Where a page begins: after a row that was shown (None: at the newest), or where the service
    had come to when it had found too few."""

    after_row: str | None = None
    continuation: Continuation | None = None


def run_query(
    tenant: TenantId, user: UserId | None, period: Period, where: RunFilter, start: PageStart
) -> tuple[str, dict[str, object]]:
    """The filter and its parameters.

    Spaces stand around brackets, too: the SDK puts in a parameter only where it is a whole word.
    """
    low, high = _key_range(period)
    parameters: dict[str, object] = {
        "tenant": tenant,
        "low": max(low, start.after_row or low),
        "high": high,
    }
    text = "PartitionKey eq @tenant and RowKey gt @low and RowKey lt @high"
    columns = {"user_id": user, "flow_id": where.flow_id, "org_id": where.org}
    for column, wanted in columns.items():
        if wanted is not None:
            text += f" and {column} eq @{column}"
            parameters[column] = wanted
    outcome, further = _outcome(where)
    return text + outcome, parameters | further


def _outcome(where: RunFilter) -> tuple[str, dict[str, object]]:
    """As `Run.as_of` reads: what is left `started` for too long is `outcome_unknown`."""
    if where.outcome is None:
        return "", {}
    parameters: dict[str, object] = {"outcome": where.outcome.value}
    if where.as_of is not None:
        overdue = {"overdue": where.as_of - LONGEST_RUN}
        if where.outcome is RunOutcome.STARTED:
            return " and outcome eq @outcome and started_at ge @overdue", parameters | overdue
        if where.outcome is RunOutcome.OUTCOME_UNKNOWN:
            text = " and ( outcome eq @outcome or outcome eq @started and started_at lt @overdue )"
            return text, parameters | overdue | {"started": RunOutcome.STARTED.value}
    return " and outcome eq @outcome", parameters


def _key_range(period: Period) -> tuple[str, str]:
    """The row keys between which (both excluded) the runs of a period stand."""
    low, high = "run|", "run}"
    if period.end is not None:
        low = f"run|{_just_before(period.end)}"
    if period.begin is not None:
        high = f"run|{_just_before(period.begin)}"
    return low, high


def _just_before(at: datetime) -> str:
    """The last millisecond that began before a time; keys tell no time outside these years."""
    return descending_time(min(max(at, _FIRST), _LAST) - timedelta(microseconds=1))


# --- paging tokens: opaque to the caller, and worthless in any other tenant's partition ----------


def token_after(row_key: str) -> str:
    return _encoded(row_key)


def token_at(tenant: TenantId, continuation: Continuation) -> str:
    return _encoded(json.dumps([tenant, continuation["PartitionKey"], continuation["RowKey"]]))


def start_from(token: str, tenant: TenantId) -> PageStart:
    """Raises InvalidRequestError for what is no token of ours, or one of another tenant."""
    text = _decoded(token)
    if text.startswith("run|"):
        return PageStart(after_row=text)
    try:
        match json.loads(text):
            case [str(owner), str(partition), str(row)] if owner == tenant:
                return PageStart(continuation={"PartitionKey": partition, "RowKey": row})
    except ValueError:
        pass
    raise InvalidRequestError


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("ascii")).decode().rstrip("=")


def _decoded(token: str) -> str:
    if len(token) > _LONGEST_TOKEN:
        raise InvalidRequestError
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
    except (ValueError, binascii.Error) as exc:
        raise InvalidRequestError from exc
