"""What a refusal of Salesforce's token endpoint is called in the language of the service."""

from typing import Final

from shared.errors import (
    FlowRunnerError,
    InvalidStateError,
    NotConnectedError,
    RefreshInProgressError,
    SalesforceFailedError,
    SalesforceLimitError,
    SalesforceUnavailableError,
)
from shared.model import Health
from shared.salesforce.token_refusals import Meaning, Remedy, refusal_of

LIMIT_SECONDS: Final = 60
"""How long to wait where Salesforce names a limit, but no time."""


def refresh_error(error: str, description: str) -> FlowRunnerError:
    """The failure that a refused refresh stands for. Errors that nobody knows end nothing."""
    row = refusal_of(error, description)
    return failure_of(Remedy.ALARM if row is None else row.meaning)


def code_error(error: str, description: str) -> FlowRunnerError:
    """The failure that a refused code stands for."""
    row = refusal_of(error, description)
    return failure_of(Remedy.ALARM if row is None else row.of_code)


def failure_of(meaning: Meaning) -> FlowRunnerError:
    match meaning:
        case Health():
            return NotConnectedError(meaning.value, meaning.action)
        case Remedy.WAIT_FOR_ANOTHER:
            return RefreshInProgressError()
        case Remedy.WAIT:
            return SalesforceUnavailableError()
        case Remedy.WAIT_FOR_LIMIT:
            return SalesforceLimitError(LIMIT_SECONDS)
        case Remedy.START_AGAIN:
            return InvalidStateError()
        case Remedy.ALARM:
            return SalesforceFailedError()
