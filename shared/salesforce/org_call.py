"""What becomes of a call to an org that the network ended, and whether anything was carried out."""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from shared.errors import (
    SalesforceFailedError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)


@contextmanager
def org_call() -> Iterator[None]:
    """One call, and the reading of its answer.

    Raises SalesforceUnavailableError (it was never sent), SalesforceFailedError (the answer cannot
    be read), SalesforceTimeoutError (not known).
    """
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
        raise SalesforceUnavailableError from exc
    except aiohttp.ClientPayloadError as exc:
        raise SalesforceFailedError from exc
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        raise SalesforceTimeoutError from exc
