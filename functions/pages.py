"""The one page of this service: it hands the outcome of a connection to the pane that waits."""

import json
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from string import Template
from typing import TYPE_CHECKING

import azure.functions as func

from functions.boundary import status_of

if TYPE_CHECKING:
    from shared.usecases.finish_connection import Arrival

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>FlowRunner</title>
<p>$text</p>
<script nonce="$nonce">
  const message = $message;
  for (const origin of $origins) {
    if (window.opener) window.opener.postMessage(message, origin);
  }
</script>
</html>
""")


def connect_page(
    arrival: "Arrival", origins: Sequence[str], cookie: str | None = None
) -> func.HttpResponse:
    """Posts the completion code, or the error's code, to the opener, for our origins alone.

    Nothing of the request stands in the page: the code is ours, and the errors are a fixed list.
    """
    nonce = secrets.token_urlsafe(16)
    status = HTTPStatus.OK
    text = "Connected. You can close this window."
    message = {"type": "flowrunner.connected"}
    if arrival.completion is not None:
        message["completion"] = arrival.completion.reveal()
    else:
        failure = arrival.failure
        status = status_of(type(failure)) if failure else HTTPStatus.INTERNAL_SERVER_ERROR
        text = "Salesforce could not be connected. Close this window and try again."
        message["error"] = failure.code if failure else "internal"
    headers = {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'nonce-{nonce}'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    }
    if arrival.failure is not None and arrival.failure.retry_after is not None:
        headers["Retry-After"] = str(arrival.failure.retry_after)
    if cookie is not None:
        headers["Set-Cookie"] = cookie
    page = _PAGE.substitute(
        nonce=nonce, text=text, message=json.dumps(message), origins=json.dumps(list(origins))
    )
    return func.HttpResponse(page, status_code=status, mimetype="text/html", headers=headers)
