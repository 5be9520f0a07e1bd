"""Writers of one partition on one instance share their transactions.

Each caller waits until its own rows are durable, and is told what became of them as if it had been
alone. Who is alone does not wait for company. Where others are writing, or shared the transaction
before, the next one waits for more of them: for five milliseconds at most.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
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

    def tell(self, failure: Exception | None) -> None:
        if self.done.done():  # it has given up waiting
            return
        if failure is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(failure)


class _Group:
    """Callers who fit into one transaction."""

    def __init__(self) -> None:
        self.callers: list[_Caller] = []
        self._shared: set[str] = set()
        self._own: set[str] = set()

    def has_room_for(self, caller: _Caller) -> bool:
        """No transaction names a row twice: the service refuses that (InvalidDuplicateRow), and of
        two with the same idempotency key one is to be written."""
        if not self.callers:
            return True
        shared = {write.row_key for write in caller.shared}
        own = {write.row_key for write in caller.own}
        operations = len(self._shared | shared) + len(self._own) + len(own)
        is_named = own & self._own or own & self._shared or shared & self._own
        return not is_named and operations <= MOST_OPERATIONS

    def add(self, caller: _Caller) -> None:
        self.callers.append(caller)
        self._shared.update(write.row_key for write in caller.shared)
        self._own.update(write.row_key for write in caller.own)


class GroupCommit:
    """The writers of one partition. `submit` carries out a transaction or raises RefusedError
    (nothing was written) or StorageFailedError (perhaps it was)."""

    def __init__(self, submit: Submit, *, linger: float = _LINGER_SECONDS) -> None:
        self._submit, self._linger = submit, linger
        self._waiting = _Group()
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._had_company = False
        self._writers = 0

    async def write(self, *own: Write, shared: Sequence[Write] = ()) -> None:
        """Returns when all of it is durable.

        Raises RefusedError (none of it is written; the index is among `shared` and then `own`),
        StorageFailedError (perhaps it is).
        """
        caller = _Caller(shared=tuple(shared), own=own)
        if not self._waiting.has_room_for(caller):
            self._flush()
        self._waiting.add(caller)
        if self._timer is None:
            wait = self._linger if self._had_company or self._writers else 0.0
            self._timer = asyncio.get_running_loop().call_later(wait, self._flush)
        self._writers += 1
        try:
            await caller.done
        finally:
            self._writers -= 1

    @property
    def is_idle(self) -> bool:
        return not self._waiting.callers and not self._sending

    def _flush(self) -> None:
        """Send what waits, whatever else is on its way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        callers, self._waiting = self._waiting.callers, _Group()
        self._had_company = len(callers) > 1
        task = asyncio.create_task(self._send(callers))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, callers: Sequence[_Caller]) -> None:
        """A transaction fails as a whole. Whose row it was is written alone, to be told exactly
        what is wrong with it; the others try again together, and alone if that fails as well: so
        nobody waits for more than three transactions, however many are refused."""
        try:
            at_fault = await self._attempt(callers)
            if at_fault:
                others = [caller for caller in callers if caller not in at_fault]
                await asyncio.gather(self._each_alone(at_fault), self._once_more(others))
        finally:
            for caller in callers:  # whoever could not be told yet must not wait for ever
                caller.tell(StorageFailedError())

    async def _once_more(self, callers: Sequence[_Caller]) -> None:
        if callers and await self._attempt(callers):
            await self._each_alone(callers)

    async def _each_alone(self, callers: Sequence[_Caller]) -> None:
        await asyncio.gather(*(self._attempt([caller]) for caller in callers))

    async def _attempt(self, callers: Sequence[_Caller]) -> Sequence[_Caller]:
        """Write it, and tell all of them; or tell none, because of some of several: of whom."""
        writes = _together(callers)
        try:
            await self._submitted(writes)
        except StorageFailedError as exc:
            for caller in callers:
                caller.tell(_of_its_own(exc))
        except Exception as exc:  # noqa: BLE001 - each caller is told; here it would be lost
            if len(callers) > 1:
                return [caller for caller in callers if _is_about(exc, caller, writes)]
            callers[0].tell(exc)
        else:
            for caller in callers:
                caller.tell(None)
        return ()

    async def _submitted(self, writes: Sequence[Write]) -> None:
        """Once more if the store failed: it closes connections that were idle, at any moment. What
        the first try has written after all refuses the second, row by row."""
        try:
            await self._submit(writes)
        except StorageFailedError:
            await self._submit(writes)


def _together(callers: Sequence[_Caller]) -> list[Write]:
    """What they all want, each shared write once."""
    shared = {write.row_key: write for caller in callers for write in caller.shared}
    return [*shared.values(), *(write for caller in callers for write in caller.own)]


def _is_about(failure: Exception, caller: _Caller, writes: Sequence[Write]) -> bool:
    """Whether it may be this caller's: what is no refusal is an error of ours in anybody's row."""
    if not isinstance(failure, RefusedError) or failure.index not in range(len(writes)):
        return True
    return writes[failure.index] in caller.writes


def _of_its_own(failure: StorageFailedError) -> StorageFailedError:
    """An exception belongs to one request: whoever handles it may write on it."""
    told = copy(failure)
    told.__cause__ = failure
    return told
