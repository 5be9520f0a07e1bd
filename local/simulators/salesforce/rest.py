"""/services/data/: the list of API versions, and the refusal of what does not exist."""

from typing import Final

from aiohttp import web

from local.simulators.salesforce.answers import json_answer
from local.simulators.salesforce.call import Call
from local.simulators.salesforce.errors import RestError, not_found
from local.simulators.salesforce.sessions import rest_session
from local.simulators.salesforce.state import State
from local.simulators.salesforce.variables import Json

_OLDEST_ANSWERED: Final = 31  # answered, as in a real org, though no longer listed here
_OLDEST_LISTED: Final = 60
_NEWEST: Final = 68
_SEASONS: Final = ("Spring", "Summer", "Winter")  # v60.0 was Spring '24


class Rest:
    def __init__(self, state: State) -> None:
        self._state = state

    async def versions(self, call: Call) -> web.Response:
        """GET /services/data/, the one call without authentication."""
        _own_domain(call)
        allow(call, "GET")
        return json_answer([_version(number) for number in range(_OLDEST_LISTED, _NEWEST + 1)])

    async def unknown(self, call: Call) -> web.Response:
        """Everything below a version that has no handler of its own."""
        rest_session(self._state, call)
        raise not_found()

    async def nowhere(self, _: Call) -> web.Response:
        """Everything else."""
        raise not_found()


def allow(call: Call, *methods: str) -> None:
    """Raises `RestError` for any other method; HEAD goes with GET."""
    allowed = [*methods, "HEAD"] if "GET" in methods else [*methods]
    if call.method not in allowed:
        call.headers["Allow"] = ", ".join(allowed)
        raise RestError(
            "METHOD_NOT_ALLOWED",
            f"HTTP Method '{call.method}' not allowed. Allowed are {','.join(allowed)}",
            405,
        )


def version_path(call: Call) -> str:
    """`/services/data/vNN.0` of this call; raises `RestError` for a version there never was."""
    version = call.request.match_info["version"]
    number, point, fraction = version.removeprefix("v").partition(".")
    known = version.startswith("v") and point and fraction == "0" and number.isdecimal()
    if not known or not _OLDEST_ANSWERED <= int(number) <= _NEWEST:
        raise not_found()
    return f"/services/data/{version}"


def _own_domain(call: Call) -> None:
    if call.org is None:
        raise not_found()


def _version(number: int) -> Json:
    season = _SEASONS[(number - _OLDEST_LISTED) % 3]
    # The year changes with Winter, which is released in the autumn before.
    year = 24 + (number - _OLDEST_LISTED + 1) // 3
    return {
        "label": f"{season} '{year}",
        "url": f"/services/data/v{number}.0",
        "version": f"{number}.0",
    }
