"""Orgs: their users, their Flows, their settings, and the hosts at which they answer."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from local import scene
from local.simulators.salesforce.ids import derived
from local.simulators.salesforce.variables import Variable

PRODUCTION_LOGIN: Final = "login.salesforce.com"
SANDBOX_LOGIN: Final = "test.salesforce.com"
_SANDBOX: Final = ".sandbox.my.salesforce.com"
_USAGE_WINDOW: Final = 24 * 3600.0  # the daily limit counts a rolling day

type Kind = Literal["autolaunched", "screen"]
type Behaviour = Literal["echo", "fault", "waiting", "slow"]


@dataclass(frozen=True, kw_only=True)
class User:
    """A person of one org. An inactive one neither signs in nor refreshes."""

    name: str
    user_id: str
    username: str
    active: bool = True


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A Flow as its builder left it. `name` carries the namespace, if there is one.

    `draft` adds a newer version that nobody activated. `users` limits who may see and run it.
    `delay` is in seconds, and meant for the behaviour `slow`.
    """

    name: str
    label: str
    kind: Kind = "autolaunched"
    inputs: tuple[Variable, ...] = ()
    outputs: tuple[Variable, ...] = ()
    behaviour: Behaviour = "echo"
    delay: float = 0.0
    fault_status: int = 400
    description: str | None = None
    active: bool = True
    draft: bool = False
    trigger_type: str | None = None
    users: frozenset[str] | None = None

    @property
    def namespace(self) -> str | None:
        before, separator, _ = self.name.partition("__")
        return before if separator else None

    @property
    def developer_name(self) -> str:
        """The name without the namespace."""
        return self.name.rpartition("__")[2]

    def visible_to(self, user: User) -> bool:
        return self.users is None or user.name in self.users

    @property
    def callable_by_rest(self) -> bool:
        """Active, autolaunched, and not started by a record, a schedule or an event
        (https://developer.salesforce.com/docs/atlas.en-us.api_action.meta/api_action/actions_obj_flow.htm)."""
        return self.active and self.kind == "autolaunched" and self.trigger_type is None


@dataclass(kw_only=True)
class Org:
    """One customer's org. `rotation` is the app's refresh-token policy there; `query_batch` the
    most records in one answer of the query call; `api_limit` the REST calls of a day;
    `lightning_out` whether its release has Lightning Out 2.0."""

    org_id: str
    instance_host: str
    users: dict[str, User]
    flows: dict[str, Flow] = field(default_factory=dict)
    rotation: bool = True
    query_batch: int = 2000
    api_limit: int = 1_000_000
    lightning_out: bool = True
    lightning_out_apps: frozenset[str] | None = None  # None: any id of the right form
    runs: int = 0
    _usage: int = 0
    _window_began: float = 0.0

    @property
    def sandbox(self) -> bool:
        return self.instance_host.endswith(_SANDBOX)

    @property
    def login_host(self) -> str:
        return SANDBOX_LOGIN if self.sandbox else PRODUCTION_LOGIN

    @property
    def instance_url(self) -> str:
        return f"https://{self.instance_host}"

    @property
    def my_domain(self) -> str:
        return self.instance_host.partition(".")[0]

    def answers_at(self, host: str) -> bool:
        """A production org does not know a sandbox's login host, nor the other way round."""
        return host in (self.instance_host, self.login_host)

    def identity_url(self, user: User) -> str:
        """On the login host, wherever the user signed in."""
        return f"https://{self.login_host}/id/{self.org_id}/{user.user_id}"

    def count_call(self, now: float) -> bool:
        """Count one REST call; False when the day's calls are used up."""
        if now - self._window_began >= _USAGE_WINDOW:
            self._usage, self._window_began = 0, now
        self._usage += 1
        return self._usage <= self.api_limit

    def limit_info(self) -> str:
        """The value of `Sforce-Limit-Info`."""
        return f"api-usage={min(self._usage, self.api_limit)}/{self.api_limit}"

    def next_run(self) -> int:
        self.runs += 1
        return self.runs


class Orgs:
    """Every org there is, in the order of their making."""

    def __init__(self, orgs: Iterable[Org] = ()) -> None:
        self._orgs: dict[str, Org] = {}
        for org in orgs:
            self.put(org)

    def put(self, org: Org) -> None:
        """Create it, or replace the one with its id; `ValueError` if its host is another's."""
        holder = self.at(org.instance_host)
        if holder and holder.org_id != org.org_id:
            raise ValueError(f"{org.instance_host} belongs to {holder.org_id}")
        self._orgs[org.org_id] = org

    def by_id(self, org_id: str) -> Org | None:
        return self._orgs.get(org_id)

    def at(self, host: str) -> Org | None:
        """The org whose My Domain this is."""
        return next((org for org in self._orgs.values() if org.instance_host == host), None)

    def reached_from(self, host: str) -> list[Org]:
        """The orgs that a user may sign in to at this login host or My Domain."""
        return [org for org in self._orgs.values() if org.answers_at(host)]

    def first(self) -> Org:
        return next(iter(self._orgs.values()))

    def known(self, host: str) -> bool:
        return host in scene.SALESFORCE_LOGIN_HOSTS or self.at(host) is not None


def people(org_id: str, instance_host: str, names: Iterable[str]) -> dict[str, User]:
    """Users with ids that stay the same when the org is replaced."""
    domain = instance_host.partition(".")[0]
    return {
        name: User(
            name=name,
            user_id=derived("005", org_id, name),
            username=f"{name}@{domain}.example.com",
        )
        for name in names
    }
