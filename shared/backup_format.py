"""The files of a backup as bytes: rows as gzip NDJSON, and the JSON documents beside them.

What is written is read back to the same values, types included. Reading is strict: a document that
this module would have written otherwise, by a single byte, is none. Pure: no I/O, and no keys.
"""

import base64
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from shared.errors import InvalidRequestError, Json
from shared.model import DeletionScope, TenantId, WrappedKey
from shared.model.backups import BackupManifest, BackupPart, Cell, LedgerEntry, Row

_FORMAT: Final = 1
_LEVEL: Final = 6
_NOT_OURS: Final = (
    KeyError, TypeError, ValueError, OverflowError, RecursionError, InvalidRequestError,
)  # fmt: skip

type Content = Mapping[str, Json]


class UnreadableError(Exception):
    """These bytes are not what this module writes."""


# --- rows ----------------------------------------------------------------------------------------


class PackedRows:
    """Rows on their way into a file: compressed as they come, so that few are in memory."""

    def __init__(self) -> None:
        self.count = 0
        self._packed = bytearray()
        # 16 + MAX_WBITS: with a gzip header, in which zlib writes neither time nor name, so that
        # the same rows give the same bytes (RFC 1952, 2.3.1).
        self._gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def add(self, row: Row) -> None:
        cells = {name: _told(value) for name, value in row.items()}
        self._packed += self._gzip.compress(_compact(cells) + b"\n")
        self.count += 1

    def finished(self) -> bytes:
        """The file. Nothing can be added after this."""
        self._packed += self._gzip.flush()
        return bytes(self._packed)


def unpacked_rows(packed: bytes) -> Iterator[Row]:
    """The rows of a file, one by one. Raises UnreadableError, at any row."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as lines:
            for line in lines:
                cells: dict[str, Any] = json.loads(line)
                yield {name: _meant(value) for name, value in cells.items()}
    except (*_NOT_OURS, OSError, EOFError, AttributeError, zlib.error) as exc:
        raise UnreadableError from exc


def _told(cell: Cell) -> Json:
    """As JSON. Texts, numbers and booleans are themselves; the others say what they are."""
    if isinstance(cell, datetime):
        return {"time": cell.astimezone(UTC).isoformat()}
    if isinstance(cell, bytes):
        return {"bytes": base64.b64encode(cell).decode()}
    return cell


def _meant(value: object) -> Cell:
    match value:
        case {"time": str(text), **rest} if not rest:
            return datetime.fromisoformat(text)
        case {"bytes": str(text), **rest} if not rest:
            return base64.b64decode(text, validate=True)
        case str() | bool() | int() | float():
            return value
    raise TypeError


# --- documents -----------------------------------------------------------------------------------


def digest_of(content: Content) -> bytes:
    """SHA-256 of the canonical form: keys in order, no spaces, ASCII."""
    return hashlib.sha256(_compact(content)).digest()


def sealed_document(content: Content, seal: bytes) -> bytes:
    """The content, and a seal over its digest."""
    return _compact({**content, "seal": base64.b64encode(seal).decode()}) + b"\n"


def parted_document(data: bytes) -> tuple[Content, bytes]:
    """The content and the seal, which is for the caller to check. Raises UnreadableError."""
    try:
        content: dict[str, Json] = json.loads(data)
        seal = base64.b64decode(str(content.pop("seal")), validate=True)
        if content["format"] != _FORMAT or sealed_document(content, seal) != data:
            raise ValueError
    except (*_NOT_OURS, AttributeError) as exc:
        raise UnreadableError from exc
    return content, seal


def manifest_content(manifest: BackupManifest) -> Content:
    return {
        "format": _FORMAT,
        "tenant": str(manifest.tenant),
        "taken_at": manifest.taken_at.isoformat(),
        "files": [
            {
                "name": part.name,
                "table": part.table,
                "rows": part.rows,
                "bytes": part.size,
                "sha256": part.sha256,
            }
            for part in manifest.parts
        ],
    }


def manifest_from(content: Content) -> BackupManifest:
    """Raises UnreadableError."""
    told: Any = content
    try:
        return BackupManifest(
            tenant=TenantId.parse(told["tenant"]),
            taken_at=_time(told["taken_at"]),
            parts=tuple(
                BackupPart(
                    name=str(file["name"]),
                    table=str(file["table"]),
                    rows=int(file["rows"]),
                    size=int(file["bytes"]),
                    sha256=str(file["sha256"]),
                )
                for file in told["files"]
            ),
        )
    except _NOT_OURS as exc:
        raise UnreadableError from exc


def keys_content(tenant: TenantId, keys: Sequence[WrappedKey]) -> Content:
    return {
        "format": _FORMAT,
        "tenant": str(tenant),
        "keys": [
            {
                "version": key.version,
                "wrapped": base64.b64encode(key.wrapped).decode(),
                "kek_id": key.kek_id,
                "created_at": key.created_at.isoformat(),
            }
            for key in keys
        ],
    }


def keys_from(content: Content) -> tuple[WrappedKey, ...]:
    """Raises UnreadableError."""
    told: Any = content
    try:
        tenant = TenantId.parse(told["tenant"])
        return tuple(
            WrappedKey(
                tenant=tenant,
                version=int(key["version"]),
                wrapped=base64.b64decode(key["wrapped"], validate=True),
                kek_id=str(key["kek_id"]),
                created_at=_time(key["created_at"]),
            )
            for key in told["keys"]
        )
    except _NOT_OURS as exc:
        raise UnreadableError from exc


def ledger_entry_from(data: bytes) -> LedgerEntry:
    """An entry of the ledger of deletions; what it knows beyond this is left. Raises
    UnreadableError."""
    try:
        told: Any = json.loads(data)
        subject = told["subject_sha256"]
        scope = DeletionScope(told["scope"])
        if scope is DeletionScope.USER and not isinstance(subject, str):
            raise ValueError
        return LedgerEntry(
            deletion_id=str(told["deletion_id"]),
            tenant=TenantId.parse(told["tenant"]),
            scope=scope,
            subject_sha256=subject,
            confirmed_at=_time(told["confirmed_at"]),
            receipted_at=None if told["receipted_at"] is None else _time(told["receipted_at"]),
        )
    except _NOT_OURS as exc:
        raise UnreadableError from exc


def _time(text: str) -> datetime:
    """A time with its offset (RFC 3339). ValueError for one without."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("no offset")
    return time


def _compact(value: Json | Content) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
