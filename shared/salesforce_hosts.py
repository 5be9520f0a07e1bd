"""Which hosts are Salesforce's. A pure rule, applied to every host before anything is sent to it.

The whole raw text is matched against a strict ASCII pattern; nothing is parsed first. A suffix
check on a parsed URL is exploitable: parsers and clients disagree about `https://a\\@b`.
Source of the forms: Salesforce Help, "My Domain URL Formats" (enhanced domains). Hosts from before
enhanced domains (`acme--uat.cs92.my.salesforce.com`) are refused on purpose.
"""

import re
from typing import Final

_LOGIN: Final = re.compile(r"(?:login|test)\.salesforce\.com", re.ASCII)
_PARTITION: Final = r"(?:sandbox|develop|scratch|trailblaze|patch|demo|free|sfdctest|sfrestore)"
_MY_DOMAIN: Final = re.compile(
    rf"[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?(?:\.{_PARTITION})?\.my\.salesforce\.(?:com|mil)",
    re.ASCII,
)
_ORIGIN: Final = re.compile(r"https://([^/?#]*)/?", re.ASCII)


def is_instance_host(text: str) -> bool:
    """Whether this is a My Domain host, in lower case: the only hosts that Flows are called on."""
    return _MY_DOMAIN.fullmatch(text) is not None


def is_login_host(text: str) -> bool:
    """Whether users may be sent here to log in: login., test., or a My Domain."""
    return _LOGIN.fullmatch(text) is not None or is_instance_host(text)


def instance_host_of(url: str) -> str | None:
    """The host of an `instance_url` as Salesforce sends it (`https://` and a My Domain, no more).

    None if the text is anything else; user information, ports and paths make it something else.
    """
    match = _ORIGIN.fullmatch(url)
    host = match.group(1).lower() if match else ""
    return host if is_instance_host(host) else None
