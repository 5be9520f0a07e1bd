"""The files of a backup: what is written is read back, and what was not written so is refused."""

import gzip
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.backup_format import (
    PackedRows,
    UnreadableError,
    keys_content,
    keys_from,
    manifest_content,
    manifest_from,
    parted_document,
    sealed_document,
    unpacked_rows,
)
from shared.model import TenantId, WrappedKey
from shared.model.backups import BackupManifest, BackupPart, Row, day_of
from tests.contract.rows import EXACT
from tests.contract.test_table_copies import EVERY_TYPE, typed

CONTOSO = TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3")
PART = BackupPart(name="a/b", table="runs", rows=2, size=3, sha256="ab")
MANIFEST = BackupManifest(tenant=CONTOSO, taken_at=EXACT, parts=(PART, PART))
KEY = WrappedKey(
    tenant=CONTOSO, version=1, wrapped=b"\x00\xff", kek_id="https://k", created_at=EXACT
)


def packed(*rows: Row) -> bytes:
    packing = PackedRows()
    for row in rows:
        packing.add(row)
    assert packing.count == len(rows)
    return packing.finished()


def test_rows_come_back_with_the_types_of_their_columns() -> None:
    found = list(unpacked_rows(packed(EVERY_TYPE, {"RowKey": "2"})))

    assert [typed(row) for row in found] == [typed(EVERY_TYPE), typed({"RowKey": "2"})]


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    paris = datetime(2026, 1, 15, 13, 0, 0, 7, tzinfo=timezone(timedelta(hours=1)))

    (row,) = unpacked_rows(packed({"RowKey": "1", "time": paris}))

    assert row["time"] == datetime(2026, 1, 15, 12, 0, 0, 7, tzinfo=UTC)


def test_rows_are_gzip_of_one_json_object_a_line_that_anybody_can_read() -> None:
    lines = gzip.decompress(packed(EVERY_TYPE, EVERY_TYPE)).splitlines()

    assert [json.loads(line)["RowKey"] for line in lines] == ["row", "row"]


def test_the_same_rows_give_the_same_bytes() -> None:
    reordered = dict(reversed(list(EVERY_TYPE.items())))

    assert packed(EVERY_TYPE) == packed(reordered)
    assert packed(EVERY_TYPE)[4:8] == b"\0\0\0\0"  # the time in the header (RFC 1952, 2.3.1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_has_no_number_for_is_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        packed({"RowKey": "1", "real": value})


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"{}", id="no-gzip"),
        pytest.param(packed(EVERY_TYPE)[:-9], id="cut"),
        pytest.param(packed(EVERY_TYPE) + b"x", id="longer"),
        pytest.param(gzip.compress(b"[]\n"), id="no-object"),
        pytest.param(gzip.compress(b"{\n"), id="no-json"),
        pytest.param(gzip.compress(b'{"a":null}\n'), id="null"),
        pytest.param(gzip.compress(b'{"a":[1]}\n'), id="a-list"),
        pytest.param(gzip.compress(b'{"a":{"time":"noon"}}\n'), id="no-time"),
        pytest.param(gzip.compress(b'{"a":{"bytes":"?"}}\n'), id="no-bytes"),
        pytest.param(gzip.compress(b'{"a":{"bytes":"","x":1}}\n'), id="more-than-bytes"),
        pytest.param(gzip.compress(b'{"a":' + b"[" * 100_000), id="an-abyss"),
    ],
)
def test_rows_that_cannot_be_read_are_told(broken: bytes) -> None:
    with pytest.raises(UnreadableError):
        list(unpacked_rows(broken))


def test_a_manifest_comes_back() -> None:
    content, seal = parted_document(sealed_document(manifest_content(MANIFEST), b"seal"))

    assert (manifest_from(content), seal) == (MANIFEST, b"seal")


def test_keys_come_back() -> None:
    content, _ = parted_document(sealed_document(keys_content(CONTOSO, [KEY]), b"seal"))

    assert keys_from(content) == (KEY,)


WHOLE = sealed_document(manifest_content(MANIFEST), b"seal")


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]\n", id="a-list"),
        pytest.param(b"\xff", id="no-text"),
        pytest.param(WHOLE.rstrip(b"\n"), id="cut"),
        pytest.param(WHOLE + b"\n", id="longer"),
        pytest.param(WHOLE.replace(b":2,", b": 2,"), id="a-space"),
        pytest.param(WHOLE.replace(b"c2VhbA==", b"c2VhbB=="), id="other-base64-of-the-same-seal"),
        pytest.param(WHOLE.replace(b'"format":1', b'"format":2'), id="another-format"),
        pytest.param(WHOLE.replace(b',"seal":"c2VhbA=="', b""), id="no-seal"),
        pytest.param(b"[" * 100_000, id="an-abyss"),
    ],
)
def test_a_document_that_was_not_written_so_is_refused(broken: bytes) -> None:
    assert broken != WHOLE
    with pytest.raises(UnreadableError):
        parted_document(broken)


@pytest.mark.parametrize(
    ("name", "is_dated"),
    [
        ("ms-1/2026-01-15/runs.0001.sealed", True),
        ("ms-1/2026-01-15/manifest.json", True),
        ("ms-1/keys.json", False),
        ("deletions/ms-1/d-1.json", False),
        ("ms-1/2026-13-15/runs.0001.sealed", False),
        ("ms-1/2026-01-15/a/b", False),
        ("", False),
    ],
)
def test_the_day_of_a_file_is_in_its_name(name: str, is_dated: bool) -> None:
    assert (day_of(name) is not None) is is_dated
