"""The pieces of work in which a process is killed: how each begins, and how it has to end."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bench.crash.users import User, Users
from tests.attacks.outgoing import REVOCATION, Kill

type Begun = tuple[User, Mapping[str, str]]
"""Somebody, and the arguments for the worker that is killed."""

_NEARLY_IDLE: Final = timedelta(days=27)
_IDLE: Final = timedelta(days=31)
_OLD_KEY: Final = timedelta(days=91)
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    name: str
    order: str
    """What the worker is told to do: a name in `killable_works.WORKS`."""
    begin: Callable[[Users, str], Awaitable[Begun]]
    """Somebody new in this directory, as far as the work begins."""
    left_by: tuple[str, Kill | None] | None = None
    """A worker that comes before, and leaves what there is to do."""
    ahead: timedelta = timedelta()
    """When it is done."""
    begins_connected: bool = True
    is_connected: bool = True
    """Whether the user is connected before it, and is to be when all is done."""
    brings_a_new_grant: bool = False
    """Whether a code is redeemed: who dies before the grant is stored leaves it to nobody."""
    may_say: str | None = None
    """A reason, besides `rotation_lost`, for which the user may truly have to connect again."""
    for_a_whole_tenant: bool = False
    """Whether each needs a tenant of their own: where a timer is killed, it shall do no other."""
    resumed_by: tuple[str, timedelta] | None = None
    """What else runs before the users come again, and when."""


async def signed_in(users: Users, directory: str) -> Begun:
    user = await users.new(directory)
    return user, await users.back_from_salesforce(user)


async def connected(users: Users, directory: str) -> Begun:
    user = await users.connect(await users.new(directory))
    return user, user.arguments


async def expired(users: Users, directory: str) -> Begun:
    begun = await connected(users, directory)
    users.expire(begun[0])
    return begun


async def consented_anew(users: Users, directory: str) -> Begun:
    user = await users.connect(await users.new(directory))
    return user, await users.back_from_salesforce(user)


async def used_yesterday(users: Users, directory: str) -> Begun:
    """With an access token that served for weeks, which Salesforce allows."""
    begun = await connected(users, directory)
    await users.call(begun[0], ahead=_NEARLY_IDLE - timedelta(days=1))
    return begun


async def sealed_by_an_old_key(users: Users, directory: str) -> Begun:
    """Old is the data key, and the key that wraps it is not the newest version."""
    user = await users.connect(await users.new(directory, ahead=-_OLD_KEY))
    users.rotate_kek()
    return user, user.arguments


REFRESH: Final = Work(name="refresh", order="call", begin=expired)
CALLBACK: Final = Work(
    name="callback",
    order="callback",
    begin=signed_in,
    begins_connected=False,
    brings_a_new_grant=True,
)
REPLACE: Final = Work(
    name="replace", order="callback", begin=consented_anew, brings_a_new_grant=True
)
DISCONNECT: Final = Work(name="disconnect", order="disconnect", begin=connected, is_connected=False)
REVOKE_DISCARDED: Final = Work(
    name="revoke, left by disconnect",
    order="work_off_revocations",
    begin=connected,
    left_by=("disconnect", Kill(step=REVOCATION, moment="before")),
    ahead=_HOUR,
    begins_connected=False,
    is_connected=False,
    for_a_whole_tenant=True,
)
REVOKE_PARKED: Final = Work(
    name="revoke, left by callback",
    order="work_off_revocations",
    begin=signed_in,
    left_by=("abandoned_callback", None),
    ahead=_HOUR,
    begins_connected=False,
    is_connected=False,
    for_a_whole_tenant=True,
)
KEEP_ALIVE: Final = Work(
    name="keep alive",
    order="keep_alive",
    begin=used_yesterday,
    ahead=_NEARLY_IDLE,
    for_a_whole_tenant=True,
)
LAPSE: Final = Work(
    name="let lapse",
    order="keep_alive",
    begin=connected,
    ahead=_IDLE,
    may_say="expired",
    for_a_whole_tenant=True,
)
ROTATION: Final = Work(
    name="key rotation",
    order="key_rotation",
    begin=sealed_by_an_old_key,
    for_a_whole_tenant=True,
    resumed_by=("key_rotation", timedelta(days=40)),
)

WORKS: Final = (
    REFRESH,
    CALLBACK,
    REPLACE,
    DISCONNECT,
    REVOKE_DISCARDED,
    REVOKE_PARKED,
    KEEP_ALIVE,
    LAPSE,
    ROTATION,
)
