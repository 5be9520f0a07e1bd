"""Addresses that are nearly the registered one, or look like it to some parser (O-08)."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

_INSERTED: Final = (
    *("\x00", "\t", "\n", "\r", "\r\n", " ", "\x0b", "\x1f", "\x7f", "\x85", "\xa0"),
    *("\u200b", "\u200d", "\u2028", "\ufeff", "\u00ad", "\u202e", "\u0301"),
    *("/", "\\", ".", "@", ":", ";", "#", "?", "%00", "%0d%0a", "%2e", "%2f", "%252f"),
)
"""Control characters, white space that some trim, what no eye sees, and what parsers part by."""

_SCHEMES: Final = (
    *("http", "HTTP", "HTTPS", "hTTps", "https ", "ftp", "ws", "wss", "file", "data", "blob"),
    *("javascript", "JavaScript", "java\tscript", "java\nscript", "vbscript", "view-source"),
    *("about", "mailto", "tel", "intent", "ms-word", "ms-excel", "ms-settings", "chrome-extension"),
    *(
        "moz-extension",
        "filesystem",
        "jar",
        "gopher",
        "ldap",
        "x",
        "httpss",
        "shttp",
        "https:https",
    ),
)
_OTHERS: Final = (
    *("evil.example.com", "127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]"),
    *("[::ffff:7f00:1]", "0", "localhost", "169.254.169.254", "metadata", "xn--addin-example.com"),
)
_LOOKALIKES: Final = {
    "a": "а\u0251ａ𝐚", "c": "сｃ", "d": "ԁｄ", "e": "еｅℯ", "h": "һｈ", "i": "іıｉ", "l": "1ｌӏ",  # noqa: RUF001
    "m": "ｍ", "n": "ոｎ", "o": "о0ｏ", "p": "рｐ", "s": "ѕſｓ", "t": "ｔ", "x": "хｘ",  # noqa: RUF001
    ".": "\u3002\uff0e\uff61\u2024,", "/": "\u2215\u2044\uff0f\\", ":": "\uff1a\ua789",
}  # fmt: skip


def strange_addresses(registered: str) -> list[str]:
    """Each once, and none of them the registered one."""
    found = dict.fromkeys(_all(registered))
    found.pop(registered, None)
    return list(found)


def _all(registered: str) -> Iterator[str]:
    yield from _changed_at_each_place(registered)
    yield from _other_schemes(registered)
    yield from _other_hosts(registered)
    yield from _other_paths(registered)
    yield from _more_than_one(registered)


def _changed_at_each_place(registered: str) -> Iterator[str]:
    for at, char in enumerate(registered):
        before, after = registered[:at], registered[at + 1 :]
        yield before + after
        yield before
        yield before + char * 2 + after
        yield before + char.swapcase() + after
        yield f"{before}%{ord(char):02x}{after}"
        yield f"{before}%{ord(char):02X}{after}"
        yield f"{before}%25{ord(char):02x}{after}"
        yield f"{before}&#{ord(char)};{after}"
        for other in _LOOKALIKES.get(char, ""):
            yield before + other + after
    for at in range(len(registered) + 1):
        for inserted in _INSERTED:
            yield registered[:at] + inserted + registered[at:]


def _other_schemes(registered: str) -> Iterator[str]:
    rest = registered.partition("://")[2]
    for scheme in _SCHEMES:
        for separator in ("://", ":", ":/", ":///", ":\\\\", "%3a//", "&colon;//"):
            yield scheme + separator + rest
        yield f"{scheme}:alert(1)//{rest}"
    yield from (
        "//" + rest,
        "///" + rest,
        "\\\\" + rest,
        "/\\" + rest,
        "/" + rest,
        rest,
        ":" + rest,
    )


def _other_hosts(registered: str) -> Iterator[str]:
    address = urlsplit(registered)
    host, path = address.netloc, address.path
    for other in _OTHERS:
        for netloc in (
            other,
            f"{host}@{other}",
            f"{host}:443@{other}",
            f"{host}%40{other}",
            f"user:{host}@{other}",
            f"{host}\\@{other}",
            f"{other}\\@{host}",
            f"{other}#@{host}",
            f"{other}?@{host}",
            f"{other};@{host}",
            f"{other}@{host}",
            f"{other}%00.{host}",
            f"{other}%0d%0a.{host}",
            f"{other}/{host}",
            f"{other}\\.{host}",
            f"{host}.{other}",
            f"{host}-{other}",
            f"{host}{other}",
            f"{other}.{host}",
            f"{other}-{host}",
            f"{other}{host}",
            f"[{host}]@{other}",
        ):
            yield f"https://{netloc}{path}"
    for port in ("", "0", "80", "443", "0443", "8443", "65536", "443 ", "x"):
        yield f"https://{host}:{port}{path}"
    parent = host.partition(".")[2]
    for netloc in (parent, f"*.{parent}", f"www.{host}", f"{host}.", f"{host}..", f".{host}"):
        yield f"https://{netloc}{path}"


def _other_paths(registered: str) -> Iterator[str]:
    address = urlsplit(registered)
    origin, page = f"{address.scheme}://{address.netloc}", address.path
    for path in (
        *("", "/", "/.", "/..", "/connected", "/connected.htm", "/other.html", "/Connected.html"),
        *("/.well-known/x", "/redirect?to=//evil.example.com", "/connected.html.evil", "/*"),
    ):
        yield origin + path
    for before in ("/.", "/x/..", "/%2e", "/%2e%2e", "/..;", "//", "/\\", "/;"):
        yield origin + before + page
    for behind in (
        *("/", "//", "/.", "/..", "/../other.html", ";x", ";jsessionid=1", "?", "?x", "?x=1", "#"),
        *("#x", "#completion=x", "#@evil.example.com", "?next=//evil.example.com", "%3f", "%23"),
        *("%20", "%00", "%0a", "\r\nLocation: https://evil.example.com", "\r\n\r\n<script>", "~"),
        *("<script>alert(1)</script>", '"onload="alert(1)', "'", "`", "${x}", "{{7*7}}", "\\"),
    ):
        yield registered + behind


def _more_than_one(registered: str) -> Iterator[str]:
    other = "https://evil.example.com/"
    for between in (",", ", ", ";", " ", "|", "\n", "\x00", "&return_to=", "\t"):
        yield registered + between + other
        yield other + between + registered
    yield from (f'["{registered}"]', f'"{registered}"', f"<{registered}>", f"({registered})")
    yield from ("null", "undefined", "true", "*", ".", "..", "0", "[]", "{}", " ", "\t", "\x00")
    yield registered * 2
    yield registered + "/" * 2_000
