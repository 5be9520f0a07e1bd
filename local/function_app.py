"""The deployed app on the stack's network: `function_app.py`, with one argument more.

`local/serve.py` serves it, and so does `func start --script-root local` where Core Tools are
installed (with FLOWRUNNER_LOCAL_STACK set to the `stack.json` of a running stack, whose settings
are then taken as they are).
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # Core Tools put this folder there alone

from functions import create_app
from local.environment import service_environment
from local.network import pinned_network
from local.stack_info import StackInfo
from shared.services import build
from shared.settings import Settings

_info = StackInfo.load(Path(os.environ["FLOWRUNNER_LOCAL_STACK"]))
_services = build(
    Settings.from_environ(service_environment(_info) | os.environ), pinned_network(_info)
)

app = create_app(_services)
close = _services.close
