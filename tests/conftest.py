"""What every test may ask for: the running local stack, and the control of its simulators.

Variables such as REQUESTS_CA_BUNDLE are left as they are found: the code must be right with them
and without.
"""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from local.stack import Stack
from local.stack_info import StackInfo
from tests.control_client import ControlClient

# Their asserts are to say what they compared, as those of the tests do. Here, because other folders
# use them as well, and this has to come first.
pytest.register_assert_rewrite("tests.functions.host", "tests.functions.browser")

# The same examples at each run, and no folder that remembers failures: what fails here fails
# everywhere. No deadline, for the machine may be busy with something else.
settings.register_profile("flowrunner", derandomize=True, database=None, deadline=None)
settings.load_profile("flowrunner")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    """The whole stack, started once for all tests, on free ports. Tests share what it stores:
    use tenants and users of your own, or `clean_stack`. Timers run only when a test asks."""
    with Stack(data=tmp_path_factory.mktemp("stack"), with_timers=False) as running:
        yield running.info


@pytest.fixture
def control(stack: StackInfo) -> Iterator[ControlClient]:
    client = ControlClient(stack.control)
    yield client
    client.close()


@pytest.fixture
def clean_stack(stack: StackInfo, control: ControlClient) -> StackInfo:
    """The stack as after its start: no faults, no rows, simulators as they were made."""
    control.post("/_sim/reset")
    return stack
