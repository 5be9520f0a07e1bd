"""What codes and tokens look like. Their bearers must treat them as opaque."""

import secrets


def new_code() -> str:
    """Ends in `==`, which the redirect carries percent-encoded: decode exactly once."""
    return "aPrx" + _random(48) + "=="


def new_access_token(org_id: str) -> str:
    """`{15-character org id}!...`, with a point and an exclamation mark to percent-encode."""
    return f"{org_id[:15]}!AR8AQ.{_random(66)}"


def new_refresh_token() -> str:
    return "5Aep861" + _random(66)


def looks_like_a_token(text: str) -> bool:
    return text.startswith("5Aep861") or (text.startswith("00D") and text[15:16] == "!")


def _random(size: int) -> str:
    return secrets.token_urlsafe(size).replace("-", ".")
