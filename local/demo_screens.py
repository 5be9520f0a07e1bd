"""The demo's step for screen Flows: an address of the org's own, opened in the user's browser."""

import re
from typing import Any
from urllib.parse import urlsplit

from local import scene
from local.addin import AddIn
from local.demo_report import require, tell


def open_screen_flows(pane: AddIn, user: str, connection: Any) -> None:  # noqa: ANN401 - any JSON value
    """As the pane would set `frontdoor-url` of Lightning Out. Raises ValueError."""
    asked = {"org_id": connection["org_id"], "app_id": scene.LIGHTNING_OUT_APP_ID}
    opened = pane.call("POST", "/lightning/session", body=asked)
    address = opened["frontdoor_url"]
    host = urlsplit(address).hostname
    tell("screen Flows", f"a front door of {host}, for {opened['expires_in']} s")
    require(host == connection["instance_host"], "it is the org's own host")

    page = pane.browse(address)
    shown = dict(re.findall(r'<span id="([a-z-]+)">([^<]*)</span>', page.text))
    require(page.ok and shown.get("user") == user, f"it opened as {user}, in Salesforce")
    require(not pane.browse(address).ok, "and opens nothing more")
