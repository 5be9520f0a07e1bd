"""C-10 and C-11: a data key in memory is in nothing that the service puts out, not even when it
crashes; and nothing in the environment keeps it from sealing."""

import ast
import logging
import struct
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import shared.crypto
from local import scene
from shared.errors import SealBrokenError
from shared.settings import Settings, SettingsError
from shared.telemetry.app_insights import AppInsightsSink
from shared.telemetry.events import SanitizedError, alarm, attach, detach, flush
from shared.telemetry.sentry import SentrySink
from shared.telemetry.sinks import Sink
from tests.attacks.crashing_worker import DATA_KEY, PLACE, UNUTTERABLE, vault_in_use
from tests.attacks.sealed_world import lived_in
from tests.telemetry.canaries import hits
from tests.telemetry.receiver import Receiver
from tests.test_settings import GOOD, INSIGHTS

ROOT: Final = Path(__file__).parent.parent.parent
KEY: Final = {"the data key": DATA_KEY.decode()}


@pytest.fixture
def telemetry() -> Iterator[Receiver]:
    """What both services receive."""
    receiver = Receiver()
    sinks: list[Sink] = [
        SentrySink(
            scene.SENTRY_DSN,
            release="flowrunner@1.2.3",
            region="westeurope",
            session_factory=receiver.session,
        ),
        AppInsightsSink(INSIGHTS, session_factory=receiver.session),
    ]
    for sink in sinks:
        attach(sink)
    yield receiver
    for sink in sinks:
        detach(sink, 10)


# --- C-10 ----------------------------------------------------------------------------------------


async def test_C10_a_crash_in_the_middle_of_sealing_tells_nothing_of_the_key(
    telemetry: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """As the boundary tells of a crash: to the log, to Sentry and to App Insights."""
    caplog.set_level(logging.DEBUG)
    vault = await vault_in_use()

    with pytest.raises(struct.error) as crashed:
        await vault.seal(UNUTTERABLE, b"plain")
    alarm("crashed", SanitizedError.of(crashed.value))
    assert flush(20)

    printed = "".join(traceback.format_exception(crashed.value))
    assert "seal" in printed
    assert b"sentry" in telemetry.everything()
    for output in (caplog.text.encode(), telemetry.everything(), printed.encode()):
        assert b"crashed" in output or b"struct.error" in output
        assert hits(output, KEY) == set()


async def test_C10_the_key_would_be_found_where_locals_are_printed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The control: who printed the locals of that crash would print the key."""
    vault = await vault_in_use()

    with pytest.raises(struct.error) as crashed:
        await vault.seal(UNUTTERABLE, b"plain")

    shown = traceback.TracebackException.from_exception(crashed.value, capture_locals=True)
    assert hits("".join(shown.format()).encode(), KEY) == {"the data key"}


async def test_C10_a_broken_seal_shows_no_key_even_where_locals_are_printed() -> None:
    """This failure is expected, and an attacker can cause it."""
    vault = await vault_in_use()
    sealed = await vault.seal(PLACE, b"plain")

    for broken in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20], b""):
        with pytest.raises(SealBrokenError) as failed:
            await vault.open(PLACE, broken)

        shown = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
        printed = "".join(shown.format())
        assert "tenant_vault.py" in printed
        assert "place = Place(" in printed  # locals are there
        assert hits(printed.encode(), KEY) == set()


async def test_C10_nothing_that_holds_the_key_shows_it() -> None:
    vault = await vault_in_use()
    held = [vault, *vars(vault).values()]

    assert any("TimedCache" in repr(one) for one in held)
    assert hits(repr(held).encode() + str(held).encode(), KEY) == set()


@pytest.mark.parametrize(("how", "says"), [("raise", b"struct.error"), ("abort", b"Aborted")])
def test_C10_a_process_that_dies_prints_no_key(how: str, says: bytes, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.attacks.crashing_worker", how],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert says in done.stderr
    assert hits(done.stdout + done.stderr, KEY) == set()


# --- C-11 ----------------------------------------------------------------------------------------

SWITCHES: Final = {
    f"{prefix}{name}": value
    for prefix in ("", "FLOWRUNNER_", "SHARED_")
    for name, value in (
        ("DEBUG", "1"),
        ("DISABLE_ENCRYPTION", "true"),
        ("DISABLE_SEALING", "true"),
        ("ENCRYPTION", "off"),
        ("PLAINTEXT", "1"),
        ("DATA_KEY", "0" * 64),
        ("LOCAL_STACK", "stack.json"),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"),
    )
}


def test_C11_no_variable_changes_the_settings() -> None:
    assert Settings.from_environ({**GOOD, **SWITCHES}) == Settings.from_environ(GOOD)


async def test_C11_whatever_the_environment_says_everything_is_sealed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, text in {**SWITCHES, "PYTHONOPTIMIZE": "2"}.items():
        monkeypatch.setenv(name, text)

    world, sealed = await lived_in()

    assert len(sealed) > 20
    for place, value in sealed.items():
        plain = await world.vault.open(place, value)
        assert value[0] == 1
        assert len(plain) < 16 or plain not in value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TABLES_ENDPOINT", "UseDevelopmentStorage=true"),
        ("TABLES_ENDPOINT", "http://127.0.0.1:10002/devstoreaccount1"),
        ("TABLES_ENDPOINT", "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=eA=="),
        ("BACKUP_ENDPOINT", "http://127.0.0.1:10000/devstoreaccount1"),
        ("KEY_VAULT_URI", ""),
        ("KEY_VAULT_URI", "none"),
        ("KEY_VAULT_URI", "http://127.0.0.1:8200"),
        ("KEY_VAULT_URI", "file:///keys"),
    ],
)
def test_C11_without_a_vault_or_with_a_store_for_developers_the_service_does_not_start(
    name: str, value: str
) -> None:
    """Nor does any setting take an account's key: Azure knows us by the managed identity alone."""
    with pytest.raises(SettingsError, match=name):
        Settings.from_environ({**GOOD, name: value})


def test_C11_no_branch_of_what_seals_depends_on_anything_but_its_arguments() -> None:
    """It knows neither settings nor environment, and has no assert, which `-O` takes away."""
    modules = sorted(Path(*shared.crypto.__path__).glob("*.py"))
    assert {"envelope.py", "tenant_vault.py", "key_vault.py"} <= {path.name for path in modules}

    found = {path.name: switches_in(ast.parse(path.read_bytes())) for path in modules}

    assert {name: switches for name, switches in found.items() if switches} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import os\nif os.environ.get('DEBUG'): pass",
        "from os import getenv",
        "from shared.settings import Settings",
        "assert key",
        "if __debug__: pass",
        "from local import scene",
    ],
)
def test_C11_a_switch_would_be_found(line: str) -> None:
    assert switches_in(ast.parse(line))


def switches_in(module: ast.Module) -> list[str]:
    """What would let a module behave otherwise in one deployment than in another."""
    found: list[str] = []
    for node in ast.walk(module):
        match node:
            case ast.Attribute(attr="environ" | "environb" | "getenv" | "flags" | "argv" as name):
                found.append(name)
            case ast.Name(id="__debug__" | "environ" | "getenv" as name):
                found.append(name)
            case ast.Assert():
                found.append("assert")
            case ast.ImportFrom(module=str(source), names=names):
                known = ("shared.settings", "local", "sys")
                found += [source for one in known if f"{source}.".startswith(f"{one}.")]
                found += [one.name for one in names if one.name in ("environ", "getenv")]
            case _:
                pass
    return found
