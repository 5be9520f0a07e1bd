"""Named objects with versions, attributes and soft deletion, as secrets and keys both are."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from local import scene
from local.simulators.key_vault_refusals import bad_parameter, not_found, still_deleted

type Kind = Literal["secret", "key"]

VAULT_URL: Final = f"https://{scene.KEY_VAULT_HOST}"

_NAME: Final = re.compile(r"[0-9A-Za-z-]{1,127}")
_RECOVERABLE_DAYS: Final = 90
_DAY_SECONDS: Final = 24 * 3600
_PAGE: Final = 25


@dataclass(slots=True, kw_only=True)
class Attributes:
    """Times in Unix seconds."""

    created: int
    updated: int
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None

    def update(self, given: Mapping[str, Any], now: int) -> None:
        """Take over what the `attributes` of a request set; `VaultRefusal` for a wrong type."""
        if type(given.get("enabled", True)) is not bool:
            raise bad_parameter("Property enabled has invalid value\r\n")
        for name in ("nbf", "exp"):
            if type(given.get(name, 0)) is not int:
                raise bad_parameter(f"Property {name} has invalid value\r\n")
        self.enabled = given.get("enabled", self.enabled)
        self.not_before = given.get("nbf", self.not_before)
        self.expires = given.get("exp", self.expires)
        self.updated = now

    def json(self) -> dict[str, Any]:
        times = {"nbf": self.not_before, "exp": self.expires}
        return {
            "enabled": self.enabled,
            **{name: value for name, value in times.items() if value is not None},
            "created": self.created,
            "updated": self.updated,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": _RECOVERABLE_DAYS,
        }


@dataclass(slots=True, kw_only=True)
class Version[T]:
    """One version of one object; `identifier` is its URL."""

    identifier: str
    version: str
    content: T
    attributes: Attributes
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Object[T]:
    versions: list[Version[T]]  # oldest first
    deleted: int | None = None  # Unix seconds


class Shelf[T]:
    """All secrets, or all keys. Methods raise `VaultRefusal`. `clock` gives Unix seconds."""

    def __init__(self, kind: Kind, clock: Callable[[], float]) -> None:
        self.kind: Kind = kind
        self._clock = clock
        self._objects: dict[str, _Object[T]] = {}

    def clear(self) -> None:
        self._objects.clear()

    def add(
        self,
        name: str,
        content: T,
        *,
        version: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Version[T]:
        """A new version, which becomes the latest; of a new object where the name is free."""
        if not _NAME.fullmatch(name):
            raise bad_parameter(f"The request URI contains an invalid name: {name}")
        known = self._objects.get(name)
        if known is not None and known.deleted is not None:
            raise still_deleted(self.kind, name)
        now = int(self._clock())
        version = version or secrets.token_hex(16)
        added = Version(
            identifier=f"{VAULT_URL}/{self.kind}s/{name}/{version}",
            version=version,
            content=content,
            attributes=Attributes(created=now, updated=now),
            tags=dict(tags or {}),
        )
        added.attributes.update(attributes or {}, now)
        if known is None:
            known = self._objects[name] = _Object(versions=[])
        known.versions.append(added)
        return added

    def get(self, name: str, version: str = "") -> Version[T]:
        """That version; the latest one for an empty `version`."""
        versions = self.versions(name)
        if not version:
            return versions[-1]
        for known in versions:
            if known.version == version:
                return known
        raise not_found(self.kind, f"{name}/{version}")

    def versions(self, name: str) -> Sequence[Version[T]]:
        """Oldest first, and never empty."""
        known = self._objects.get(name)
        if known is None or known.deleted is not None:
            raise not_found(self.kind, name)
        return known.versions

    def latest(self) -> Sequence[tuple[str, Version[T]]]:
        """Every name with its latest version, by name."""
        return [
            (name, known.versions[-1])
            for name, known in sorted(self._objects.items())
            if known.deleted is None
        ]

    def delete(self, name: str) -> Version[T]:
        """The latest version of what can from now on only be recovered or purged."""
        latest = self.get(name)
        self._objects[name].deleted = int(self._clock())
        return latest

    def deleted(self, name: str) -> tuple[Version[T], dict[str, Any]]:
        """The latest version of a deleted object, and what its bundle says of the deletion."""
        known = self._objects.get(name)
        if known is None or known.deleted is None:
            raise not_found(self.kind, name)
        return known.versions[-1], {
            "recoveryId": f"{VAULT_URL}/deleted{self.kind}s/{name}",
            "deletedDate": known.deleted,
            "scheduledPurgeDate": known.deleted + _RECOVERABLE_DAYS * _DAY_SECONDS,
        }

    def recover(self, name: str) -> Version[T]:
        latest, _ = self.deleted(name)
        self._objects[name].deleted = None
        return latest

    def purge(self, name: str) -> None:
        self.deleted(name)
        del self._objects[name]


def page(items: Sequence[Mapping[str, Any]], path: str, query: Mapping[str, str]) -> dict[str, Any]:
    """One page of a listing, with the link to the next one (null on the last).

    `maxresults` may ask for 1 to 25 items. Clients follow the link as it is.
    """
    size, start = query.get("maxresults", str(_PAGE)), query.get("$skiptoken", "0")
    if not (size.isdecimal() and 1 <= int(size) <= _PAGE and start.isdecimal()):
        raise bad_parameter(f"maxresults must be between 1 and {_PAGE}\r\n")
    end = int(start) + int(size)
    link = (
        f"{VAULT_URL}{path}?api-version={query['api-version']}&$skiptoken={end}&maxresults={size}"
    )
    return {"value": items[int(start) : end], "nextLink": link if end < len(items) else None}
