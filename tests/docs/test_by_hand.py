"""What the README has a newcomer type, typed at the running stack: sign in, and make a call."""

import re
import shlex
from collections.abc import Mapping
from string import Template
from typing import Any, Final

import pytest
import requests

from local import scene
from local.stack_info import StackInfo
from tests.docs.markdown import ROOT, blocks, text_of

_ASSIGNED: Final = re.compile(r"^([A-Z]+)=(.*)$")
_CALL: Final = re.compile(r"^\$\((curl .*?)(?: \| jq --raw-output \.(\w+))?\)$")


def commands() -> list[str]:
    """The one block of the README that signs in."""
    (block,) = (one for one in blocks(text_of(ROOT / "README.md")) if "/sso/exchange" in one.body)
    return block.body.strip().splitlines()


def curl(command: str, known: Mapping[str, str]) -> dict[str, Any]:
    """As `curl --fail` would call. It knows no more options than the block uses."""
    words = shlex.split(Template(command).substitute(known))
    url, headers, body = "", {}, None
    rest = iter(words[1:])
    for word in rest:
        match word:
            case "--silent" | "--fail":
                continue
            case "--json":
                body = next(rest)
                headers["Content-Type"] = headers["Accept"] = "application/json"
            case "--header":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            case _:
                assert not word.startswith("-"), word
                url = word
    with requests.Session() as session:
        session.trust_env = False
        method = "GET" if body is None else "POST"
        answer = session.request(method, url, data=body, headers=headers, timeout=30)
    assert answer.ok, f"{command}: {answer.status_code}"
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.stack
def test_who_types_what_the_readme_says_is_signed_in(stack: StackInfo) -> None:
    known = {"CONTROL": stack.control, "SERVICE": f"{stack.service}/api/v1"}
    last: dict[str, Any] = {}
    for line in commands():
        assigned = _ASSIGNED.match(line)
        if assigned is None:
            last = curl(line, known)
        elif assigned[1] not in known:
            call = _CALL.match(assigned[2])
            assert call is not None, line
            known[assigned[1]] = curl(call[1], known)[call[2]]
        else:
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+(/api/v1)?", assigned[2]), line

    assert last["tenant_id"] == f"ms-{scene.ENTRA_TENANT}"
