"""Whether what the service depends on can be reached."""

from typing import Protocol


class Probe(Protocol):
    """Asks one dependency something harmless, past every cache of ours."""

    @property
    def name(self) -> str:
        """What callers know the dependency by: a word of the contract, not a host."""
        ...

    async def __call__(self) -> None:
        """Raises UpstreamError if it does not answer as agreed. Whoever asks sets the deadline."""
        ...
