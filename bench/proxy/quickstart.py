"""A plain rendering of Microsoft's quickstart, as tutorials put it together: a synchronous function
that asks everything anew with each call.

https://learn.microsoft.com/azure/azure-functions/create-first-function-vs-code-python. The local
host calls it in a thread, as Microsoft's worker does; that has as many threads as `concurrent.
futures` gives for the processors of the machine, unless PYTHON_THREADPOOL_THREAD_COUNT says
otherwise. In its favour: its table is a dictionary, and the token of its managed identity is kept.
"""

import json
import os
import socket
from functools import cache
from pathlib import Path
from typing import Any

import azure.functions as func
import jwt
import requests
from cryptography.fernet import Fernet

from bench.proxy.places import FLOW_PATH, QUICKSTART_STORE, Places
from bench.proxy.quickstart_store import FERNET_SECRET, Stored
from local import scene
from local.network import pinned

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

_places = Places.given()
# Instead of DNS; the code below is what a tutorial shows.
socket.getaddrinfo = pinned(_places.every_pin())  # type: ignore[assignment]  # pinned has fewer overloads
_stored = Stored.load(Path(os.environ[QUICKSTART_STORE]))


@cache
def _identity_token() -> str:
    answer = requests.get(
        os.environ["IDENTITY_ENDPOINT"],
        params={"resource": "https://vault.azure.net", "api-version": "2019-08-01"},
        headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]},
        timeout=10,
    )
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def _fernet_key() -> str:
    answer = requests.get(
        f"https://{scene.KEY_VAULT_HOST}/secrets/{FERNET_SECRET}",
        params={"api-version": "7.4"},
        headers={"Authorization": f"Bearer {_identity_token()}"},
        timeout=10,
    )
    answer.raise_for_status()
    return str(answer.json()["value"])


@app.route(route="quickstart/runs", methods=["POST"])
def invoke(req: func.HttpRequest) -> func.HttpResponse:
    session = req.headers.get("Authorization", "").removeprefix("Bearer ")
    try:
        claims = jwt.decode(session, _stored.public_key, algorithms=["RS256"], audience="bench")
    except jwt.InvalidTokenError:
        return func.HttpResponse("Unauthorized", status_code=401)
    asked: Any = req.get_json()
    row = _stored.table[f"{claims['sub']}|{asked['org']}"]
    token = Fernet(_fernet_key()).decrypt(row["token"].encode()).decode()
    answer = requests.post(
        f"{row['instance_url']}{FLOW_PATH}",
        headers={"Authorization": f"Bearer {token}"},
        json={"inputs": [asked["inputs"]]},
        timeout=30,
    )
    answer.raise_for_status()
    result = answer.json()[0]
    body = {"status": "succeeded", "outputs": result["outputValues"]}
    return func.HttpResponse(json.dumps(body), mimetype="application/json")
