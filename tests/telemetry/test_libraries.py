"""V-05: libraries print tokens, codes and addresses at DEBUG; here they do not, whoever asks."""

import asyncio
import http.server
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from azure.core.pipeline import Pipeline
from azure.core.pipeline.policies import HttpLoggingPolicy, NetworkTraceLoggingPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from requests_oauthlib import OAuth2Session

from local import scene
from shared.telemetry.events import LIBRARIES, quiet_libraries
from tests.telemetry.receiver import Answer, Receiver

CANARY = "canary-secret-value"


class Printed:
    """What a host prints that listens to everything, with texts of exceptions."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        self.handler = logging.StreamHandler(self._stream)

    def text(self) -> str:
        return self._stream.getvalue()


@pytest.fixture
def printed() -> Iterator[Printed]:
    """Everything at DEBUG: the root, and each logger by itself. All as before at the end."""
    made = Printed()
    root = logging.getLogger()
    # They must exist before they are set: loggers are made on import, or on first use.
    loggers = [root, *(logging.getLogger(name) for name in LIBRARIES)]
    loggers += [
        each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)
    ]
    before = [(each, each.level, each.propagate, list(each.handlers)) for each in loggers]
    for name in LIBRARIES:  # as in a process in which nobody has quieted them yet
        library = logging.getLogger(name)
        library.propagate, library.handlers[:] = True, []
        library.setLevel(logging.NOTSET)
    root.addHandler(made.handler)
    yield made
    for logger, level, propagate, handlers in before:
        logger.level, logger.propagate, logger.handlers[:] = level, propagate, handlers
        logger.setLevel(level)


def everything_at_debug() -> None:
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    for name, logger in root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and name.partition(".")[0] in LIBRARIES:
            logger.setLevel(logging.DEBUG)


class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-Secret", CANARY)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Not to stderr."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/{CANARY}?code={CANARY}"
    server.shutdown()
    server.server_close()
    thread.join()


def drive_requests_oauthlib(address: str) -> None:
    receiver = Receiver()
    grant = {"access_token": CANARY, "refresh_token": CANARY, "token_type": "Bearer"}
    receiver.answer = Answer(200, {"Content-Type": "application/json"}, json.dumps(grant).encode())
    with OAuth2Session(scene.SALESFORCE_CLIENT_ID, state=CANARY) as session:
        session.trust_env = False
        session.mount("https://", receiver)
        session.fetch_token(
            "https://login.salesforce.com/services/oauth2/token",
            code=CANARY,
            client_secret=CANARY,
        )
        session.refresh_token("https://login.salesforce.com/services/oauth2/token")


def drive_urllib3(address: str) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.get(address, timeout=5)


def drive_azure(address: str) -> None:
    transport = RequestsTransport(use_env_settings=False)
    policies = [NetworkTraceLoggingPolicy(logging_enable=True), HttpLoggingPolicy()]
    with Pipeline(transport, policies) as pipeline:
        headers = {"Authorization": f"Bearer {CANARY}"}
        pipeline.run(HttpRequest("GET", address, headers=headers))


def drive_msal(address: str) -> None:
    receiver = Receiver()
    base = f"https://{scene.ENTRA_HOST}/{CANARY}"
    answer = {
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "issuer": base,
        "access_token": CANARY,
        "token_type": "Bearer",
        "error_description": CANARY,
    }
    receiver.answer = Answer(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())
    app = msal.ConfidentialClientApplication(
        scene.ENTRA_API_CLIENT_ID,
        client_credential=CANARY,
        authority=f"https://{scene.ENTRA_HOST}/{CANARY}",
        http_client=receiver.session(),
        instance_discovery=False,
    )
    app.acquire_token_on_behalf_of(CANARY, ["User.Read"])


def drive_asyncio(address: str) -> None:
    async def fail() -> None:
        raise ValueError(CANARY)

    async def forget() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    asyncio.run(forget())


DRIVERS: dict[str, Callable[[str], None]] = {
    "requests_oauthlib": drive_requests_oauthlib,
    "urllib3": drive_urllib3,
    "azure": drive_azure,
    "msal": drive_msal,
    "asyncio": drive_asyncio,
}


@pytest.mark.parametrize("library", DRIVERS)
def test_v05_a_library_at_debug_prints_secrets_by_itself(
    library: str, printed: Printed, address: str
) -> None:
    everything_at_debug()
    DRIVERS[library](address)
    assert CANARY in printed.text()


@pytest.mark.parametrize("library", DRIVERS)
def test_v05_a_quiet_library_prints_nothing_at_debug(
    library: str, printed: Printed, address: str
) -> None:
    quiet_libraries()
    everything_at_debug()
    DRIVERS[library](address)
    assert CANARY not in printed.text()
    warned = [json.loads(line)["event"] for line in printed.text().splitlines()]
    assert warned == (["library_warning"] if library == "asyncio" else [])


def test_of_a_warning_the_library_and_the_class_of_exception_remain(printed: Printed) -> None:
    quiet_libraries()
    error = TimeoutError(CANARY)
    logging.getLogger("azure.identity.x").warning("no token: %s", CANARY, exc_info=error)
    logging.getLogger("urllib3.connectionpool").error("retrying %s", CANARY)
    logging.getLogger("msal").info("token %s", CANARY)
    assert [json.loads(line) for line in printed.text().splitlines()] == [
        {"event": "library_warning", "dependency": "azure", "cause": "TimeoutError"},
        {"event": "library_warning", "dependency": "urllib3"},
    ]


def test_quieting_twice_says_each_warning_once(printed: Printed) -> None:
    quiet_libraries()
    quiet_libraries()
    logging.getLogger("msal.token_cache").warning(CANARY)
    assert len(printed.text().splitlines()) == 1


ROOTS = """
import logging
import aiohttp, azure.data.tables.aio, azure.identity.aio, azure.keyvault.keys.crypto.aio
import azure.keyvault.secrets.aio, azure.storage.blob.aio, cryptography, jwt, msal, requests
import requests_oauthlib, sentry_sdk
import opencensus.ext.azure.log_exporter
print(*sorted({name.partition(".")[0] for name in logging.root.manager.loggerDict}))
"""


def test_every_library_that_logs_is_on_the_list() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ROOTS],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=60,
        check=True,
    )
    roots: set[Any] = set(done.stdout.decode().split())
    harmless = {"concurrent", "rich"}  # of executors: no argument is logged; of a terminal
    assert roots - harmless <= set(LIBRARIES)
