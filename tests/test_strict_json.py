"""JSON with one reading only: what a lenient parser takes is refused."""

import json
from time import perf_counter
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import strict_json


def is_refused(data: bytes, max_depth: int = strict_json.MAX_DEPTH) -> bool:
    """Refused by ValueError: any other exception fails the test."""
    try:
        strict_json.loads(data, max_depth=max_depth)
    except ValueError:
        return True
    return False


def test_plain_json_is_read() -> None:
    text = '{"a": [1, 2.5, -3e2, true, false, null, "ä\\n\\u00e9"], "b": {}}'

    assert strict_json.loads(text.encode()) == {
        "a": [1, 2.5, -300.0, True, False, None, "ä\né"],
        "b": {},
    }


@pytest.mark.parametrize("text", [b"null", b"0", b'"x"', b"[]", b" {} "])
def test_any_json_value_may_stand_alone(text: bytes) -> None:
    assert strict_json.loads(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"a": 1, "a": 2}', id="at-the-top"),
        pytest.param(b'[{"a": {"b": 1, "b": 1}}]', id="nested-and-equal"),
        pytest.param(b'{"a": 1, "\\u0061": 2}', id="spelt-differently"),
    ],
)
def test_duplicate_keys_are_refused(text: bytes) -> None:
    assert is_refused(text)


@pytest.mark.parametrize(
    "text", [b"NaN", b"Infinity", b"-Infinity", b'{"a": NaN}', b"[1, -Infinity]"]
)
def test_what_is_no_number_in_json_is_refused(text: bytes) -> None:
    assert is_refused(text)


@pytest.mark.parametrize("text", [b"1e400", b"-1e999", b'{"a": [2e308]}'])
def test_a_number_beyond_any_double_does_not_become_infinity(text: bytes) -> None:
    """Python reads 1e400 as infinity, which is no JSON when it is written again."""
    assert is_refused(text)


def test_the_largest_double_is_a_number() -> None:
    assert strict_json.loads(b"1.7976931348623157e308") == 1.7976931348623157e308


def test_a_whole_number_of_five_thousand_digits_is_refused() -> None:
    assert is_refused(b"[" + b"1" * 5_000 + b"]")


@pytest.mark.parametrize("opening", [b"[", b'{"a":'], ids=["arrays", "objects"])
def test_depth_has_an_exact_limit(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"

    def nested(depth: int) -> bytes:
        return opening * depth + b"1" + closing * depth

    strict_json.loads(nested(strict_json.MAX_DEPTH))
    assert is_refused(nested(strict_json.MAX_DEPTH + 1))


def test_the_limit_is_the_callers_to_choose() -> None:
    strict_json.loads(b"[[1]]", max_depth=2)
    assert is_refused(b"[[1]]", max_depth=1)


def test_an_abyss_is_refused_without_falling_in() -> None:
    """The standard parser recurses; RecursionError is no ValueError, and would be a crash."""
    assert is_refused(b"[" * 100_000)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'["[[[[", "]"]', id="brackets"),
        pytest.param(b'["\\"[[[["]', id="after-an-escaped-quote"),
        pytest.param(b'["\\\\", "[[["]', id="after-an-escaped-backslash"),
    ],
)
def test_brackets_inside_texts_are_no_depth(text: bytes) -> None:
    assert strict_json.loads(text, max_depth=1) == json.loads(text)


def test_an_escaped_quote_does_not_hide_depth() -> None:
    """Whoever miscounts quotes believes that the brackets stand in a text."""
    assert is_refused(b'["\\\\", [[[1]]]]', max_depth=2)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'"\xff"', id="not-utf-8"),
        pytest.param(b'"\xed\xa0\x80"', id="a-surrogate-in-utf-8"),
        pytest.param(b'"\xc0\xaf"', id="an-overlong-slash"),
        pytest.param('"x"'.encode("utf-16"), id="utf-16"),
        pytest.param(b"\xef\xbb\xbf{}", id="a-byte-order-mark"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"{} {}", id="two-values"),
        pytest.param(b"{'a': 1}", id="single-quotes"),
        pytest.param(b'{"a": 1,}', id="a-trailing-comma"),
        pytest.param(b'{"a" 1}', id="no-colon"),
        pytest.param(b'"a\nb"', id="a-raw-line-break-in-a-text"),
        pytest.param(b"[1, 2", id="unclosed"),
        pytest.param(b"]", id="closed-and-never-opened"),
        pytest.param(b"01", id="a-leading-zero"),
        pytest.param(b"// c\n1", id="a-comment"),
    ],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    assert is_refused(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps({f"k{n}": "x" * 1_000 for n in range(250)}), id="long-texts"),
        pytest.param("[" + "[]," * 85_000 + "[]]", id="brackets"),
        pytest.param('["' + '\\"[' * 85_000 + '"]', id="quotes-and-brackets-in-a-text"),
        pytest.param("[[" * 20 + '"' + '\\"' * 128_000, id="a-text-without-an-end"),
    ],
)
def test_a_large_text_is_read_in_time(text: str) -> None:
    """A body may have 256 KiB. Time that grew with its square would be minutes."""
    began = perf_counter()

    is_refused(text.encode())

    assert perf_counter() - began < 1.0


_PIECES: Final = st.sampled_from(
    ["[", "]", "{", "}", '"', "\\", '\\"', "[[[", "]]]", "a", ",", ":"]
)


@given(st.lists(_PIECES, max_size=40), st.integers(min_value=0, max_value=8))
def test_depth_is_counted_as_a_reader_does_it_letter_by_letter(
    pieces: list[str], max_depth: int
) -> None:
    """Of what is JSON, exactly what is no deeper is read; whatever else arrives is refused."""
    text = "".join(pieces)
    try:
        value = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - any: it is no JSON
            strict_json.loads(text.encode(), max_depth=max_depth)
        return
    if _depth_of(value) <= max_depth:
        assert strict_json.loads(text.encode(), max_depth=max_depth) == value
    else:
        with pytest.raises(ValueError):  # noqa: PT011 - as above
            strict_json.loads(text.encode(), max_depth=max_depth)


def _depth_of(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(_depth_of, value.values()), default=0)
        case list():
            return 1 + max(map(_depth_of, value), default=0)
        case _:
            return 0


_TEXTS: Final = st.text(alphabet='[]{}"\\a', max_size=6)
_VALUES: Final = st.recursive(
    _TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3)
)


@given(_VALUES, st.integers(min_value=0, max_value=8))
def test_values_of_any_depth_are_read_exactly_up_to_the_limit(value: object, limit: int) -> None:
    text = json.dumps(value).encode()
    if _depth_of(value) <= limit:
        assert strict_json.loads(text, max_depth=limit) == value
    else:
        with pytest.raises(ValueError):  # noqa: PT011 - as above
            strict_json.loads(text, max_depth=limit)
