"""Entity group transactions as they leave, beside those of azure-data-tables; and what becomes of
every answer that there can be."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self, cast
from urllib.parse import unquote

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from shared.azure_transport import NetworkTransport
from shared.errors import StorageFailedError
from shared.model import TenantId
from shared.storage.entity_groups import EntityGroups, RefusedError, Write
from shared.storage.schema_gate import UnlistedColumnError
from shared.storage.tables import store_call
from tests.upstream import (
    Answer,
    Received,
    Upstream,
    answering,
    dropping,
    gzipped,
    hanging,
    in_turn,
    page,
    redirecting,
    upstream,
)

TABLES: Final = "flowrunner.table.core.windows.net"
ELSEWHERE: Final = "evil.example.com"
TENANT: Final = TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3")
WHEN: Final = datetime(2026, 1, 15, 12, 30, 15, 123456, tzinfo=UTC)
RUN: Final = {
    "PartitionKey": TENANT,
    "RowKey": "run|1|r-1",
    "run_id": "r-1",
    "started_at": WHEN,
    "outcome": "started",
    "duration_ms": 1_815_123,
}
STRANGE: Final = (
    "O'Neil''s",
    "a/b\\c#d?e%2f%27&='),RowKey='x",
    "Zoë 京都 \U0001f600",
    "spaces and\ttabs",
    "--batch_0\r\n\r\nDELETE https://elsewhere HTTP/1.1",
    '"}\r\n--changeset_0--\r\n',
    "",
)
STRANGE_KEYS: Final = (
    "O'Neil''s",
    "a%2fb%27&='),RowKey='x;:@+$,!*()",
    "Zoë 京都 \U0001f600",
    " spaces ",
    "",
)
"""Some characters no key may have: tests/attacks/test_what_a_row_holds.py."""


class Tokens:
    """A credential that counts how often it is asked, and gives out another one each time."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        self.asked.append(scopes)
        return AccessToken(
            f"token-{len(self.asked)}", int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
        )

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


class Rig:
    """The service's side and the Table service's."""

    def __init__(self, server: Upstream) -> None:
        self.server = server
        self.tokens = Tokens()
        self.groups = EntityGroups(
            f"https://{TABLES}",
            credential=self.tokens,
            transport=lambda: NetworkTransport(server.network),
        )

    async def submit(self, *writes: Write) -> None:
        """As the stores do it: with their deadline, and with one failure for all."""
        async with store_call():
            await self.groups.submit("runs", writes)

    async def by_the_sdk(self, *writes: Write) -> None:
        client = TableClient(
            f"https://{TABLES}",
            "runs",
            credential=self.tokens,
            transport=NetworkTransport(self.server.network),
        )
        operations: list[Any] = []
        for write in writes:
            entity = {k: str(v) if isinstance(v, str) else v for k, v in write.entity.items()}
            if write.kind == "insert":
                operations.append(("create", entity))
            else:
                operations.append(("update", entity, {"mode": UpdateMode.MERGE}))
        await client.submit_transaction(operations)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with upstream(TABLES, ELSEWHERE) as server:
        server.answer = done(1)
        yield Rig(server)


def insert(**changes: object) -> Write:
    return Write(kind="insert", entity={**RUN, **changes})


def merge(**changes: object) -> Write:
    return Write(kind="merge", entity={**RUN, **changes})


# --- the Table service's answers -----------------------------------------------------------------


def answer_of(*parts: str, status: int = 202, boundary: str = "x") -> Answer:
    """https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions"""
    lines = [
        f"--batchresponse_{boundary}",
        f"Content-Type: multipart/mixed; boundary=changesetresponse_{boundary}",
        "",
    ]
    for part in parts:
        lines += [
            f"--changesetresponse_{boundary}",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            part,
        ]
    lines += [f"--changesetresponse_{boundary}--", f"--batchresponse_{boundary}--", ""]
    kind = f"multipart/mixed; boundary=batchresponse_{boundary}"
    return answering("\r\n".join(lines).encode(), status=status, content_type=kind)


def done(count: int) -> Answer:
    return answer_of(*["HTTP/1.1 204 No Content\r\nDataServiceVersion: 1.0;\r\n\r\n"] * count)


def refused(index: int | str, code: str = "EntityAlreadyExists", status: int = 409) -> Answer:
    said = f"{index}:The specified entity already exists.\nRequestId:0\nTime:2026-01-15T12:30:15Z"
    error = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": said}}}
    kind = "Content-Type: application/json;odata=minimalmetadata;streaming=true;charset=utf-8"
    return answer_of(f"HTTP/1.1 {status} Conflict\r\n{kind}\r\n\r\n{json.dumps(error)}\r\n")


# --- what is sent --------------------------------------------------------------------------------


def operations_in(one: Received) -> list[tuple[str, str, Message, dict[str, Any]]]:
    """Method, URL, headers and entity of each, as a reader of MIME finds them."""
    kind = one.headers["Content-Type"]
    batch = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + one.body)
    (changeset,) = cast("list[Message]", batch.get_payload())
    found = []
    for part in cast("list[Message]", changeset.get_payload()):
        assert part["Content-Type"] == "application/http"
        assert part["Content-Transfer-Encoding"] == "binary"
        text = str(part.get_payload()).replace("\r\n", "\n")
        line, _, rest = text.partition("\n")
        head, _, content = rest.partition("\n\n")
        method, _, address = line.partition(" ")
        assert address.endswith(" HTTP/1.1")
        headers = message_from_bytes(head.encode())
        found.append((method, address.removesuffix(" HTTP/1.1"), headers, json.loads(content)))
    return found


def without_what_json_tells(entity: Mapping[str, Any]) -> dict[str, Any]:
    """The SDK names the type of every text, too, which is what a text is anyway."""
    return {name: value for name, value in entity.items() if value != "Edm.String"}


@pytest.mark.parametrize(
    ("column", "text"),
    [
        *(("outcome", text) for text in STRANGE),
        *((column, text) for column in ("PartitionKey", "RowKey") for text in STRANGE_KEYS),
    ],
)
async def test_the_same_operations_leave_as_the_sdk_sends_them(
    rig: Rig, column: str, text: str
) -> None:
    text = f"run|{text}" if column == "RowKey" else text
    row = {column: text}
    writes = (insert(**row), merge(**row), insert(**row, duration_ms=2))
    rig.server.answer = done(3)

    await rig.submit(*writes)
    await rig.by_the_sdk(*writes)

    ours, theirs = (operations_in(one) for one in rig.server.received)
    assert len(ours) == len(theirs) == 3
    for (method, url, headers, entity), (their_method, their_url, their_headers, theirs_is) in zip(
        ours, theirs, strict=True
    ):
        # The service's documentation names MERGE, and takes PATCH for the same.
        assert method == {"PATCH": "MERGE"}.get(their_method, their_method)
        assert url == their_url
        assert entity == without_what_json_tells(theirs_is)
        for name in ("If-Match", "DataServiceVersion", "x-ms-version"):
            assert headers[name] == their_headers[name]
        assert str(headers["Content-Type"]).startswith(their_headers["Content-Type"])


async def test_the_request_around_them_is_the_sdks_but_for_what_tells_of_us(rig: Rig) -> None:
    await rig.submit(insert())
    await rig.by_the_sdk(insert())

    ours, theirs = rig.server.received
    assert (ours.method, ours.host, ours.path) == (theirs.method, theirs.host, theirs.path)
    for name in ("x-ms-version", "DataServiceVersion", "MaxDataServiceVersion", "Accept"):
        assert ours.headers[name] == theirs.headers[name]
    for one in (ours, theirs):
        at = parsedate_to_datetime(one.headers["x-ms-date"])
        assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
        assert one.headers["x-ms-date"].endswith(" GMT")
    assert re.fullmatch(r"multipart/mixed; boundary=batch_[-0-9a-f]+", ours.headers["Content-Type"])
    assert {name.lower() for name in ours.headers} == {
        "accept", "accept-encoding", "authorization", "content-length", "content-type",
        "dataserviceversion", "host", "maxdataserviceversion", "user-agent", "x-ms-date",
        "x-ms-version",
    }  # fmt: skip
    assert "azsdk" not in ours.headers["User-Agent"]


async def test_neither_headers_nor_boundaries_tell_one_request_of_a_tenant_from_anothers(
    rig: Rig,
) -> None:
    """No id goes along by which requests could be told to belong together."""
    await rig.submit(insert(RowKey="run|1"))
    await rig.submit(insert(RowKey="run|1"))

    first, second = rig.server.received
    assert first.headers["Content-Type"] != second.headers["Content-Type"]
    changing = {"Content-Type", "x-ms-date"}
    for name in first.headers.keys() - changing:
        assert first.headers[name] == second.headers[name]
    assert str(TENANT) not in repr(first.headers)


async def test_each_row_is_named_by_its_keys_and_no_operation_by_more(rig: Rig) -> None:
    rig.server.answer = done(2)
    gate_row = {"PartitionKey": TENANT, "RowKey": "gate|u-o'neil%2f"}
    await rig.submit(Write(kind="merge", entity=gate_row), insert())

    (gate, run) = operations_in(rig.server.received[0])
    assert gate[0] == "MERGE"
    assert gate[1] == (
        f"https://{TABLES}/runs(PartitionKey='{TENANT}',RowKey='gate%7Cu-o%27%27neil%252f')"
    )
    assert unquote(gate[1]).endswith("RowKey='gate|u-o''neil%2f')")
    assert (gate[2]["If-Match"], run[2]["If-Match"]) == ("*", None)
    assert run[:2] == ("POST", f"https://{TABLES}/runs")
    assert run[2]["Prefer"] == "return-no-content"


@pytest.mark.parametrize("text", STRANGE)
async def test_nothing_in_a_value_ends_a_line_or_a_part(rig: Rig, text: str) -> None:
    rig.server.answer = done(2)
    await rig.submit(insert(outcome=text), insert(RowKey="run|2"))

    body = rig.server.received[0].body
    ((*_, entity), (*_, second)) = operations_in(rig.server.received[0])
    assert entity["outcome"] == text
    assert second["RowKey"] == "run|2"
    assert body.isascii()
    assert body.count(b"HTTP/1.1\r\n") == 2
    assert body.count(b"\n") == body.count(b"\r\n")


async def test_the_time_is_told_in_utc_to_the_microsecond(rig: Rig) -> None:
    there = WHEN.astimezone(timezone(timedelta(hours=5, minutes=30)))
    rig.server.answer = done(2)
    await rig.submit(insert(started_at=there), insert(started_at=WHEN.replace(microsecond=0)))

    told = [entity["started_at"] for *_, entity in operations_in(rig.server.received[0])]
    assert told == ["2026-01-15T12:30:15.123456Z", "2026-01-15T12:30:15.000000Z"]


@pytest.mark.parametrize("number", [0, -1, 2**31 - 1, -(2**31)])
async def test_a_whole_number_is_an_int32(rig: Rig, number: int) -> None:
    await rig.submit(insert(duration_ms=number))
    await rig.by_the_sdk(insert(duration_ms=number))

    for one in rig.server.received:
        ((*_, entity),) = operations_in(one)
        assert entity["duration_ms"] == number
        assert "duration_ms@odata.type" not in entity


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1])
async def test_a_number_that_is_no_int32_is_refused_here_as_by_the_sdk(
    rig: Rig, value: int
) -> None:
    """Bare, it would be another type in the table, or a refusal of the whole transaction."""
    with pytest.raises(TypeError):
        await rig.by_the_sdk(insert(duration_ms=value))
    with pytest.raises(TypeError):
        await rig.groups.submit("runs", [insert(), insert(duration_ms=value)])

    assert rig.server.received == []


@pytest.mark.parametrize("value", [True, 1.5, b"bytes", None, ["a"], {"a": 1}, float("nan")])
async def test_a_value_of_another_type_is_refused_before_anything_is_sent(
    rig: Rig, value: object
) -> None:
    with pytest.raises(TypeError):
        await rig.groups.submit("runs", [insert(), insert(RowKey="run|2", outcome=value)])

    assert rig.server.received == []


@pytest.mark.parametrize(
    "row", [{"subject": "a mail's"}, {"RowKey": "other|1"}, {"RowKey": "gate|u-alice"}]
)
async def test_what_the_schema_does_not_list_is_not_sent(rig: Rig, row: dict[str, object]) -> None:
    with pytest.raises(UnlistedColumnError):
        await rig.submit(insert(), insert(**row))

    assert rig.server.received == []


# --- what is answered ----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 100])
async def test_all_are_written_when_each_has_its_answer(rig: Rig, count: int) -> None:
    rig.server.answer = done(count)

    await rig.submit(*(insert(RowKey=f"run|{number}") for number in range(count)))


@pytest.mark.parametrize("index", [0, 1, 9])
@pytest.mark.parametrize(
    ("code", "status"),
    [("EntityAlreadyExists", 409), ("ResourceNotFound", 404), ("InvalidInput", 400)],
)
async def test_a_refusal_says_which_and_why(rig: Rig, index: int, code: str, status: int) -> None:
    rig.server.answer = refused(index, code, status)

    with pytest.raises(RefusedError) as caught:
        await rig.submit(*(insert(RowKey=f"run|{number}") for number in range(10)))

    assert (caught.value.index, caught.value.code) == (index, code)
    assert len(rig.server.received) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refused(1), id="of-an-operation-that-was-not-asked-for"),
        pytest.param(refused(-1), id="of-an-operation-before-the-first"),
        pytest.param(refused("The"), id="of-no-operation"),
        pytest.param(refused(0, status=500), id="a-part-that-timed-out"),
        pytest.param(refused(0, "ServerBusy", 503), id="a-part-that-was-too-much"),
        pytest.param(refused(0, "TooManyRequests", 429), id="a-part-that-was-one-too-many"),
        pytest.param(refused(0, status=302), id="a-part-that-is-elsewhere"),
        pytest.param(answer_of(), id="no-part"),
        pytest.param(done(2), id="a-part-too-many"),
        pytest.param(answer_of("HTTP/1.1 204 No Content", status=200), id="200"),
        pytest.param(answer_of("HTTP/1.1 204 No Content", status=400), id="400-of-the-whole"),
        pytest.param(answering(b'{"odata.error": {"code": "InvalidInput"}}', status=400), id="400"),
        pytest.param(answering(b"", status=403), id="403"),
        pytest.param(answering(b"", status=404), id="404"),
        pytest.param(answering(b"", status=413), id="413"),
        pytest.param(answering(b"", status=202), id="nothing"),
        pytest.param(answering(bytes(range(256)), status=202), id="garbage"),
        pytest.param(answer_of("HTTP/1.1 409 C\r\n\r\n{}"), id="an-empty-error"),
        pytest.param(answer_of("HTTP/1.1 409 C\r\n\r\n" + "[" * 5_000), id="an-endless-error"),
        pytest.param(
            answer_of("HTTP/1.1 409 C\r\n\r\n" + '{"a":' * 100_000 + "0" + "}" * 100_000),
            id="a-deep-error",
        ),
        pytest.param(answer_of('HTTP/1.1 409 C\r\n\r\n{"odata.error": "no"}'), id="another-shape"),
        pytest.param(page(202), id="a-page"),
        pytest.param(dropping, id="no-answer"),
    ],
)
async def test_any_other_answer_is_a_failure_of_the_store(rig: Rig, answer: Answer) -> None:
    rig.server.answer = answer

    with pytest.raises(StorageFailedError):
        await rig.submit(insert())


async def test_garbage_is_read_in_no_time(rig: Rig) -> None:
    """An answer that keeps beginning what looks like a refusal."""
    part = "HTTP/1.1 409 Conflict\r\n\r\n" + '{"odata.error": "code": "A", ' * 30_000
    rig.server.answer = answer_of(part)
    began = time.monotonic()

    with pytest.raises(StorageFailedError):
        await rig.submit(insert())

    assert time.monotonic() - began < 2


async def test_an_answer_that_breaks_off_is_a_failure_of_the_store(rig: Rig) -> None:
    written: list[bytes] = []

    async def breaks_off(request: Any) -> Any:  # noqa: ANN401 - aiohttp's
        answer = await done(2)(request)
        written.append(bytes(answer.body))  # type: ignore[attr-defined]
        answer.headers["Content-Length"] = str(len(written[0]))
        await answer.prepare(request)
        request.transport.write(written[0][:-40])
        request.transport.close()
        return answer

    rig.server.answer = breaks_off

    with pytest.raises(StorageFailedError):
        await rig.submit(insert(), insert(RowKey="run|2"))
    assert written


@pytest.mark.parametrize("kept", range(1, 6))
async def test_of_a_whole_answer_that_lacks_its_end_nothing_counts_as_written(
    rig: Rig, kept: int
) -> None:
    """As of a proxy that closes it in good order: five of ten operations are not ten."""
    rig.server.answer = done(kept)

    with pytest.raises(StorageFailedError):
        await rig.submit(*(insert(RowKey=f"run|{number}") for number in range(kept + 1)))


async def test_an_answer_that_has_no_end_is_not_read_to_it(rig: Rig) -> None:
    sent = 0

    async def endless(request: Any) -> Any:  # noqa: ANN401 - aiohttp's
        nonlocal sent
        answer = await done(1)(request)
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        for _ in range(1_000):
            await answer.write(bytes(64 * 1024))
            sent += 1
        return answer

    rig.server.answer = endless

    with pytest.raises(StorageFailedError):
        await asyncio.wait_for(rig.submit(insert()), timeout=5)
    assert sent < 1_000


async def test_an_answer_that_was_packed_unasked_is_not_unpacked(rig: Rig) -> None:
    """Nobody makes us inflate anything: we ask for the answer as it is."""
    rig.server.answer = gzipped(bytes(50_000_000))

    with pytest.raises(StorageFailedError):
        await rig.submit(insert())

    assert rig.server.received[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_and_no_token_goes_elsewhere(rig: Rig, status: int) -> None:
    rig.server.answer = redirecting(f"https://{ELSEWHERE}/$batch", status)

    with pytest.raises(StorageFailedError):
        await rig.submit(insert())

    assert [one.host for one in rig.server.received] == [TABLES]


# --- again, and for how long ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503])
async def test_what_the_service_says_is_for_the_moment_is_tried_again(
    rig: Rig, status: int
) -> None:
    rig.server.answer = in_turn(answering(status=status), answering(status=status), done(1))

    await rig.submit(insert())

    assert len({one.body for one in rig.server.received}) == 1
    assert len(rig.server.received) == 3


@pytest.mark.parametrize("status", [408, 503])
async def test_as_soon_as_the_service_says_and_no_sooner(rig: Rig, status: int) -> None:
    rig.server.answer = in_turn(answering(status=status, headers={"Retry-After": "1"}), done(1))
    began = time.monotonic()

    await rig.submit(insert())

    assert 1 <= time.monotonic() - began < 3


async def test_it_is_tried_three_times_at_the_most(rig: Rig) -> None:
    rig.server.answer = answering(status=503)

    with pytest.raises(StorageFailedError):
        await rig.submit(insert())

    assert len(rig.server.received) == 3


async def test_what_was_sent_and_not_answered_is_not_sent_again_from_here(rig: Rig) -> None:
    """Perhaps it was written: whoever asked decides what is to be done about it."""
    rig.server.answer = in_turn(dropping, done(1))

    with pytest.raises((AzureError, StorageFailedError)):
        await rig.groups.submit("runs", [insert()])

    assert len(rig.server.received) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(hanging, id="no-answer"),
        pytest.param(answering(status=503, headers={"Retry-After": "600"}), id="told-to-wait"),
    ],
)
async def test_no_answer_is_waited_for_longer_than_the_stores_deadline(
    rig: Rig, answer: Answer
) -> None:
    """Ten seconds (`store_call`); here less, by a deadline around it, so that the test is short."""
    rig.server.answer = answer

    with pytest.raises((StorageFailedError, TimeoutError)):
        async with asyncio.timeout(0.3):
            await rig.submit(insert())

    rig.server.answer = done(1)
    await rig.submit(insert())


# --- who may ask ---------------------------------------------------------------------------------


async def test_the_token_is_asked_for_once_and_for_storage_alone(rig: Rig) -> None:
    for _ in range(3):
        await rig.submit(insert())

    assert rig.tokens.asked == [("https://storage.azure.com/.default",)]
    assert {one.headers["Authorization"] for one in rig.server.received} == {"Bearer token-1"}


async def test_a_refused_token_is_not_used_again(rig: Rig) -> None:
    rig.server.answer = in_turn(
        answering(status=401, headers={"WWW-Authenticate": 'Bearer realm="x"'}), done(1)
    )
    with pytest.raises(StorageFailedError):
        await rig.submit(insert())

    await rig.submit(insert())

    told = [one.headers["Authorization"] for one in rig.server.received]
    assert told == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    "challenge",
    [
        f'Bearer authorization_uri="https://{ELSEWHERE}/t", resource_id="https://{ELSEWHERE}"',
        f'Bearer realm="", authorization="https://{ELSEWHERE}/", error="invalid_token"',
    ],
)
async def test_a_challenge_sends_no_token_anywhere_else(rig: Rig, challenge: str) -> None:
    rig.server.answer = answering(status=401, headers={"WWW-Authenticate": challenge})

    with pytest.raises(StorageFailedError):
        await rig.submit(insert())

    assert set(rig.tokens.asked) == {("https://storage.azure.com/.default",)}
    assert {one.host for one in rig.server.received} == {TABLES}


async def test_no_token_leaves_unencrypted(rig: Rig) -> None:
    groups = EntityGroups(
        f"http://{TABLES}",
        credential=rig.tokens,
        transport=lambda: NetworkTransport(rig.server.network),
    )

    with pytest.raises(StorageFailedError):
        async with store_call():
            await groups.submit("runs", [insert()])

    assert rig.tokens.asked == []


async def test_one_connection_serves_one_transaction_after_the_other(rig: Rig) -> None:
    """An answer that is not read to its end would cost a handshake each time."""
    ports: list[object] = []
    answer = done(1)

    async def noting(request: Any) -> Any:  # noqa: ANN401 - aiohttp's
        ports.append(request.transport.get_extra_info("peername"))
        return await answer(request)

    rig.server.answer = noting

    for _ in range(5):
        await rig.submit(insert())

    assert len(ports) == 5
    assert len(set(ports)) == 1
