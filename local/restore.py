"""`python -m local.restore`: `tools/restore.py` for what a running local stack has stored.

Reads `FLOWRUNNER_LOCAL_STACK` (the path of the stack's stack.json); the arguments are the same.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.environment import service_environment
from local.network import pinned_network
from local.stack_info import StackInfo
from shared.services import build
from shared.settings import Settings
from tools.restore import options_from, run


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    options = options_from(arguments)
    info = StackInfo.load(Path(environment["FLOWRUNNER_LOCAL_STACK"]))
    settings = service_environment(info)
    # The managed identity's library takes its endpoint from the environment, as in App Service.
    os.environ |= {name: settings[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")}
    services = build(Settings.from_environ(settings), pinned_network(info))
    return asyncio.run(run(services, options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
