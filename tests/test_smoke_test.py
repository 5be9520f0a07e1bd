"""`tools/smoke_test.py`: passes on the real service, and sees each thing that may be wrong."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from local.authority import Authority
from local.stack_info import StackInfo
from tests.fakes import World
from tests.functions.host import registered as registered_in_the_app
from tests.pretended_deployment import CONTRACT, GUARDED, Pretender, Reply
from tools.smoke_test import Failure, guarded, main, names_in, registered

ROOT: Final = Path(__file__).parent.parent
CHECKS: Final = (
    *("functions", "health", "security headers", "contract", "stranger", "unknown path"),
    "plain http",
)
NOTE: Final = "note    the contract is that of this tree; which build answers is not told"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def pretender(authority: Authority) -> Iterator[Pretender]:
    made = Pretender(authority)
    yield made
    made.close()


@pytest.fixture
def all_names(tmp_path: Path) -> Path:
    """What `az functionapp function list` prints after a whole deployment."""
    file = tmp_path / "functions.txt"
    lines = [f"func-flowrunner-abc/{name}\n" for name in sorted(registered())]
    file.write_text("".join(lines), encoding="utf-8")
    return file


def smoke(pretender: Pretender, *more: str | Path, patience: float = 0) -> int:
    options = ["--ca", pretender.authority, "--patience", str(patience), *more]
    return main([pretender.base_url, *map(str, options)])


# --- what is well ------------------------------------------------------------------------------


@pytest.mark.stack
def test_the_running_service_passes_and_nothing_but_python_is_needed(stack: StackInfo) -> None:
    """Without site-packages, from another folder, the names from standard input."""
    command = [sys.executable, "-I", "-S", str(ROOT / "tools" / "smoke_test.py")]
    options = ["--ca", str(stack.authority), "--functions", "-"]
    finished = subprocess.run(
        [*command, f"{stack.service_https}/api/", *options],
        input="".join(f"func-flowrunner-abc/{name}\r\n" for name in sorted(registered())),
        cwd=stack.data,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert failed(finished.stdout) == []
    *lines, last = finished.stdout.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"ok      {name}" for name in CHECKS]
    assert last == NOTE


def test_the_names_read_from_the_sources_are_those_that_the_app_registers() -> None:
    assert registered() == set(registered_in_the_app(World().services))


def test_names_are_read_with_and_without_the_app_before_them() -> None:
    assert names_in("health\nopenapi\r\n\n") == {"health", "openapi"}
    assert names_in("app/health\napp/openapi\r\n\n") == {"health", "openapi"}
    assert names_in("app/health\napp/openapi\n", "app") == {"health", "openapi"}


@pytest.mark.parametrize(
    ("listed", "app", "why"),
    [
        ("app/health\nevil/openapi\n", None, "of more than one app"),
        ("app/health\nopenapi\n", None, "of more than one app"),
        ("evil/health\n", "app", "functions of 'evil', not of app"),
        ("app/health\nevil/openapi\n", "app", "functions of 'evil', not of app"),
        ("app/evil/health\n", "app", "functions of 'app/evil', not of app"),
        ("health\n", "app", "functions of '', not of app"),
    ],
)
def test_functions_of_another_app_are_refused(listed: str, app: str | None, why: str) -> None:
    with pytest.raises(Failure, match=why):
        names_in(listed, app)


def test_every_operation_that_takes_a_token_is_asked_without_one() -> None:
    assert {(method, path) for method, path, _ in guarded()} == GUARDED
    assert len(GUARDED) > 15


def test_the_pretender_passes_as_it_is(
    pretender: Pretender, all_names: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that each failure below is for the one thing that is changed there."""
    assert smoke(pretender, "--functions", all_names, "--app", "func-flowrunner-abc") == 0
    assert failed(capsys.readouterr().out) == []


def test_without_a_list_the_functions_are_not_compared(
    pretender: Pretender, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke(pretender) == 0
    assert "functions" not in capsys.readouterr().out


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_not_used(
    pretender: Pretender, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")

    assert smoke(pretender) == 0


def test_http_that_leads_to_https_is_well(pretender: Pretender) -> None:
    target = f"{pretender.base_url}/v1/health"
    pretender.plain = Reply(status=301, headers={"Location": target})

    assert smoke(pretender) == 0


def test_http_that_is_refused_is_well(pretender: Pretender) -> None:
    pretender.plain = Reply(status=403)

    assert smoke(pretender) == 0


def test_a_deployment_that_is_still_starting_is_asked_again(pretender: Pretender) -> None:
    pretender.starting = 2
    begun = time.monotonic()

    assert smoke(pretender, patience=30) == 0
    assert 5 < time.monotonic() - begun < 20


# --- what is not -------------------------------------------------------------------------------


def failed(printed: str) -> list[str]:
    lines = printed.splitlines()
    found = [line for line in lines if line.startswith("FAILED ")]
    others = [line for line in lines if not line.startswith(("ok ", "FAILED "))]
    assert others == ([] if found else [NOTE])
    return found


def dressed(reply: str, **changed: str | None) -> Callable[[Pretender], None]:
    """One of the replies with other headers; None takes one away."""

    def change(pretender: Pretender) -> None:
        found = getattr(pretender, reply).headers
        for argument, value in changed.items():
            name = argument.replace("_", "-")
            found.pop(name)
            if value is not None:
                found[name] = value

    return change


def headers(**changed: str | None) -> Callable[[Pretender], None]:
    return dressed("health", **changed)


def typed(reply: str, media_type: str) -> Callable[[Pretender], None]:
    return dressed(reply, Content_Type=media_type)


def problem(reply: str, **changed: object) -> Callable[[Pretender], None]:
    """One of the problem documents with other members; None takes one away."""

    def change(pretender: Pretender) -> None:
        members = getattr(pretender, reply).members
        for name, value in changed.items():
            members.pop(name, None)
            if value is not None:
                members[name] = value

    return change


def reply(name: str, **changed: object) -> Callable[[Pretender], None]:
    """One of the replies with another status or body, or with headers of its own."""

    def change(pretender: Pretender) -> None:
        for attribute, value in changed.items():
            setattr(getattr(pretender, name), attribute, value)

    return change


def plain(status: int, location: str | None = None) -> Callable[[Pretender], None]:
    def change(pretender: Pretender) -> None:
        pretender.plain = Reply(status=status, headers={"Location": location} if location else {})

    return change


FAULTS: Final[dict[str, tuple[Callable[[Pretender], None], str, str]]] = {
    "health is not well": (reply("health", status=500), "health", "the status is 500, not 200"),
    "health is another's": (reply("health", body=b"<html>"), "health", "is not JSON"),
    "health says otherwise": (reply("health", body=b'{"status": "bad"}'), "health", "is well"),
    "health as a page": (
        typed("health", "text/html"),
        "health",
        "Content-Type is 'text/html', not application/json",
    ),
    "no HSTS": (headers(Strict_Transport_Security=None), "security headers", "0 times"),
    "another HSTS": (
        headers(Strict_Transport_Security="max-age=31536000; includeSubDomains; preload"),
        "security headers",
        "Strict-Transport-Security is",
    ),
    "no nosniff": (headers(X_Content_Type_Options=None), "security headers", "0 times"),
    "a referrer": (
        headers(Referrer_Policy="origin"),
        "security headers",
        "Referrer-Policy is 'origin', not no-referrer",
    ),
    "may be stored": (headers(Cache_Control="no-cache"), "security headers", "not no-store"),
    "two policies": (
        reply("health", more=[("Content-Security-Policy", "default-src *")]),
        "security headers",
        "2 times",
    ),
    "a wide policy": (
        headers(Content_Security_Policy="default-src 'none'; script-src *; frame-ancestors *"),
        "security headers",
        "Content-Security-Policy is ",
    ),
    "no id of the request": (reply("health", request_id="-"), "security headers", "no id of ours"),
    "the contract as a page": (
        typed("contract", "text/html"),
        "contract",
        "Content-Type is 'text/html', not application/json",
    ),
    "a contract that may not be kept": (
        dressed("contract", Cache_Control="no-store"),
        "contract",
        "Cache-Control is 'no-store', not public",
    ),
    "a contract without a policy": (
        dressed("contract", Content_Security_Policy=None),
        "contract",
        "Content-Security-Policy is there 0 times",
    ),
    "another version": (
        reply("contract", body=CONTRACT + b"\n"),
        "contract",
        "another version is deployed",
    ),
    "no contract": (reply("contract", status=404), "contract", "the status is 404"),
    "a contract without end": (
        reply("contract", body=b" " * 5_000_000),
        "contract",
        "too long, or too slow",
    ),
    "an open door": (reply("stranger", status=200), "stranger", "the status is 200, not 401"),
    "401 of no type": (
        dressed("stranger", Content_Type=None),
        "stranger",
        "Content-Type is there 0 times",
    ),
    "401 as a page": (typed("stranger", "text/html"), "stranger", "not application/problem+json"),
    "401 with another problem": (
        problem("stranger", code="session_expired"),
        "stranger",
        "the problem document has another 'code'",
    ),
    "401 with half a problem": (
        problem("stranger", type=None, title=None),
        "stranger",
        "the problem document has another 'title, type'",
    ),
    "401 with more than a problem": (
        problem("stranger", trace="at line 1"),
        "stranger",
        "the problem document has another 'trace'",
    ),
    "401 with the incident of another": (
        problem("stranger", incident="0" * 32),
        "stranger",
        "the problem document has another 'incident'",
    ),
    "401 that was made before": (
        reply("stranger", request_id="0" * 32),
        "stranger",
        "X-Request-Id is that of an earlier answer",
    ),
    "401 that is no object": (reply("stranger", body=b"[]"), "stranger", "is no object"),
    "401 that is no JSON": (reply("stranger", body=b"no"), "stranger", "is not JSON"),
    "401 without a challenge": (
        dressed("stranger", WWW_Authenticate=None),
        "stranger",
        "WWW-Authenticate is there 0 times",
    ),
    "401 with another challenge": (
        dressed("stranger", WWW_Authenticate="Basic"),
        "stranger",
        "WWW-Authenticate is 'Basic', not Bearer",
    ),
    "401 without a policy": (
        dressed("stranger", Content_Security_Policy=None),
        "stranger",
        "Content-Security-Policy is there 0 times",
    ),
    "anything is there": (reply("unknown", status=200), "unknown path", "is 200, not 404"),
    "404 of somebody else": (
        typed("unknown", "text/html"),
        "unknown path",
        "not application/problem+json",
    ),
    "404 with another problem": (
        problem("unknown", code="gone"),
        "unknown path",
        "the problem document has another 'code'",
    ),
    "http is served": (plain(200), "plain http", "http is answered with 200"),
    "http fails in the service": (plain(502), "plain http", "http is answered with 502"),
    "http leads elsewhere": (
        plain(302, "https://contoso.example/"),
        "plain http",
        "elsewhere than to https",
    ),
    "http leads to http": (
        plain(302, "http://127.0.0.1/"),
        "plain http",
        "elsewhere than to https",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_fails_one_check_and_the_program(
    name: str, pretender: Pretender, capsys: pytest.CaptureFixture[str]
) -> None:
    change, check, why = FAULTS[name]
    change(pretender)

    assert smoke(pretender) == 1
    (line,) = failed(capsys.readouterr().out)
    assert line.startswith(f"FAILED  {check}: ")
    assert why in line


@pytest.mark.parametrize(("method", "path"), sorted(GUARDED))
def test_each_operation_that_is_open_to_strangers_is_named(
    pretender: Pretender, capsys: pytest.CaptureFixture[str], method: str, path: str
) -> None:
    pretender.others[method, path] = pretender.health

    assert smoke(pretender) == 1
    (line,) = failed(capsys.readouterr().out)
    assert line == f"FAILED  stranger: {method} {path}: the status is 200, not 401"


def test_a_liar_with_what_the_tree_tells_everybody_fails(
    pretender: Pretender, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A static contract, a constant for health, one locked door, and all else open."""
    wide = {**pretender.health.headers, "Content-Security-Policy": "default-src 'none' *"}
    pretender.health.headers = wide
    pretender.contract = Reply(headers={**wide, "Content-Type": "text/html"}, body=CONTRACT)
    locked, pretender.stranger = pretender.stranger, Reply(headers=wide)
    pretender.others["POST", "/v1/flows/Nobody/runs"] = locked
    pretender.unknown = Reply(headers=wide)
    names = tmp_path / "functions.txt"
    names.write_text("".join(f"evilapp/{n}\n" for n in registered()), encoding="utf-8")

    assert smoke(pretender, "--functions", names) == 1
    lines = failed(capsys.readouterr().out)
    assert [line.split(": ")[0].removeprefix("FAILED  ") for line in lines] == [
        *("security headers", "contract", "stranger", "unknown path")
    ]
    assert smoke(pretender, "--functions", names, "--app", "func-flowrunner-abc") == 1
    assert "these are functions of 'evilapp', not of func-flowrunner-abc" in capsys.readouterr().out


def test_an_app_without_a_list_of_its_functions_is_refused(pretender: Pretender) -> None:
    with pytest.raises(SystemExit):
        smoke(pretender, "--app", "func-flowrunner-abc")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda names: names - {"health"}, "not deployed: health"),
        (lambda names: set(), "not deployed: backup, cors_preflight"),
        (lambda names: names | {"debug"}, "deployed, but not of this tree: debug"),
    ],
)
def test_a_function_that_is_missing_or_strange_is_named(
    pretender: Pretender,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[set[str]], set[str]],
    why: str,
) -> None:
    file = tmp_path / "functions.txt"
    file.write_text("\n".join(change(registered())), encoding="utf-8")

    assert smoke(pretender, "--functions", file, patience=60) == 1  # it does not wait for these
    (line,) = failed(capsys.readouterr().out)
    assert line.startswith("FAILED  functions: ")
    assert why in line


def test_a_redirect_is_no_health(pretender: Pretender, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not followed: what answers must be the service itself."""
    pretender.health = Reply(
        status=302, headers={**pretender.health.headers, "Location": "/api/v1/openapi.json"}
    )

    assert smoke(pretender) == 1
    assert "FAILED  health: the status is 302, not 200" in capsys.readouterr().out


def test_an_authority_that_nobody_trusts_fails_everything_over_tls(
    pretender: Pretender, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Authority.create(tmp_path)

    assert main([pretender.base_url, "--ca", str(other.certificate), "--patience", "0"]) == 1
    lines = failed(capsys.readouterr().out)
    assert len(lines) == 5
    assert all("CERTIFICATE_VERIFY_FAILED" in line for line in lines)


def test_a_deployment_that_never_starts_is_given_up(
    pretender: Pretender, capsys: pytest.CaptureFixture[str]
) -> None:
    pretender.starting = 1_000
    begun = time.monotonic()

    assert smoke(pretender, patience=4) == 1
    assert time.monotonic() - begun < 12
    assert len(failed(capsys.readouterr().out)) == 5


@pytest.mark.parametrize(
    "base_url",
    ["http://flowrunner.example.com/api", "flowrunner.example.com", "https://", "https://x/?a=b"],
)
def test_a_base_url_that_is_none_is_refused(
    base_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([base_url]) == 1
    assert "is no https URL" in capsys.readouterr().out


def test_a_list_that_cannot_be_read_is_told(
    pretender: Pretender, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke(pretender, "--functions", tmp_path / "none.txt") == 1
    assert "none.txt" in capsys.readouterr().out
