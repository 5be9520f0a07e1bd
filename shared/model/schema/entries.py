"""What an entry of the schema says: of a column, of a kind of row, of a table, of a file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

type Category = Literal[
    "key",
    "identity, sealed",
    "token, sealed",
    "metadata, sealed",
    "pseudonym",
    "metadata",
    "technical",
]

CATEGORIES: Final[Mapping[Category, str]] = {
    "key": "A key of the tenant, wrapped by Key Vault or sealed by a key that is.",
    "identity, sealed": "Who somebody is: ids that an identity provider or Salesforce gave them.",
    "token, sealed": "What opens something: OAuth tokens and what leads to them.",
    "metadata, sealed": "What could tell something by its words, kept unreadable at rest.",
    "pseudonym": "Stands for a person or a Flow inside one tenant, and means nothing outside it.",
    "metadata": "Times, states and ids of organisations; of nobody's mail, records or name.",
    "technical": "What the service itself needs in order to work; tells nothing of anybody.",
}
"""What may be stored at all, and what each category means."""

READERS: Final[Mapping[Category, str]] = {
    "key": "Nobody. The service unwraps it in memory, by Key Vault's leave.",
    "identity, sealed": "The person, by `GET /v1/me/data`. The service, in memory.",
    "token, sealed": "Nobody is shown it. The service opens it in memory to call the user's org.",
    "metadata, sealed": "The tenant's own users. The service, in memory.",
    "pseudonym": "The person, the tenant's administrators, and whoever operates the tables.",
    "metadata": "The person, the tenant's administrators, and whoever operates the tables.",
    "technical": "Whoever operates the tables.",
}
"""Who can read a column of each category."""

FORMS: Final[Mapping[str, str]] = {
    "tenant id": r"ms-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|g-[a-z2-7]{26}",
    "user id": r"u-[a-z2-7]{26}",
    "Flow id": r"f-[a-z2-7]{26}",
    "run id": r"r-[a-z2-7]{26}",
    "deletion id": r"d-[a-z2-7]{26}",
    "change id": r"[a-z0-9-]{1,64}",
    "entry id": r"[0-9a-f]{16}",
    "org id": r"00d[a-z0-9]{15}",
    "descending time": r"[0-9]{13}",
    "keyed hash": r"[a-z2-7]{26}",
    "SHA-256": r"[0-9a-f]{64}",
    "version": r"[0-9]{1,15}",
    "lease": r"[a-z_-]{1,40}",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "table": r"[a-z]{1,20}",
    "number": r"[0-9]{4}",
}
"""What may stand for the words in angle brackets in keys and names, as regular expressions."""


def pattern_of(form: str) -> re.Pattern[str]:
    """The regular expression of a text such as `audit|<descending time>|<change id>`."""
    parts = re.split(r"<([^>]+)>", form)
    spelt = (f"(?:{FORMS[p]})" if n % 2 else re.escape(p) for n, p in enumerate(parts))
    return re.compile("".join(spelt), re.ASCII)


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `form` is what a pseudonym looks like, whole: a key of `FORMS`."""

    name: str
    category: Category
    purpose: str
    form: str | None = None

    @property
    def is_sealed(self) -> bool:
        """AES-256-GCM under the tenant's data key, bound to its place."""
        return self.name.startswith("sealed")

    @property
    def protection(self) -> str:
        """How the value is protected, in words."""
        if self.is_sealed:
            return "AES-256-GCM, the tenant's data key"
        return "RSA-OAEP-256, in Key Vault" if self.name == "wrapped" else ""


@dataclass(frozen=True)
class Kind:
    """A kind of row of a table: how its row key is made, why it is there, and how long."""

    name: str
    row_key: str
    purpose: str
    retention: str
    columns: tuple[Column, ...] = ()

    @cached_property
    def key_begins(self) -> str:
        """The part of the row key that is the same for all rows of the kind."""
        return self.row_key.partition("<")[0]

    @cached_property
    def column_names(self) -> frozenset[str]:
        """The keys among them."""
        return frozenset({"PartitionKey", "RowKey", *(column.name for column in self.columns)})

    def is_named(self, row_key: str) -> bool:
        """Whether a row key is of this kind, as far as its beginning tells."""
        if "<" in self.row_key:
            return row_key.startswith(self.key_begins)
        return row_key == self.row_key


@dataclass(frozen=True, slots=True)
class Table:
    """A table. Its partition key is the tenant's id, and each kind of row is listed; of two kinds
    that a row key could be of, the first."""

    name: str
    purpose: str
    kinds: tuple[Kind, ...]

    def kind_of(self, row_key: str) -> Kind | None:
        for kind in self.kinds:
            if kind.is_named(row_key):
                return kind
        return None


@dataclass(frozen=True, slots=True)
class File:
    """A file beside the tables."""

    kind: str
    name: str
    content: str
    category: Category
    protection: str
    retention: str
