"""Who the user is: /services/oauth2/userinfo, and the identity URL that a token answer names.

https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_using_openid.htm
"""

from typing import Final

from aiohttp import web

from local.simulators.salesforce.answers import json_answer
from local.simulators.salesforce.call import Call
from local.simulators.salesforce.errors import IdentityError
from local.simulators.salesforce.ids import is_id
from local.simulators.salesforce.orgs import Org, User
from local.simulators.salesforce.sessions import Session, identity_session
from local.simulators.salesforce.state import State
from local.simulators.salesforce.variables import Json

_LATEST: Final = "68.0"
_MODIFIED: Final = "2026-11-01T10:00:00Z"
_ZONE: Final = "Europe/Berlin"
_OFFSET: Final = 3_600_000  # milliseconds
_SOAP: Final = {"enterprise": "c", "metadata": "m", "partner": "u", "tooling_soap": "T"}
_REST: Final = {
    "rest": "",
    "sobjects": "sobjects/",
    "search": "search/",
    "query": "query/",
    "recent": "recent/",
    "tooling_rest": "tooling/",
    "feeds": "chatter/feeds",
    "groups": "chatter/groups",
    "users": "chatter/users",
    "feed_items": "chatter/feed-items",
}


class Identity:
    def __init__(self, state: State) -> None:
        self._state = state

    async def userinfo(self, call: Call) -> web.Response:
        session = identity_session(self._state, call)
        _check_active(session.user)
        urls = _urls(session.org, session.user)
        shown: dict[str, Json] = {
            name: urls[name] for name in ("enterprise", "rest", "custom_domain")
        }
        return json_answer(
            {
                "sub": session.org.identity_url(session.user),
                "user_id": session.user.user_id,
                "organization_id": session.org.org_id,
                "preferred_username": session.user.username,
                "nickname": session.user.name,
                "name": _display_name(session.user),
                "email": session.user.username,
                "email_verified": True,
                "given_name": session.user.name.title(),
                "family_name": "User",
                "zoneinfo": _ZONE,
                "photos": _photos(session.org),
                "profile": urls["profile"],
                "picture": f"{session.org.instance_url}/profilephoto/005/F",
                "address": {},
                "is_salesforce_integration_user": False,
                "urls": shown,
                **_common(),
                "updated_at": _MODIFIED,
            }
        )

    async def identity_url(self, call: Call) -> web.Response:
        session = identity_session(self._state, call)
        self._check_path(call, session)
        urls: dict[str, Json] = dict(_urls(session.org, session.user))
        if call.query.get("version") == "latest":
            urls = {name: str(url).replace("{version}", _LATEST) for name, url in urls.items()}
        return json_answer(
            {
                "id": session.org.identity_url(session.user),
                "asserted_user": True,
                "user_id": session.user.user_id,
                "organization_id": session.org.org_id,
                "username": session.user.username,
                "nick_name": session.user.name,
                "display_name": _display_name(session.user),
                "email": session.user.username,
                "email_verified": True,
                "first_name": session.user.name.title(),
                "last_name": "User",
                "timezone": _ZONE,
                "photos": _photos(session.org),
                **dict.fromkeys(
                    ("addr_street", "addr_city", "addr_state", "addr_country", "addr_zip")
                ),
                "mobile_phone": None,
                "mobile_phone_verified": False,
                "status": {"created_date": None, "body": None},
                "urls": urls,
                **_common(),
                "last_modified_date": _MODIFIED,
                "is_app_installed": True,
            }
        )

    def _check_path(self, call: Call, session: Session) -> None:
        org_id = call.request.match_info["org_id"]
        user_id = call.request.match_info["user_id"]
        if not is_id(org_id) or org_id[:15] != session.org.org_id[:15]:
            raise IdentityError("Wrong_Org")
        ids = {user.user_id[:15]: user for user in session.org.users.values()}
        if not is_id(user_id) or user_id[:15] not in ids:
            raise IdentityError("Bad_Id", 404)
        if ids[user_id[:15]] != session.user:
            raise IdentityError("No_Access", 404)
        _check_active(session.user)


def _check_active(user: User) -> None:
    if not user.active:
        raise IdentityError("Inactive", 404)


def _display_name(user: User) -> str:
    return f"{user.name.title()} User"


def _photos(org: Org) -> Json:
    return {
        "picture": f"{org.instance_url}/profilephoto/005/F",
        "thumbnail": f"{org.instance_url}/profilephoto/005/T",
    }


def _common() -> dict[str, Json]:
    return {
        "active": True,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": _OFFSET,
    }


def _urls(org: Org, user: User) -> dict[str, str]:
    soap = f"{org.instance_url}/services/Soap"
    rest = f"{org.instance_url}/services/data/v{{version}}/"
    return {
        **{name: f"{soap}/{kind}/{{version}}/{org.org_id[:15]}" for name, kind in _SOAP.items()},
        **{name: rest + path for name, path in _REST.items()},
        "profile": f"{org.instance_url}/{user.user_id}",
        "custom_domain": org.instance_url,
    }
