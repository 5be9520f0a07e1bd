"""`python -m bench.proxy.serve NAME MODULE`: an app in the local host, as `make run` serves one.

But for HTTP's parser, which is in C as that of the other peers: `make run` has one in Python, which
would cost more than most of what is compared here.
"""

import argparse
import asyncio
import logging
import signal
import sys
from dataclasses import replace
from pathlib import Path

from bench.proxy.places import Places
from bench.proxy.sampling import Sampler
from local.serve import run_service


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("module")
    parser.add_argument("--profile", type=Path)
    chosen = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    places = Places.given()
    info = replace(
        places.info(),
        service=f"http://127.0.0.1:{places.ports[chosen.name]}",
        service_https=f"https://127.0.0.1:{places.ports[f'{chosen.name}, https']}",
    )
    if chosen.profile is not None:
        _sample_when_told(chosen.profile)
    asyncio.run(run_service(info, chosen.module, with_timers=False, parser="httptools"))


def _sample_when_told(file: Path) -> None:
    """From SIGUSR1 to SIGUSR2, so that neither imports nor the first calls are in it."""
    sampler = Sampler()

    def stop(*_: object) -> None:
        sampler.stop()
        sampler.save(file)

    signal.signal(signal.SIGUSR1, lambda *_: sampler.start())
    signal.signal(signal.SIGUSR2, stop)


if __name__ == "__main__":
    main()
