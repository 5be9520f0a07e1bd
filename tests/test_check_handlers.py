"""The check that no handler answers an HTTP error by hand: what it finds, and what it lets be."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tools.check_handlers import findings

ROOT: Final = Path(__file__).parent.parent

BREACHES: Final = {
    "by-keyword": "func.HttpResponse(b'', status_code=404)",
    "by-position": "func.HttpResponse(b'', 503)",
    "by-a-member": "json_response({}, HTTPStatus.NOT_FOUND)",
    "by-a-member-under-another-name": "json_response({}, S.IM_A_TEAPOT)",
    "by-a-member-made-from-a-number": "json_response({}, HTTPStatus(500))",
    "through-a-helper": "_redirect(HTTPStatus.GONE, '/', '')",
    "by-a-name": "status = 409",
    "by-a-name-with-a-type": "the_status: int = 409",
    "by-a-choice": "status_code = 200 if fine else 400",
    "on-the-answer-itself": "response.status_code = 400",
    "by-an-import": "from http.client import FORBIDDEN",
    "inside-a-function": "async def f(req):\n    return func.HttpResponse(status_code=401)",
    "in-a-lambda": "answer = lambda: func.HttpResponse(status_code=422)",
    "raised": "raise HTTPException(404)",
}

FINE: Final = {
    "a-success": "func.HttpResponse(b'', status_code=204)",
    "a-member-of-success": "json_response({}, HTTPStatus.CREATED)",
    "a-redirect": "_redirect(HTTPStatus.SEE_OTHER, '/', '')",
    "an-error-of-ours": "raise NotFoundError",
    "a-limit": "_MOST = 500",
    "a-number-in-a-text": "headers = {'Max-Age': '404'}",
    "a-status-that-is-passed-on": "func.HttpResponse(status_code=status)",
    "a-truth": "f(True)",
}


@pytest.mark.parametrize("source", BREACHES.values(), ids=BREACHES.keys())
def test_an_error_status_by_hand_is_found(source: str) -> None:
    found = list(findings(source, "functions/x.py"))

    assert found
    assert all(line.startswith("functions/x.py:") for line in found)


@pytest.mark.parametrize("source", FINE.values(), ids=FINE.keys())
def test_everything_else_is_let_be(source: str) -> None:
    assert list(findings(source, "functions/x.py")) == []


def test_a_finding_says_in_which_line() -> None:
    (found,) = findings("x = 1\n\n\nfunc.HttpResponse(status_code=404)\n", "functions/x.py")

    assert found.startswith("functions/x.py:4: ")


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "check_handlers.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_functions_as_they_are_pass() -> None:
    finished = run()

    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_a_breach_in_any_handler_fails_the_check(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "functions", tmp_path / "functions")
    handler = tmp_path / "functions" / "runs.py"
    handler.write_text(handler.read_text() + "\nWRONG = func.HttpResponse(status_code=404)\n")

    finished = run(str(tmp_path / "functions"))

    assert finished.returncode == 1
    assert finished.stdout.count("\n") == 1
    assert "runs.py" in finished.stdout


def test_the_boundary_and_the_page_may_speak_http(tmp_path: Path) -> None:
    (tmp_path / "boundary.py").write_text("A = f(404)\n")
    (tmp_path / "pages.py").write_text("A = f(HTTPStatus.NOT_FOUND)\n")
    assert run(str(tmp_path)).returncode == 0

    (tmp_path / "other.py").write_text("A = f(404)\n")
    assert run(str(tmp_path)).returncode == 1
