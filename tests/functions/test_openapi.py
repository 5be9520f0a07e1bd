"""The contract is OpenAPI 3.1, whole in itself, and says nothing that the service does not know."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from functions.boundary import STATUS, status_of
from functions.routes import allowed_methods, contract
from shared import errors
from shared.errors import FlowRunnerError
from tests.fakes import World
from tests.functions.host import call, operation
from tests.functions.json_schema import KEYWORDS, faults, resolved

METHODS: Final = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}
TOLD_HOW_LONG: Final = (errors.TooManyRequestsError, errors.IdentityProviderFailedError)
"""Errors whose `retry_after` is said where they are raised."""
OPERATIONS: Final = [
    pytest.param(path, method, described, id=described["operationId"])
    for path, methods in contract()["paths"].items()
    for method, described in methods.items()
]


def every_error() -> list[type[FlowRunnerError]]:
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, FlowRunnerError) and hasattr(kind, "code")
    ]


def references(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def schemas(described: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every schema that an operation names directly."""
    for parameter in described.get("parameters", ()):
        yield parameter["schema"]
    for content in described.get("requestBody", {}).get("content", {}).values():
        yield content["schema"]
    for response in described["responses"].values():
        for content in response.get("content", {}).values():
            yield content["schema"]
        for header in headers_of(response).values():
            yield header["schema"]


def headers_of(response: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The headers that a response lists, by name."""
    listed = response.get("headers", {})
    return {name: resolved(header, contract()) for name, header in listed.items()}


def parts(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema and the schemas inside it."""
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("allOf", ())]
    inner += [*schema.get("oneOf", ()), *([schema["items"]] if "items" in schema else [])]
    for part in inner:
        yield from parts(part)


def codes_of(response: Mapping[str, Any]) -> set[str]:
    """The codes that a response lists, in its schema."""
    content = response.get("content", {}).get("application/problem+json")
    if content is None:
        return set()
    problem, listed = content["schema"]["allOf"]
    assert problem == {"$ref": "#/components/schemas/Problem"}
    return set(listed["properties"]["code"]["enum"])


def test_the_document_is_openapi_3_1() -> None:
    document = contract()

    assert re.fullmatch(r"3\.1\.\d", document["openapi"])
    assert set(document["info"]) >= {"title", "version"}
    assert document["servers"] == [{"url": "/api"}]
    assert set(document) <= {"openapi", "info", "servers", "paths", "components", "tags"}
    assert all(path.startswith("/v1/") for path in document["paths"])
    assert all(set(methods) <= METHODS for methods in document["paths"].values())


def test_every_reference_leads_somewhere() -> None:
    found = set(references(contract()))

    assert found
    for reference in found:
        assert reference.startswith("#/components/")
        resolved({"$ref": reference}, contract())


def test_every_component_is_used() -> None:
    named = {
        f"#/components/{kind}/{name}"
        for kind in ("headers", "schemas")
        for name in contract()["components"][kind]
    }

    assert named == set(references(contract()))


def test_every_schema_uses_keywords_that_the_tests_understand() -> None:
    found = [schema for case in OPERATIONS for schema in schemas(case.values[2])]  # type: ignore[arg-type]
    found += contract()["components"]["schemas"].values()

    unknown = {keyword for schema in found for part in parts(schema) for keyword in part}
    assert unknown - KEYWORDS == set()


def test_operation_ids_are_unique() -> None:
    ids = [case.id for case in OPERATIONS]

    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("path", "method", "described"), OPERATIONS)
def test_every_operation_says_who_may_call_it(
    path: str, method: str, described: Mapping[str, Any]
) -> None:
    schemes = contract()["components"]["securitySchemes"]
    assert isinstance(described["security"], list)
    assert all(set(named) <= set(schemes) for named in described["security"])
    if described["security"]:
        assert "not_authenticated" in codes_of(described["responses"]["401"])
    else:
        assert "401" not in described["responses"]


@pytest.mark.parametrize(("path", "method", "described"), OPERATIONS)
def test_every_operation_describes_itself(
    path: str, method: str, described: Mapping[str, Any]
) -> None:
    assert described["summary"]
    assert any(status.startswith(("2", "3")) for status in described["responses"])
    assert codes_of(described["responses"]["500"]) == {"internal"}
    for status, response in described["responses"].items():
        assert re.fullmatch(r"[2345]\d\d", status)
        assert response["description"]
    in_path = {p["name"] for p in described.get("parameters", ()) if p["in"] == "path"}
    assert in_path == set(re.findall(r"\{(\w+)\}", path))
    assert all(p["required"] for p in described.get("parameters", ()) if p["in"] == "path")
    if "requestBody" in described:
        assert described["requestBody"]["required"] is True
        for status, code in (
            ("400", "invalid_request"),
            ("413", "body_too_large"),
            ("415", "unsupported_media_type"),
        ):
            assert code in codes_of(described["responses"][status])


@pytest.mark.parametrize(("path", "method", "described"), OPERATIONS)
def test_every_code_that_an_operation_lists_is_an_error_of_that_status(
    path: str, method: str, described: Mapping[str, Any]
) -> None:
    statuses: dict[str, set[int]] = {"internal": {500}}
    for kind in every_error():
        statuses.setdefault(kind.code, set()).add(int(status_of(kind)))
    for status, response in described["responses"].items():
        for code in codes_of(response):
            assert statuses[code] == {int(status)}, code
        if codes_of(response):
            assert set(response["description"].split(", ")) == codes_of(response)


@pytest.mark.parametrize(("path", "method", "described"), OPERATIONS)
def test_every_response_lists_the_headers_that_the_boundary_gives_it(
    path: str, method: str, described: Mapping[str, Any]
) -> None:
    """Those that say who and when; CORS and security headers are the same on every answer."""
    waits = {
        kind.code
        for kind in every_error()
        if kind.retry_after is not None or issubclass(kind, TOLD_HOW_LONG)
    }
    for status, response in described["responses"].items():
        listed = headers_of(response)
        assert "X-Request-Id" in listed
        assert ("WWW-Authenticate" in listed) == (status == "401")
        if codes_of(response):
            assert ("Retry-After" in listed) == bool(codes_of(response) & waits), status


@pytest.mark.parametrize(
    ("name", "token", "headers"),
    [
        ("openapi", None, {"X-Request-Id"}),
        ("my_data", "none", {"X-Request-Id", "WWW-Authenticate"}),
    ],
)
async def test_an_answer_has_the_headers_that_are_listed_as_required(
    world: World, name: str, token: str | None, headers: set[str]
) -> None:
    answer = await call(world.services, name, token=token)

    listed = headers_of(operation(name)[2]["responses"][str(answer.status_code)])
    assert {header for header, described in listed.items() if described.get("required")} == headers
    for header in headers:
        assert faults(answer.headers[header], listed[header]["schema"], contract()) == []


def test_every_error_is_listed_by_some_operation_or_answered_for_any_path() -> None:
    listed = {
        code
        for methods in contract()["paths"].values()
        for described in methods.values()
        for response in described["responses"].values()
        for code in codes_of(response)
    }
    for_any_path = {"method_not_allowed", "not_found"}

    known = {kind.code for kind in every_error()} | {"internal"}
    assert known == listed | for_any_path


def test_every_status_of_the_boundary_belongs_to_an_error_that_exists() -> None:
    assert all(issubclass(kind, FlowRunnerError) for kind in STATUS)


def test_the_members_of_problems_are_documented() -> None:
    """Each member that an error adds is described in the schema `Problem`."""
    problem = contract()["components"]["schemas"]["Problem"]
    examples: list[FlowRunnerError] = [
        errors.InvalidInputError("a", "STRING"),
        errors.UndeclaredInputError("a"),
        errors.InteractionRequiredError("{}"),
        errors.NotConnectedError("expired"),
        errors.DuplicateRunError("r", "succeeded"),
        errors.OtherRegionError("https://x.example.com"),
        errors.FlowFailedError([{"statusCode": "X", "message": "x"}], "r"),
        with_run(errors.SalesforceTimeoutError()),
    ]
    members = {member for failure in examples for member in failure.members()}

    assert members | {"type", "title", "status", "code", "incident"} == set(problem["properties"])
    assert set(problem["required"]) == {"type", "title", "status", "code", "incident"}


def with_run(failure: errors.UpstreamError) -> errors.UpstreamError:
    failure.run_id = "r"
    return failure


async def test_the_document_is_served_as_it_is(world: World) -> None:
    response = await call(world.services, "openapi")

    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert json.loads(response.get_body()) == contract()
    assert response.headers["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("v1/health", {"GET"}),
        ("v1/salesforce/connections", {"GET", "POST"}),
        ("v1/salesforce/connections/00D5g00000CONTOEA5", {"DELETE"}),
        ("v1/flows/Log_Email/runs", {"POST"}),
        ("V1/HEALTH", {"GET"}),
        ("v1/flows/a/b/runs", set()),
        ("v1/flows//runs", set()),
        ("v1/health/", set()),
        ("v1", set()),
        ("", set()),
        ("v1/openapiXjson", set()),
        ("v1/health\n", set()),
    ],
)
def test_the_methods_of_a_path_are_read_from_the_document(path: str, methods: set[str]) -> None:
    assert set(allowed_methods(path)) == methods
