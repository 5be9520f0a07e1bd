"""The tables: they read in a terminal, and stand so in bench/RESULTS.md."""

from collections.abc import Sequence
from typing import Final

from bench.machine import markdown_table
from bench.proxy.figures import (
    Aim,
    Cell,
    Measure,
    Round,
    Rounds,
    Verdict,
    cpu_of_all,
    judged,
    median,
)
from bench.proxy.peers import AJAX_PROXY, BARE, DIRECT, OURS, QUICKSTART

_MOST: Final = 64
AIMS: Final = (
    Aim(against=QUICKSTART, measure="rate", cell=("at once", _MOST), at_least=6.0),
    Aim(against=QUICKSTART, measure="rate", cell=("80 ms", _MOST), at_least=12.0),
    Aim(against=BARE, measure="rate", cell=("at once", _MOST), at_least=0.65),
    Aim(against=AJAX_PROXY, measure="rate", cell=("at once", _MOST), at_least=1.0),
    Aim(against=AJAX_PROXY, measure="rate", cell=("80 ms", _MOST), at_least=1.0),
    Aim(against=AJAX_PROXY, measure="cpu", cell=("at once", _MOST), at_most=1.0),
    Aim(against=AJAX_PROXY, measure="cpu", cell=("80 ms", _MOST), at_most=1.0),
    Aim(against=DIRECT, measure="p50", cell=("80 ms", _MOST), at_most=1.05),
)
_TOLD: Final[dict[Measure, str]] = {"rate": "requests/s", "p50": "p50", "cpu": "CPU of a request"}
_HEAD: Final = [
    *("", "req/s", "p50 ms", "p99 ms", "CPU ms/req"),
    *("service to it: req/s", "p50", "CPU"),
]
_HEAD_OF_AIMS: Final = [
    "service, in-memory store, to",
    *("org answers", "connections", "ratio of", "wanted", "median", "95 %", ""),
]


def table(rounds: Rounds, cell: Cell, peers: Sequence[str]) -> str:
    """Medians of one cell, and the service's ratios to each peer."""
    upstream, connections = cell
    answers = "at once" if upstream == "at once" else f"after {upstream}"
    ours = rounds[cell, OURS]
    rows = [_row(peer, rounds[cell, peer], ours) for peer in peers]
    title = f"**The org answers {answers}, connections: {connections}**"
    return f"{title}\n\n{markdown_table(_HEAD, rows)}"


def _row(peer: str, theirs: Sequence[Round], ours: Sequence[Round]) -> list[str]:
    has_server = peer != DIRECT
    figures = [
        peer,
        f"{median(theirs, 'rate'):,.0f}",
        f"{median(theirs, 'p50'):,.1f}",
        f"{median(theirs, 'p99'):,.1f}",
        f"{cpu_of_all(theirs):.2f}" if has_server else "",
    ]
    if peer == OURS:
        return [*figures, "", "", ""]
    return [
        *figures,
        f"{median(ours, 'rate') / median(theirs, 'rate'):.2f}",
        f"{median(ours, 'p50') / median(theirs, 'p50'):.2f}",
        _ratio_of_cpu(ours, theirs) if has_server else "",
    ]


def _ratio_of_cpu(ours: Sequence[Round], theirs: Sequence[Round]) -> str:
    """Nothing where theirs is too little to be told: a few requests within some hundredths of a
    second."""
    spent = cpu_of_all(theirs)
    return f"{cpu_of_all(ours) / spent:.2f}" if spent else ""


def verdicts(rounds: Rounds) -> list[Verdict]:
    """On those aims whose peers were measured."""
    return [judged(aim, rounds, OURS) for aim in AIMS if (aim.cell, aim.against) in rounds]


def table_of_aims(found: Sequence[Verdict]) -> str:
    return markdown_table(_HEAD_OF_AIMS, [_row_of_aim(verdict) for verdict in found])


def _row_of_aim(verdict: Verdict) -> list[str]:
    aim = verdict.aim
    wanted = f"at most {aim.at_most}" if aim.at_least is None else f"at least {aim.at_least}"
    upstream, connections = aim.cell
    outcome = "held" if verdict.is_held else "within the noise"
    return [
        aim.against,
        upstream,
        str(connections),
        _TOLD[aim.measure],
        wanted,
        f"{verdict.ratio:.2f}",
        f"{verdict.low:.2f} to {verdict.high:.2f}",
        "MISSED" if verdict.is_missed else outcome,
    ]
