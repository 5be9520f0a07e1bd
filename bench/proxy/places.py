"""Where the processes of this bench answer, as one JSON file that they share."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, Self, get_args

from local.stack_info import StackInfo

type Upstream = Literal["at once", "80 ms"]
UPSTREAMS: Final[tuple[Upstream, ...]] = get_args(Upstream.__value__)

ORGS: Final[dict[Upstream, str]] = {
    "at once": "bench-at-once.my.salesforce.com",
    "80 ms": "bench-80ms.my.salesforce.com",
}
"""The host of the org that answers so."""
DELAYS: Final[dict[Upstream, float]] = {"at once": 0.0, "80 ms": 0.08}
"""Seconds from the request to the answer of a Flow."""

VARIABLE: Final = "FLOWRUNNER_BENCH_PROXY"
"""Names the file, to the processes that are started."""
RUNS_IN_MEMORY: Final = "FLOWRUNNER_BENCH_RUNS_IN_MEMORY"
"""Set where the service's run rows are kept in memory."""
QUICKSTART_STORE: Final = "FLOWRUNNER_BENCH_QUICKSTART"
"""Names the file in which the quickstart's table is."""

FLOW: Final = "Log_Email"
FLOW_PATH: Final = f"/services/data/v66.0/actions/custom/flow/{FLOW}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """`pins` leads each host of `ORGS` to its port on 127.0.0.1; `ports` are the servers'."""

    stack: Path
    pins: dict[str, int]
    ports: dict[str, int]

    def info(self) -> StackInfo:
        """The stack beside which this runs, with its settings; the orgs are the fake ones."""
        return StackInfo.load(self.stack)

    def every_pin(self) -> dict[str, int]:
        """The stack's, and the fake orgs."""
        return {**self.info().pins, **self.pins}

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), default=str), encoding="utf-8")

    @classmethod
    def given(cls) -> Self:
        """As the environment says. Raises KeyError, OSError."""
        fields = json.loads(Path(os.environ[VARIABLE]).read_text(encoding="utf-8"))
        return cls(**{**fields, "stack": Path(fields["stack"])})
