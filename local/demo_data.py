"""The demo's second half: what is held about me, the tenant's export, and being forgotten."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from local.addin import AddIn, UnexpectedAnswerError
from local.child import ROOT
from local.demo_report import require, tell

_VERIFIER: Final = ROOT / "tools" / "verify_receipt.py"
_VERIFIER_SECONDS: Final = 30
_DELETION_SECONDS: Final = 30.0
_LOOK_EVERY_SECONDS: Final = 0.25
_HURRY_EVERY_SECONDS: Final = 2.0


def see_what_is_held(pane: AddIn) -> None:
    """Every kind of row about the caller, and how many of each. Raises ValueError."""
    mine = pane.call("GET", "/me/data")
    held = {f"{one['table']}/{one['kind']}": len(one["rows"]) for one in mine["held"]}
    tell("my data", ", ".join(f"{rows} {kind}" for kind, rows in held.items() if rows))
    require(held["runs/run"] == 2, "both runs are told")  # noqa: PLR2004 - those of the demo


def export_the_runs(administrator: AddIn, runs: set[str], folder: Path) -> None:
    """As an auditor would: download, and check the signature where nothing else is at hand."""
    answer = administrator.send("GET", "/runs/export", headers={"Accept": "application/x-ndjson"})
    signature = answer.headers.get("X-Export-Signature")
    if not answer.ok or signature is None:
        raise UnexpectedAnswerError(f"GET /runs/export answered {answer.status_code}")
    body, keys = folder / "runs.ndjson", _saved_keys(administrator, folder)
    body.write_bytes(answer.content)
    lines = answer.text.splitlines()
    tell("export", f"the administrator's: {len(lines)} runs, {len(answer.content)} bytes")
    require(all(any(run in line for line in lines) for run in runs), "both runs are among them")
    tell("", _verified("--export", str(body), signature, str(keys))[0])

    body.write_bytes(answer.content.replace(b"succeeded", b"succeeded ", 1))
    require(not _is_valid("--export", str(body), signature, str(keys)), "an altered one is refused")


def be_forgotten(pane: AddIn, signed_in: Any, folder: Path) -> None:  # noqa: ANN401 - any JSON value
    """Ask, confirm, wait, and keep the proof. Raises UnexpectedAnswerError, ValueError."""
    asked = pane.call("POST", "/deletion-requests", body={"scope": "user"}, expect=201)
    tell("delete me", f"{asked['id']}, to be confirmed")
    confirmation = {"confirmation_code": asked["confirmation_code"]}
    path = f"/deletion-requests/{asked['id']}"
    confirmed = pane.call("POST", f"{path}/confirm", body=confirmation, expect=202)
    tell("confirm", f"due at {confirmed['due_at']}")
    pane.call("GET", "/runs", expect=401)
    tell("", "the session is over at once")

    token = {"Authorization": f"Bearer {asked['status_token']}"}
    done = _followed(pane, path, token)
    counts = [f"{count} in {table}" for table, count in done["rows"].items() if count]
    tell("", f"deleted {', '.join(counts)}; grants revoked: {done['revocations']['revoked']}")

    receipt = folder / "receipt.jws"
    receipt.write_bytes(pane.send("GET", f"{path}/receipt", headers=token).content)
    whose = ("--tenant", signed_in["tenant"]["id"], "--user", signed_in["user"]["id"])
    keys = _saved_keys(pane, folder)
    tell("receipt", _verified(str(receipt), str(keys), *whose)[0])
    require(
        not _is_valid(str(receipt), str(keys), "--user", "u-" + "a" * 26),
        "as somebody else's it is refused",
    )


def _followed(pane: AddIn, path: str, token: dict[str, str]) -> Any:  # noqa: ANN401 - any JSON value
    """The status until there is a receipt; each step is told once. The worker comes every minute:
    here it is asked to hurry. It waits ten seconds by itself, until every instance has noticed."""
    told = 0
    deadline = time.monotonic() + _DELETION_SECONDS
    next_hurry = 0.0
    while time.monotonic() < deadline:
        if time.monotonic() >= next_hurry:
            pane.run_timer("deletion_worker")
            next_hurry = time.monotonic() + _HURRY_EVERY_SECONDS
        status = pane.call("GET", path, headers=token)
        steps = [step["state"] for step in status["steps"]]
        if len(steps) > told:
            tell("status", ", ".join(steps[told:]))
            told = len(steps)
        if status["state"] == "receipted":
            return status
        time.sleep(_LOOK_EVERY_SECONDS)
    raise ValueError(f"the deletion was not done after {_DELETION_SECONDS:.0f} s")


def _saved_keys(pane: AddIn, folder: Path) -> Path:
    keys = folder / "keys.json"
    keys.write_bytes(pane.send("GET", "/keys").content)
    return keys


def _verified(*arguments: str) -> Sequence[str]:
    """What the verifier says of something valid. Raises ValueError with what it says else."""
    answer = _verify(*arguments)
    if answer.returncode != 0:
        raise ValueError(f"not valid: {answer.stderr.strip()}")
    return answer.stdout.splitlines()


def _is_valid(*arguments: str) -> bool:
    return _verify(*arguments).returncode == 0


def _verify(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(_VERIFIER), *arguments],
        capture_output=True,
        text=True,
        timeout=_VERIFIER_SECONDS,
        check=False,
    )
