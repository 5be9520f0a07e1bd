"""`python -m local.simulators STACK.JSON`: serves the simulators until SIGTERM or SIGINT."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

from local.simulators.server import serve
from local.stack_info import StackInfo


async def main(info: StackInfo) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with await serve(info):
        await stopped.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    asyncio.run(main(StackInfo.load(Path(sys.argv[1]))))
