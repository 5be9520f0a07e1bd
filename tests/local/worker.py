"""Makes calls of an app through Microsoft's own Python worker (azure-functions-runtime)."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import azure.functions as func

from tests.local.exchange import Answer, Call, call_to_json

ROOT = Path(__file__).parent.parent.parent
PROBE_APP = Path(__file__).parent / "probe_app"

_DEADLINE_SECONDS = 60


def run_in_worker(
    app_dir: Path, calls: Sequence[Call], environment: Mapping[str, str] | None = None
) -> list[Answer]:
    """The worker's answers for the app in `app_dir/function_app.py`, call by call.

    The process gets `environment` and next to nothing else: Microsoft's workers take
    CONTAINER_NAME for a sign of running inside Azure, and app settings of theirs (PYTHON_*) would
    change what they do. TZ is UTC as in Azure, because the worker reads a cookie's Expires as a
    local time. Fails with the process' own words.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder, "calls.json"), Path(folder, "answers.json")
        asked.write_text(json.dumps([call_to_json(call) for call in calls]), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "tests.local.worker_process", app_dir, asked, answered],
            cwd=app_dir,  # as in Azure, and so that its function_app is found before any other
            env={
                "PATH": os.environ.get("PATH", ""),
                "PYTHONPATH": str(ROOT),
                "TZ": "UTC",
                **(environment or {}),
            },
            capture_output=True,
            text=True,
            timeout=_DEADLINE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers = json.loads(answered.read_text(encoding="utf-8"))
    return [Answer.from_json(fields) for fields in answers]


def load_app(app_dir: Path) -> func.FunctionApp:
    """A new app object from `app_dir/function_app.py`: each can be indexed only once."""
    app = load_module(app_dir).app
    assert isinstance(app, func.FunctionApp)
    return app


def load_module(app_dir: Path) -> ModuleType:
    """`app_dir/function_app.py` anew."""
    spec = importlib.util.spec_from_file_location("loaded_app", app_dir / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
