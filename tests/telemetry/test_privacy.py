"""V-03, V-07: what leaves a failing process, and where to; the SDKs' defaults are the control."""

import base64
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from local import scene
from tests.telemetry.canaries import CANARIES, hits

REPOSITORY = Path(__file__).parents[2]


def run(mode: str, temporary: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.telemetry.scenario", mode, CANARIES["argv"]],
        cwd=REPOSITORY,
        env={
            "PATH": os.environ["PATH"],
            "SEED": CANARIES["env"],
            "TMPDIR": str(temporary),
            "HTTPS_PROXY": "http://192.0.2.1:3128",
            "SENTRY_SPOTLIGHT": "http://192.0.2.2:8969/stream",
        },
        capture_output=True,
        timeout=60,
        check=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    temporary = tmp_path_factory.mktemp("ours")
    return run("ours", temporary), temporary


@pytest.fixture(scope="module")
def defaults(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    temporary = tmp_path_factory.mktemp("defaults")
    return run("defaults", temporary), temporary


@pytest.mark.parametrize("name", CANARIES)
def test_the_search_finds_each_canary_in_clear_and_encoded(name: str) -> None:
    text = CANARIES[name]
    forms = [text, quote(text), text.encode().hex().upper(), json.dumps({"a": text})]
    forms += [base64.b64encode(f"{'x' * offset}{text}yz".encode()).decode() for offset in range(3)]
    for form in forms:
        assert hits(f"before{form}after".encode()) == {name}


def test_v03_both_sinks_received_the_failure_and_no_canary(
    ours: tuple[dict[str, Any], Path],
) -> None:
    report, _ = ours
    assert Counter(report["requests"]) == {
        f"https://{scene.SENTRY_HOST}/api/1/envelope/": 2,
        f"https://{scene.APP_INSIGHTS_HOST}/v2.1/track": 2,
    }
    assert report["sent"].count('"crashed"') >= 3
    assert hits(report["sent"].encode("latin-1")) == set()


def test_v03_the_defaults_of_the_sdks_leak_the_same_canaries(
    defaults: tuple[dict[str, Any], Path],
) -> None:
    report, _ = defaults
    assert hits(report["sent"].encode("latin-1")) >= {
        "local_variable",
        "exception_text",
        "chained_exception",
        "log_message",
        "log_args",
        "url_query",
        "argv",
        "server_name",
    }


def test_v07_no_connection_is_made_but_by_the_injected_session(
    ours: tuple[dict[str, Any], Path], defaults: tuple[dict[str, Any], Path]
) -> None:
    assert ours[0]["connections"] == ["127.0.0.1"]  # the third party of the scenario itself
    assert "169.254.169.254" in defaults[0]["connections"]


def test_v07_no_version_control_is_asked_for_a_release(
    ours: tuple[dict[str, Any], Path], defaults: tuple[dict[str, Any], Path]
) -> None:
    assert "git" not in ours[0]["processes"]
    assert "git" in defaults[0]["processes"]


def test_nothing_is_written_to_the_temporary_folder(
    ours: tuple[dict[str, Any], Path], defaults: tuple[dict[str, Any], Path]
) -> None:
    assert list(ours[1].rglob("*")) == []
    assert [path.name for path in defaults[1].rglob("*.blob*")]


def test_third_parties_get_no_tracing_headers(
    ours: tuple[dict[str, Any], Path], defaults: tuple[dict[str, Any], Path]
) -> None:
    assert {"sentry-trace", "baggage"}.isdisjoint(ours[0]["headers_to_third_parties"])
    assert {"sentry-trace", "baggage"} <= set(defaults[0]["headers_to_third_parties"])


HEAVY = """
import sys
from shared.telemetry import app_insights, events, hosts, sentry
def session(): raise SystemExit("no session is needed yet")
first = sentry.SentrySink(sys.argv[1], release="1", region="westeurope", session_factory=session)
second = app_insights.AppInsightsSink(sys.argv[2], session_factory=session)
events.quiet_libraries()
events.attach(first)
if "events" in sys.argv:
    events.event("answered", function="health", status=200)
    events.flush(10)
events.attach(second)
heavy = {"aiohttp", "azure", "msal", "opencensus", "requests", "sentry_sdk", "urllib3"}
print(*heavy & {name.partition(".")[0] for name in sys.modules})
"""


@pytest.mark.parametrize("told", ["nothing", "events"])
def test_no_sdk_is_imported_before_there_is_something_to_send(told: str) -> None:
    command = [sys.executable, "-c", HEAVY, scene.SENTRY_DSN, scene.APP_INSIGHTS_CONNECTION, told]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=60, check=True)
    assert done.stdout.decode().split() == []
