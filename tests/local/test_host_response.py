"""What the host makes of a function's result: local/host_response.py and host_cookies.py."""

import azure.functions as func
import pytest
from azure.functions.meta import get_binding_registry
from starlette.responses import Response

from local.host_response import UnsendableResultError, to_response


def sent(result: func.HttpResponse | str) -> Response:
    return to_response(get_binding_registry().get("http").encode(result, expected_type=None))


def set_cookies(response: Response) -> list[str]:
    return [value.decode() for name, value in response.raw_headers if name == b"set-cookie"]


def cookie(header: str) -> list[str]:
    return set_cookies(sent(func.HttpResponse(headers={"Set-Cookie": header})))


def test_a_cookie_is_written_anew_by_the_host() -> None:
    """The form that Azure/azure-functions-python-worker#1794 shows."""
    assert cookie('test="hello//world"; Path=/; SameSite=lax') == [
        "test=hello%2F%2Fworld; domain=; path=/; samesite=lax"
    ]


def test_every_attribute_of_a_cookie_stands_in_the_hosts_order() -> None:
    (written,) = cookie(
        "a=b; SameSite=Strict; HttpOnly; Secure; Path=/x; Domain=example.com; Max-Age=60; "
        "Expires=Thu, 01 Jan 2026 00:00:00 GMT"
    )

    assert written == (
        "a=b; expires=Thu, 01 Jan 2026 00:00:00 GMT; max-age=60; domain=example.com; path=/x; "
        "secure; samesite=strict; httponly"
    )


@pytest.mark.parametrize(
    "header",
    [
        "a=b; Max-Age=-1",
        "a=b; Max-Age=inf",
        "a=b; Max-Age=x",
        "a=b; Expires=Thu, 12-Jan-2017 13:55:08 GMT",
        'a=b; Path="/\xff"',
    ],
)
def test_a_cookie_that_worker_or_host_cannot_send_is_refused(header: str) -> None:
    with pytest.raises(UnsendableResultError):
        cookie(header)


@pytest.mark.parametrize("status", [101, 204, 304])
def test_a_body_where_none_is_allowed_is_refused(status: int) -> None:
    assert sent(func.HttpResponse(status_code=status)).status_code == status
    with pytest.raises(UnsendableResultError):
        sent(func.HttpResponse("body", status_code=status))


def test_a_status_that_is_no_number_is_200_and_one_of_four_digits_is_refused() -> None:
    assert sent(func.HttpResponse(status_code="teapot")).status_code == 200  # type: ignore[arg-type]  # what a careless app does
    with pytest.raises(UnsendableResultError):
        sent(func.HttpResponse(status_code=1000))


@pytest.mark.parametrize("value", ["Zoë", "a\x00b", "a\x7fb"])
def test_a_header_value_that_kestrel_refuses_is_refused(value: str) -> None:
    with pytest.raises(UnsendableResultError):
        sent(func.HttpResponse(headers={"X-Probe": value}))


def test_a_header_name_that_kestrel_refuses_is_refused() -> None:
    with pytest.raises(UnsendableResultError):
        sent(func.HttpResponse(headers={"X Probe": "1"}))


def test_a_content_length_of_the_functions_own_must_be_true() -> None:
    right = sent(func.HttpResponse("four", headers={"Content-Length": "4"}))

    assert right.headers.getlist("content-length") == ["4"]
    with pytest.raises(UnsendableResultError):
        sent(func.HttpResponse("four", headers={"Content-Length": "5"}))


@pytest.mark.parametrize("text", ['{"a": 1}', "[]", "true", "42", '"quoted"', "null"])
def test_a_str_that_is_json_is_refused_because_the_real_host_rewrites_it(text: str) -> None:
    with pytest.raises(UnsendableResultError):
        sent(text)


def test_a_str_that_is_no_json_is_plain_text() -> None:
    response = sent("Zoë")

    assert response.body == "Zoë".encode()
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
