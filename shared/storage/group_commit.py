"""Writers of one partition on one instance share their transactions.

Each caller waits until its own rows are durable, and is told what became of them as if it had been
alone. Who is alone does not wait for company; where there was company a moment ago, the next
transaction waits for it, five milliseconds at most.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.errors import StorageFailedError
from shared.storage.entity_groups import MOST_OPERATIONS, RefusedError, Write

_LINGER_SECONDS: Final = 0.005

type Submit = Callable[[Sequence[Write]], Awaitable[None]]


@dataclass(eq=False, slots=True, kw_only=True)
class _Caller:
    """What one caller wants written, all of it or nothing. Of `shared`, what others of the group
    want as well is written once."""

    shared: tuple[Write, ...]
    own: tuple[Write, ...]
    done: "asyncio.Future[None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def writes(self) -> tuple[Write, ...]:
        return (*self.shared, *self.own)


class GroupCommit:
    """The writers of one partition. `submit` carries out a transaction or raises RefusedError
    (nothing was written) or StorageFailedError (perhaps it was)."""

    def __init__(self, submit: Submit, *, linger: float = _LINGER_SECONDS) -> None:
        self._submit, self._linger = submit, linger
        self._waiting: list[_Caller] = []
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._had_company = False

    async def write(self, *own: Write, shared: Sequence[Write] = ()) -> None:
        """Returns when all of it is durable.

        Raises RefusedError (none of it is written; the index is among `shared` and then `own`),
        StorageFailedError (perhaps it is).
        """
        caller = _Caller(shared=tuple(shared), own=own)
        if len(_together([*self._waiting, caller])) > MOST_OPERATIONS:
            self._flush()
        self._waiting.append(caller)
        if self._timer is None:
            wait = self._linger if self._had_company or self._sending else 0.0
            self._timer = asyncio.get_running_loop().call_later(wait, self._flush)
        await caller.done

    @property
    def is_idle(self) -> bool:
        return not self._waiting and not self._sending

    def _flush(self) -> None:
        """Send what waits, whatever else is on its way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        group, self._waiting = self._waiting, []
        self._had_company = len(group) > 1
        task = asyncio.create_task(self._send(group))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, group: list[_Caller]) -> None:
        """A transaction fails as a whole. Whose row it was is written alone, to be told exactly
        what is wrong with it; the others try again together."""
        while group:
            writes = _together(group)
            try:
                await self._submitted(writes)
            except RefusedError as exc:
                refused = [caller for caller in group if writes[exc.index] in caller.writes]
                await asyncio.gather(*(self._send_alone(caller) for caller in refused))
                group = [caller for caller in group if caller not in refused]
            except Exception as exc:  # noqa: BLE001 - each caller is told; here it would be lost
                for caller in group:
                    _tell(caller, exc)
                return
            else:
                for caller in group:
                    _tell(caller, None)
                return

    async def _send_alone(self, caller: _Caller) -> None:
        try:
            await self._submitted(caller.writes)
        except Exception as exc:  # noqa: BLE001 - as above
            _tell(caller, exc)
        else:
            _tell(caller, None)

    async def _submitted(self, writes: Sequence[Write]) -> None:
        """Once more if the store failed: it closes connections that were idle, at any moment. What
        the first try has written after all refuses the second, row by row."""
        try:
            await self._submit(writes)
        except StorageFailedError:
            await self._submit(writes)


def _together(group: Sequence[_Caller]) -> list[Write]:
    """What they all want, each shared write once. No row is named twice in a transaction."""
    shared = {write.row_key: write for caller in group for write in caller.shared}
    return [*shared.values(), *(write for caller in group for write in caller.own)]


def _tell(caller: _Caller, failure: Exception | None) -> None:
    if caller.done.done():  # it has given up waiting
        return
    if failure is None:
        caller.done.set_result(None)
    else:
        caller.done.set_exception(failure)
