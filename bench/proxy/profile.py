"""`--profile`: where the service's own time goes, under 64 connections to an org that answers at
once; by samples (sampling.py), as microseconds of a call."""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.proxy.field import field
from bench.proxy.load import run_round
from bench.proxy.processes import on
from bench.proxy.sampling import OTHER_THREADS
from local.child import ROOT

_CONNECTIONS: Final = 64
_SECONDS: Final = 10.0
_WARM_SECONDS: Final = 1.0
_LINES: Final = 45
_DEADLINE_SECONDS: Final = 5.0

# A part is the first of these one of whose marks is in the path of a function.
_PARTS: Final = (
    ("telemetry", ("shared/telemetry", "opencensus", "sentry_sdk", "/logging/")),
    ("run rows in memory", ("tests/fakes",)),
    ("shared: Salesforce", ("shared/salesforce", "shared/network", "shared/answer_body")),
    ("shared: identity", ("shared/identity", "shared/jws", "site-packages/jwt")),
    ("shared: storage", ("shared/storage", "shared/azure_transport")),
    ("shared: the rest", ("/shared/",)),
    ("azure.functions", ("azure/functions",)),
    ("functions", ("/functions/",)),
    ("Azure SDK", ("site-packages/azure",)),
    ("local host", ("local/host",)),
    ("starlette", ("site-packages/starlette",)),
    ("uvicorn", ("site-packages/uvicorn",)),
    ("aiohttp", ("site-packages/aiohttp", "site-packages/yarl", "site-packages/multidict")),
    ("TLS", ("/asyncio/sslproto", "/ssl.py")),
    ("asyncio", ("/asyncio/", "/selectors.py")),
    ("json", ("/json/",)),
    (OTHER_THREADS, (OTHER_THREADS,)),
)


def profiled(folder: Path) -> str:
    """Parts, and the functions that take longest."""
    file = folder / "samples.json"
    with field(_CONNECTIONS, folder, profile=file) as alone, on(alone.cores.others):
        (service,) = alone.peers
        assert service.server is not None
        target = service.target("at once", _CONNECTIONS)
        asyncio.run(run_round(target, _CONNECTIONS, _WARM_SECONDS, service.cpu_seconds))
        service.server.signal(signal.SIGUSR1)
        window = asyncio.run(run_round(target, _CONNECTIONS, _SECONDS, service.cpu_seconds))
        service.server.signal(signal.SIGUSR2)
        samples = _read(file)
    calls = len(window.latencies)
    own, cumulative = samples["own"], samples["cumulative"]
    parts: Counter[str] = Counter()
    for where, spent in own.items():
        parts[_part_of(where)] += spent
    measured, whole = window.cpu_seconds / calls * 1e6, sum(own.values())
    return "\n".join(
        [
            f"{calls} calls, {measured:.0f} microseconds of the processor each",
            *_table("own time of the parts", parts, calls, whole),
            *_table("own time of functions", Counter(own), calls, whole),
            *_table("functions with what they call", Counter(cumulative), calls, whole),
        ]
    )


def _read(file: Path) -> Mapping[str, Mapping[str, int]]:
    """What the service writes when it is told to stop. Raises OSError."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    found: Mapping[str, Mapping[str, int]] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _table(title: str, spent: Counter[str], calls: int, whole: int) -> list[str]:
    """`spent` and `whole` in nanoseconds of all calls."""
    lines = ["", f"{title}, microseconds of a call"]
    for where, nanoseconds in spent.most_common(_LINES):
        share = nanoseconds / whole
        lines.append(f"{nanoseconds / calls / 1_000:8.1f} {share:6.1%}  {_short(where)}")
    return lines


def _short(where: str) -> str:
    packages = where.rpartition("site-packages/")[2]
    return packages.removeprefix(f"{ROOT}/").rpartition("/lib/python3.13/")[2]


def _part_of(where: str) -> str:
    for part, marks in _PARTS:
        if any(mark in where for mark in marks):
            return part
    return "other"
