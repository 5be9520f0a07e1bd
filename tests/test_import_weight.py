"""A cold start pays for what it imports: a health check imports no SDK, and little of ours."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent

HEAVY: Final = (
    "azure.core",
    "azure.data",
    "azure.identity",
    "azure.keyvault",
    "aiohttp",
    "cryptography",
    "jwt",
    "msal",
    "oauthlib",
    "opencensus",
    "requests",
    "requests_oauthlib",
    "sentry_sdk",
    "urllib3",
)

LIGHT: Final = (
    "shared.errors",
    "shared.outside",
    "shared.salesforce_hosts",
    "shared.secret",
    "shared.services",
    "shared.settings",
    "shared.strict_json",
    "shared.telemetry",
)
"""All of `shared` that is there before a caller is asked for: no use case, no model."""

ASK: Final = """
import asyncio, json, os, sys
import azure.functions as func
from functions import create_app
from shared.services import build
from shared.settings import Settings

app = create_app(build(Settings.from_environ(os.environ)))
functions = {f.get_function_name(): f.get_user_function() for f in app.get_functions()}
request = func.HttpRequest(method="GET", url="/api/v1/health", body=b"")
status = asyncio.run(functions[NAME](request)).status_code
print(json.dumps({"status": status, "modules": sorted(sys.modules)}))
"""


def loaded_after(name: str, **settings: str) -> tuple[int, set[str]]:
    """The status of one function's answer in a process of its own, and all that it imported."""
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
    environ = {**os.environ, **sample["Values"], "PYTHONPATH": str(ROOT), **settings}
    finished = subprocess.run(
        [sys.executable, "-c", ASK.replace("NAME", repr(name))],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    told = json.loads(finished.stdout.splitlines()[-1])
    return told["status"], set(told["modules"])


def heavy_among(modules: set[str]) -> set[str]:
    return {heavy for heavy in HEAVY if any(_is_of(heavy, module) for module in modules)}


def ours_beyond_the_light(modules: set[str]) -> set[str]:
    return {
        module
        for module in modules
        if module.startswith("shared.") and not any(_is_of(light, module) for light in LIGHT)
    }


def _is_of(package: str, module: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize(
    ("name", "status"), [("health", 200), ("openapi", 200), ("unmatched", 404)]
)
def test_what_is_not_about_a_user_is_answered_without_sdks_and_use_cases(
    name: str, status: int
) -> None:
    """With telemetry switched off; with it, the log line of a refusal may load its sinks."""
    answered, modules = loaded_after(name, SENTRY_DSN="", APPLICATIONINSIGHTS_CONNECTION_STRING="")

    assert answered == status
    assert heavy_among(modules) == set()
    assert ours_beyond_the_light(modules) == set()


def test_health_stays_light_with_telemetry_switched_on() -> None:
    answered, modules = loaded_after("health")

    assert answered == 200
    assert heavy_among(modules) == set()
    assert ours_beyond_the_light(modules) == set()


def test_what_is_about_a_user_does_load_them() -> None:
    """So that the tests above can fail."""
    answered, modules = loaded_after(
        "flow_list", SENTRY_DSN="", APPLICATIONINSIGHTS_CONNECTION_STRING=""
    )

    assert answered == 401
    assert {"azure.identity", "azure.keyvault", "aiohttp", "jwt"} <= heavy_among(modules)
    assert {"shared.model", "shared.usecases.authenticate"} <= ours_beyond_the_light(modules)
    assert "shared.usecases.list_flows" not in modules, "nobody was let in"
