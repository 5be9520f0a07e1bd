"""What host.json says, as far as a host on one machine can do it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Self

from starlette.responses import Response

_TIME_SPAN: Final = re.compile(r"(?:(\d+)\.)?(\d\d):(\d\d):(\d\d)|(\d+)")
# What a plan allows at most for one function, where host.json does not say: Flex Consumption.
_DEFAULT_TIMEOUT: Final = timedelta(minutes=30)


class HostSettingsError(ValueError):
    """host.json cannot be read as the real host reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """The settings of host.json that show in behaviour."""

    route_prefix: str
    custom_headers: Mapping[str, str]
    strict_transport_security: str | None  # the header's value, or None when it is not enabled
    function_timeout: timedelta

    @classmethod
    def parse(cls, host_json: Mapping[str, Any]) -> Self:
        """Raises HostSettingsError."""
        if host_json.get("version") != "2.0":
            raise HostSettingsError('host.json must say "version": "2.0"')
        http = host_json.get("extensions", {}).get("http", {})
        timeout = host_json.get("functionTimeout")
        return cls(
            route_prefix=http.get("routePrefix", "api").strip("/"),
            custom_headers=http.get("customHeaders", {}),
            strict_transport_security=_hsts(http.get("hsts", {})),
            function_timeout=_time_span(timeout) if timeout else _DEFAULT_TIMEOUT,
        )

    def add_headers(self, response: Response, scheme: str) -> None:
        """To every answer, 404 and 500 included, as the host's middleware does.

        A custom header never replaces one that the function has set; the host's HSTS always does.
        ASP.NET Core leaves HSTS out for loopback hosts; here it is shown, because nothing else is
        served.
        """
        if scheme == "https" and self.strict_transport_security:
            response.headers["strict-transport-security"] = self.strict_transport_security
        for name, value in self.custom_headers.items():
            response.headers.setdefault(name, value)


def _hsts(hsts: Mapping[str, Any]) -> str | None:
    if not hsts.get("isEnabled", False):
        return None
    seconds = int(_time_span(hsts.get("maxAge", "30")).total_seconds())
    subdomains = "; includeSubDomains" if hsts.get("includeSubDomains") else ""
    return f"max-age={seconds}{subdomains}{'; preload' if hsts.get('preload') else ''}"


def _time_span(text: str) -> timedelta:
    """.NET's TimeSpan: `hh:mm:ss`, `d.hh:mm:ss`, or a bare number, which is days."""
    found = _TIME_SPAN.fullmatch(text)
    if found is None:
        raise HostSettingsError(f"{text!r} is no time span")
    days, hours, minutes, seconds, bare_days = (int(part or 0) for part in found.groups())
    return timedelta(days=days + bare_days, hours=hours, minutes=minutes, seconds=seconds)
