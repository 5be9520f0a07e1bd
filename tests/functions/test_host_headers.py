"""The host adds the security headers to its own answers, and leaves those of the functions alone.

Its middleware adds a header only where there is none (`Headers.TryAdd` when the answer starts, in
Azure/azure-functions-host, CustomHttpHeadersMiddleware.cs), as local/host_settings.py does.
"""

import json
import ssl
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError

import pytest

from functions.boundary import SECURITY_HEADERS
from local.stack_info import StackInfo

HTTP = json.loads((Path(__file__).parent.parent.parent / "host.json").read_bytes())["extensions"][
    "http"
]


def test_host_json_says_what_the_boundary_says() -> None:
    transport = f"max-age={int(HTTP['hsts']['maxAge']) * 86_400}; includeSubDomains"
    assert HTTP["hsts"]["isEnabled"]
    assert HTTP["hsts"]["includeSubDomains"]

    assert {**HTTP["customHeaders"], "Strict-Transport-Security": transport} == SECURITY_HEADERS


def answer(stack: StackInfo, target: str) -> tuple[int, "Message[str, str]"]:
    tls = ssl.create_default_context(cafile=stack.authority)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
    )
    try:
        with opener.open(stack.service_https + target, timeout=10) as response:
            return response.status, response.headers
    except HTTPError as refused:
        with refused:
            return refused.status or 0, refused.headers


def values(headers: "Message[str, str]") -> Iterator[tuple[str, list[str] | None]]:
    return ((name, headers.get_all(name)) for name in SECURITY_HEADERS)


@pytest.mark.stack
@pytest.mark.parametrize(("target", "status"), [("/nothing", 404), ("/api/%00", 400)])
def test_answers_of_the_host_itself_carry_them_all(
    stack: StackInfo, target: str, status: int
) -> None:
    answered, headers = answer(stack, target)

    assert answered == status
    assert dict(values(headers)) == {name: [value] for name, value in SECURITY_HEADERS.items()}


@pytest.mark.stack
def test_a_cached_document_and_the_page_keep_their_own(stack: StackInfo) -> None:
    _, document = answer(stack, "/api/v1/openapi.json")
    _, page = answer(stack, "/api/v1/salesforce/callback?state=x&code=y")

    assert document.get_all("Cache-Control") == ["public, max-age=300"]
    (policy,) = page.get_all("Content-Security-Policy") or []
    assert "script-src 'nonce-" in policy
