"""What a person types: `run` serves the stack until Ctrl-C; `demo` walks the whole journey once."""

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from local.azurite import AzuriteMissingError
from local.child import ROOT
from local.ports import PortInUseError
from local.stack import Stack, StackError
from local.stack_info import StackInfo

_DEFAULT_PORT: Final = 7071  # where Azure Functions Core Tools serve
_CHECK_SECONDS: Final = 0.5


def main(started: float) -> int:
    """The exit code. Whatever cannot start says so in one line.

    `started` is the time of `time.monotonic()` at which the process began.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` switches it off
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _arguments()
    try:
        if arguments.command == "demo":
            return _demo()
        return _run(arguments, started)
    except KeyboardInterrupt:
        return 0 if arguments.command == "run" else 130
    except PortInUseError as exc:
        print(_way_out(exc.port, arguments.port), file=sys.stderr)
    except (StackError, AzuriteMissingError) as exc:
        print(exc, file=sys.stderr)
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.set_defaults(port=None)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve until Ctrl-C")
    run.add_argument("--port", type=int, default=_DEFAULT_PORT, help="the service's port")
    run.add_argument("--data", type=Path, help="keep what is stored in this folder")
    run.add_argument(
        "--base-port",
        type=int,
        default=os.environ.get("LOCAL_BASE_PORT") or None,
        help="the first of all other ports (default: LOCAL_BASE_PORT, else free ports)",
    )
    commands.add_parser("demo", help="walk the whole journey on free ports")
    return parser.parse_args()


def _run(arguments: argparse.Namespace, started: float) -> int:
    kept: Path | None = arguments.data
    with Stack(
        data=kept or ROOT / ".local" / str(arguments.port),
        port=arguments.port,
        base_port=arguments.base_port,
        keep=kept is not None,
    ) as stack:
        print(_addresses(stack.info), flush=True)
        print(f"ready in {time.monotonic() - started:.1f} s; Ctrl-C ends it", flush=True)
        while True:
            time.sleep(_CHECK_SECONDS)
            stack.check()


def _demo() -> int:
    from local.demo import run  # noqa: PLC0415 - `run` needs none of it

    with (
        tempfile.TemporaryDirectory(prefix="flowrunner-demo-") as data,
        Stack(data=Path(data)) as stack,
    ):
        return run(stack.info)


def _addresses(info: StackInfo) -> str:
    return f"""\
FlowRunner's local stack
  service     {info.service}/api/v1
  over https  {info.service_https}/api/v1
  sidebar     {info.sidebar}/   (`make sidebar` opens it in a browser that knows the stack)
  control     {info.control}/_sim/info
  authority   {info.authority}
  logs        {info.data}"""


def _way_out(busy: int, port: int | None) -> str:
    if busy == port:
        return f"port {busy} is in use: stop what uses it or run `make run PORT={busy + 1}`"
    return f"port {busy} is in use: stop what uses it or choose another LOCAL_BASE_PORT"
