"""The token endpoint that the tests of this folder speak to."""

from collections.abc import AsyncIterator

import pytest

from tests.salesforce.dance import EVIL, INSTANCE, LOGIN, token_answer
from tests.upstream import Upstream, answering_json, upstream


@pytest.fixture
async def salesforce() -> AsyncIterator[Upstream]:
    async with upstream(LOGIN, INSTANCE, EVIL) as server:
        server.answer = answering_json(token_answer())
        yield server
