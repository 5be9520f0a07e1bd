"""Accept and Accept-Encoding, as RFC 9110 reads them."""

import time

import azure.functions as func
import pytest

from functions.negotiation import chosen_media_type, takes_gzip
from shared.errors import InvalidRequestError

NDJSON, CSV = "application/x-ndjson", "text/csv"


def asking(**headers: str) -> func.HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return func.HttpRequest(method="GET", url="/", headers=named, body=b"")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, NDJSON),
        ("", NDJSON),
        ("  ", NDJSON),
        ("*/*", NDJSON),
        ("application/*", NDJSON),
        (NDJSON, NDJSON),
        ("APPLICATION/X-NDJSON", NDJSON),
        (CSV, CSV),
        ("Text/CSV", CSV),
        ("text/*", CSV),
        ("text/csv; charset=utf-8", CSV),
        ('text/csv;charset="UTF-8"', CSV),
        ("text/csv;charset=utf-8;", CSV),
        ("text/csv, application/x-ndjson", NDJSON),
        ("application/x-ndjson;q=0.9, text/csv", CSV),
        ("application/x-ndjson;q=0.9, text/csv;q=0.8", NDJSON),
        ("text/csv, */*", CSV),
        ("text/csv, */*;q=0.1", CSV),
        ("*/*, text/csv;q=0.5", NDJSON),
        ("text/*, application/*", NDJSON),
        ("text/csv;q=0, */*", NDJSON),
        ("application/x-ndjson;q=0, */*", CSV),
        ("application/x-ndjson;q=0.000, */*;q=0.001", CSV),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", NDJSON),
        ("text/csv;charset=utf-8;q=0.2, text/csv;q=0.9, application/x-ndjson;q=0.5", NDJSON),
        ("text/csv;q=oops, application/x-ndjson;q=0.1", NDJSON),
        ("garbage, , ;, text/csv", CSV),
        ("text/csv ; q=1.000 ,", CSV),
    ],
)
def test_the_form_that_is_liked_best_is_chosen(accept: str | None, chosen: str) -> None:
    request = asking() if accept is None else asking(Accept=accept)

    assert chosen_media_type(request, (NDJSON, CSV)) == chosen


@pytest.mark.parametrize(
    "accept",
    [
        "application/json", "text/html", "text/csv;q=0", "*/*;q=0", "text/csv;charset=iso-8859-1",
        "text/csv;header=present", "application/x-ndjson;version=2", "text/csv;q=2", "*", "csv",
        "text/csv;q=0.0001", "text/csv;q=-1", "text/csv;q= 1", "text/csv q=1", "garbage", ",",
        "*/csv", "text/csv;charset", "\u00fc/*", "x" * 3_000, "text/csv," * 300,
    ],
)  # fmt: skip
def test_who_takes_neither_form_is_refused(accept: str) -> None:
    with pytest.raises(InvalidRequestError):
        chosen_media_type(asking(Accept=accept), (NDJSON, CSV))


@pytest.mark.parametrize(
    ("encoding", "taken"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("*", True),
        ("deflate, br", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("gzip;q=0.5, identity", False),
        ("gzip, identity;q=0.5", True),
        ("identity;q=0, gzip;q=0.1", True),
        ("gzip;q=x", False),
        ("gzip/1", False),
        ("notgzip", False),
    ],
)
def test_gzip_is_sent_to_who_takes_it(encoding: str | None, taken: bool) -> None:
    request = asking() if encoding is None else asking(Accept_Encoding=encoding)

    assert takes_gzip(request) is taken


@pytest.mark.parametrize(
    "text",
    ["text/csv" + " ; a=b " * 250 + "!", "text/csv" + ";  " * 600 + '"', " " * 2_000 + "/",
     "a" * 2_000 + '"', "text/csv;a=" + '"' * 2_000, ";" * 2_000],
    ids=["parameters", "semicolons", "spaces", "a-token", "quotes", "nothing-else"],
)  # fmt: skip
def test_no_header_keeps_the_service_busy(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(InvalidRequestError):
        chosen_media_type(asking(Accept=text), (NDJSON, CSV))
    takes_gzip(asking(Accept_Encoding=text))

    assert time.perf_counter() - started < 0.5
