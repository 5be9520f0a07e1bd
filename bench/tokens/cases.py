"""Which tokens are tried: mutations and violations of good ones, the same for the same seed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Final

from bench.tokens.of_content import CONTENT_MUTATIONS
from bench.tokens.of_text import TEXT_MUTATIONS
from bench.tokens.specimen import Mutation, Specimen
from bench.tokens.violations import NOT_AUTHENTICATED, Violation, Violations
from tests.identity.tokens import changed

MUTATIONS: Final[dict[str, Mutation]] = {**TEXT_MUTATIONS, **CONTENT_MUTATIONS}
_FOREIGN: Final = "another issuer's token"
_OF_VIOLATIONS: Final = 0.25
_OF_FOREIGN: Final = 0.002  # there are only so many

type Sign = Callable[[Specimen, Violation], str]
"""Signs the good token's header and claims with these changes, with the right key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something that verifies tokens, with good ones of its own."""

    name: str
    specimens: Sequence[Specimen]
    violations: Violations | None
    sign: Sign
    now: Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    target: str
    kind: str
    text: str
    expected: str = NOT_AUTHENTICATED


def cases(seed: int, count: int, targets: Sequence[Target]) -> Iterator[Case]:
    """So many different cases. What comes out as a good token again is none."""
    rng = Random(seed)  # noqa: S311 - to be the same every time
    seen: set[bytes] = set()
    good = frozenset(specimen.text for target in targets for specimen in target.specimens)
    while len(seen) < count:
        target = rng.choice(targets)
        case = _case(rng, target, [other for other in targets if other is not target])
        if case is None or (case.kind != _FOREIGN and case.text in good):
            continue
        mark = blake2b(f"{case.target} {case.text}".encode(), digest_size=16).digest()
        if mark not in seen:
            seen.add(mark)
            yield case


def _case(rng: Random, target: Target, others: Sequence[Target]) -> Case | None:
    specimen = rng.choice(target.specimens)
    drawn = rng.random()
    if drawn < _OF_FOREIGN:
        text = rng.choice(rng.choice(others).specimens).text
        return Case(target=target.name, kind=_FOREIGN, text=text)
    if drawn < _OF_VIOLATIONS and target.violations is not None:
        return _violation(rng, target, target.violations, specimen)
    kind = rng.choice(list(MUTATIONS))
    sources = [one for some in (target, *others) for one in some.specimens]
    text = MUTATIONS[kind](rng, specimen, sources)
    return Case(target=target.name, kind=kind, text=text) if text else None


def _violation(
    rng: Random, target: Target, violations: Violations, specimen: Specimen
) -> Case | None:
    violation = violations(rng, specimen.claims, target.now())
    if changed(specimen.claims, violation.claims) == specimen.claims and not violation.header:
        return None
    return Case(
        target=target.name,
        kind=violation.kind,
        text=target.sign(specimen, violation),
        expected=violation.expected,
    )
