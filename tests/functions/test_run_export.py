"""The export of runs, from request to response, with fakes behind the ports."""

import csv
import gzip
import hashlib
import io
import json
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import azure.functions as func
import pytest

from shared import errors
from shared.errors import FlowRunnerError
from shared.model import (
    ALL_TIME,
    EVERY_RUN,
    Period,
    Run,
    RunFilter,
    RunPage,
    TenantId,
    UserId,
    base32,
)
from shared.secret import Secret
from tests.contract.rows import run_row
from tests.fakes import NOON, World
from tests.fakes.runs import MemoryRunStore
from tests.functions.host import call, failure_of, json_of, registered
from tests.receipts import key_set
from tools.verify_receipt import verify_export


@pytest.fixture
async def carol(world: World) -> Secret:
    """The session token of contoso's administrator."""
    return await world.session_of("carol")


async def put(world: World, name: str, count: int) -> list[str]:
    """Runs of somebody, a second apart from noon on; their ids, newest first."""
    caller = await world.signed_in(name)
    rows = [
        replace(run_row(caller.tenant, f"{name}{n}", later=n * 1_000), user=caller.user)
        for n in range(count)
    ]
    for row in rows:
        world.runs.rows[row.tenant, row.id] = row
    return [row.id for row in reversed(rows)]


async def exported(
    world: World,
    token: Secret,
    params: Mapping[str, str] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> func.HttpResponse:
    return await call(world.services, "run_export", token=token, headers=headers, params=params)


async def verified(world: World, response: func.HttpResponse) -> bytes:
    """The content without its coding, after its signature was verified as a customer would."""
    assert response.status_code == 200
    body = response.get_body()
    if response.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    signature = response.headers["X-Export-Signature"].encode()
    keys = (await call(world.services, "public_keys")).get_body()
    assert verify_export(iter([body]), signature, keys)
    return body


def ids_in(body: bytes) -> list[str]:
    return [json.loads(line)["run_id"] for line in body.splitlines()]


async def test_the_export_is_ndjson_signed_and_a_file(world: World, carol: Secret) -> None:
    runs = await put(world, "alice", 3)

    response = await exported(world, carol)

    assert response.mimetype == "application/x-ndjson"
    assert ids_in(await verified(world, response)) == runs
    assert response.headers["Content-Disposition"] == (
        'attachment; filename="flowrunner-runs-20260115T120000Z.ndjson"'
    )
    assert "Content-Encoding" not in response.headers
    assert response.headers["Vary"] == "Origin, Accept, Accept-Encoding"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_lines_are_the_runs_of_the_list(world: World, connected: Secret) -> None:
    await call(world.services, "flow_invoke", token=connected, route={"flow": "Log_Email"}, body={})
    carol = await world.session_of("carol")
    listed = await call(world.services, "run_list", token=carol, params={"scope": "tenant"})

    body = await verified(world, await exported(world, carol))

    assert [json.loads(line) for line in body.splitlines()] == json_of(listed)["runs"]
    assert json.loads(body)["flow_name"] == "Log_Email"


async def test_csv_is_answered_to_who_asks_for_it(world: World, carol: Secret) -> None:
    runs = await put(world, "alice", 3)

    response = await exported(world, carol, headers={"Accept": "text/csv"})

    assert (response.mimetype, response.charset) == ("text/csv", "utf-8")
    assert response.headers["Content-Disposition"].endswith('Z.csv"')
    text = (await verified(world, response)).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [row["run_id"] for row in rows] == runs


async def test_an_origin_of_ours_may_read_the_signature(world: World, carol: Secret) -> None:
    response = await exported(world, carol, headers={"Origin": "https://addin.example.com"})

    exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"X-Export-Signature", "Content-Disposition"} <= set(exposed)


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/csv"])
async def test_gzip_is_answered_to_who_reads_it(world: World, carol: Secret, accept: str) -> None:
    """The signature is over the content, so it is the same content with and without."""
    await put(world, "alice", 250)
    plain = await exported(world, carol, headers={"Accept": accept})
    headers = {"Accept": accept, "Accept-Encoding": "gzip, deflate, br"}

    packed = await exported(world, carol, headers=headers)

    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.get_body()) * 5 < len(plain.get_body())
    assert await verified(world, packed) == await verified(world, plain) == plain.get_body()


async def test_an_empty_export_is_answered_like_any_other(world: World, carol: Secret) -> None:
    both: list[dict[str, str]] = [{}, {"Accept-Encoding": "gzip"}]
    for headers in both:
        assert await verified(world, await exported(world, carol, headers=headers)) == b""


@pytest.mark.parametrize("name", ["alice", "mallory", "dave"])
async def test_n04_only_an_administrator_exports(world: World, name: str) -> None:
    token = await world.session_of(name)

    assert failure_of(await exported(world, token)) == (403, "not_admin")


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"},
        {"tenant": "ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3"},
        {"tenant_id": "*", "scope": "all", "user_id": "*"},
        {"from": "2026-01-15T12:00:00Z' or PartitionKey ne '"},
        {"after": "cnVufDB8eA", "limit": "0"},
    ],
    ids=["plain", "a-period", "a-tenant", "a-star", "injection", "paging"],
)
async def test_n01_no_parameter_shows_a_row_of_another_tenant(
    world: World, params: dict[str, str]
) -> None:
    contosos, fabrikams = await put(world, "alice", 5), await put(world, "dave", 3)
    grace = await world.session_of("grace")

    response = await exported(world, grace, params)

    if response.status_code == 200:
        assert ids_in(await verified(world, response)) == fabrikams
    for run_id in contosos:
        assert run_id.encode() not in response.get_body()


@pytest.mark.parametrize(
    ("begin", "end", "runs"),
    [
        (None, None, "43210"),
        ("2026-01-15T12:00:01Z", None, "4321"),
        (None, "2026-01-15T12:00:01Z", "0"),
        ("2026-01-15T12:00:01Z", "2026-01-15T12:00:03Z", "21"),
        ("2026-01-15T12:00:01.000001Z", "2026-01-15T12:00:03.000001000Z", "32"),
        ("2026-01-15t13:00:02+01:00", "2026-01-15T06:30:04-05:30", "32"),
        ("2026-01-15T12:00:02z", "2026-01-15T12:00:02-00:00", ""),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "43210"),
        ("", "", "43210"),
    ],
)
async def test_a_period_holds_its_beginning_and_not_its_end(
    world: World, carol: Secret, begin: str | None, end: str | None, runs: str
) -> None:
    await put(world, "alice", 5)
    params = {name: text for name, text in (("from", begin), ("to", end)) if text is not None}

    body = await verified(world, await exported(world, carol, params))

    assert ids_in(body) == [f"r-alice{n}" for n in runs]


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-15", "12:00:00Z", "2026-01-15T12:00:00", "2026-01-15 12:00:00Z", "now", "0",
        "1768478400", "2026-01-15T12:00:00 01:00", "2026-1-15T12:00:00Z", "2026-02-30T00:00:00Z",
        "2026-01-15T24:00:01Z", "2026-01-15T12:60:00Z", "2026-01-15T12:00:61Z", "20260115T120000Z",
        "2026-01-15T12:00:00.Z", "2026-01-15T12:00:00,5Z", "2026-01-15T12:00Z", "2026-W03-4T12:00Z",
        "2026-01-15T12:00:00+24:00", "2026-01-15T12:00:00+0100", "2026-01-15T12:00:00Z\n",
        "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-01:00",
        "\u0662026-01-15T12:00:00Z", "2026-01-15T12:00:00.0000000001Z", "x" * 3_000, " ", "null",
    ],
    ids=ascii,
)  # fmt: skip
async def test_a_time_of_another_form_is_invalid(world: World, carol: Secret, text: str) -> None:
    for name in ("from", "to"):
        response = await exported(world, carol, {name: text})
        assert failure_of(response) == (400, "invalid_request")


async def test_a_period_does_not_end_before_it_begins(world: World, carol: Secret) -> None:
    reversed_ = {"from": "2026-01-15T12:00:00.000001Z", "to": "2026-01-15T12:00:00Z"}

    assert failure_of(await exported(world, carol, reversed_)) == (400, "invalid_request")


@pytest.mark.parametrize("accept", ["application/json", "text/html", "text/csv;q=0"])
async def test_who_reads_neither_form_is_told_so(world: World, carol: Secret, accept: str) -> None:
    response = await exported(world, carol, headers={"Accept": accept})

    assert failure_of(response) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("fake", "method", "failure", "answer"),
    [
        ("runs", "page", errors.StorageFailedError, (502, "storage_failed")),
        ("signer", "newest", errors.KeyVaultFailedError, (502, "key_vault_failed")),
        ("signer", "sign", errors.KeyVaultFailedError, (502, "key_vault_failed")),
        ("signer", "sign", RuntimeError, (500, "internal")),
    ],
    ids=["storage", "no-key", "no-signature", "crash"],
)
async def test_each_failure_has_its_own_code(
    world: World,
    carol: Secret,
    fake: str,
    method: str,
    failure: Callable[[], FlowRunnerError],
    answer: tuple[int, str],
) -> None:
    faulty: Any = getattr(world, fake)
    faulty.faults.plan(method, failure)

    response = await exported(world, carol, headers={"Accept-Encoding": "gzip"})

    assert failure_of(response) == answer
    assert "X-Export-Signature" not in response.headers
    assert response.headers["Vary"] == "Origin"


async def test_the_contracts_form_of_the_signature_is_what_is_sent(
    world: World, carol: Secret
) -> None:
    signature = (await exported(world, carol)).headers["X-Export-Signature"]

    assert signature.isascii()
    assert len(signature) < 400
    header, nothing, value = signature.split(".")
    assert (bool(header), nothing, len(value)) == (True, "", 86)


async def test_an_export_of_before_a_rotation_verifies_with_the_keys_of_today(
    world: World, carol: Secret
) -> None:
    await put(world, "alice", 2)
    old = await exported(world, carol)
    world.signer.rotate()

    assert len(json.loads(await key_set(world.signer))["keys"]) == 2
    assert await verified(world, old)
    assert await verified(world, await exported(world, carol))


class LongHistory(MemoryRunStore):
    """Runs of every five minutes, made when they are read: none is held by the store."""

    count = 30_000

    async def page(
        self,
        tenant: TenantId,
        user: UserId | None,
        *,
        after: str | None,
        limit: int,
        period: Period = ALL_TIME,
        where: RunFilter = EVERY_RUN,
    ) -> RunPage:
        first = int(after or 0)
        last = min(first + limit, self.count)
        runs = tuple(self._run(tenant, n) for n in range(first, last))
        return RunPage(runs=runs, next=str(last) if last < self.count else None)

    def _run(self, tenant: TenantId, number: int) -> Run:
        """Its id is as hard to compress as a real one."""
        name = base32(hashlib.sha256(str(number).encode()).digest()[:16])
        return run_row(tenant, name, started=NOON - number * timedelta(minutes=5))


async def test_a_long_export_takes_little_more_memory_than_its_compressed_answer(
    world: World, carol: Secret
) -> None:
    """Half as much again, and two megabytes for the page under way. The plain text alone would
    take three times that."""
    world.runs = LongHistory(world.gates)
    handler = registered(world.services)["run_export"].get_user_function()
    request = func.HttpRequest(
        method="GET",
        url="/",
        headers={"Authorization": f"Bearer {carol.reveal()}", "Accept-Encoding": "gzip"},
        body=b"",
    )
    tracemalloc.start()
    response = await handler(request)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    packed, plain = response.get_body(), await verified(world, response)
    assert plain.count(b"\n") == LongHistory.count
    assert peak < 1.5 * len(packed) + 2**21 < len(plain) / 1.5
