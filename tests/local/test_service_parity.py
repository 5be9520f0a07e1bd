"""The service's own functions answer alike in the local host and in Microsoft's worker.

Both run `local/function_app.py` against the same running stack. What is random in each answer is
blotted out; everything else must be equal.
"""

import re
from dataclasses import replace

import pytest

from local import scene
from local.addin import AddIn
from local.stack_info import StackInfo
from tests.local.exchange import Answer, HttpCall, run_in_host
from tests.local.worker import ROOT, load_module, run_in_worker

pytestmark = pytest.mark.stack

APP = ROOT / "local"
JSON = ("Content-Type", "application/json")
_RANDOM = re.compile(
    rb"[0-9a-f]{32}"  # incidents
    rb"|r-[a-z2-7]{26}"  # runs
    rb"|[A-Za-z0-9_-]{43}"  # one-time codes and challenges
    rb"|(?<=nonce[=-])\"?[A-Za-z0-9_-]{22}"
    rb"|43c0[0-9a-f-]+"
)


@pytest.fixture
def session(stack: StackInfo) -> str:
    with AddIn(stack) as pane:
        pane.control("/_sim/reset", {})
        signed_in = pane.sign_in_with_google("parity.example.com", "2042")
        pane.connect("carol")
    token: str = signed_in["session_token"]
    return token


def calls(session: str) -> dict[str, HttpCall]:
    bearer = ("Authorization", f"Bearer {session}")

    def post(target: str, body: bytes) -> HttpCall:
        return HttpCall(method="POST", target=target, headers=(bearer, JSON), body=body)

    return {
        "health": HttpCall(target="/api/v1/health"),
        "the contract": HttpCall(target="/api/v1/openapi.json"),
        "a preflight": HttpCall(
            method="OPTIONS", target="/api/v1/flows", headers=(("Origin", scene.EXTENSION_ORIGIN),)
        ),
        "no route": HttpCall(target="/api/v1/nothing"),
        "a wrong method": HttpCall(method="POST", target="/api/v1/health"),
        "a stranger": HttpCall(target="/api/v1/flows"),
        "a forged session": HttpCall(
            target="/api/v1/runs", headers=(("Authorization", "Bearer a.b.c"),)
        ),
        "no JSON": HttpCall(target="/api/v1/sso/exchange", method="POST", headers=(bearer,)),
        "Flows": HttpCall(target="/api/v1/flows", headers=(bearer,)),
        "a Flow": HttpCall(target="/api/v1/flows/Log_Email", headers=(bearer,)),
        "an unknown Flow": HttpCall(target="/api/v1/flows/Nobody", headers=(bearer,)),
        "a run": post(
            "/api/v1/flows/Log_Email/runs", b'{"email":{"subject":"Gr\xc3\xbc\xc3\x9fe"}}'
        ),
        "an undeclared input": post("/api/v1/flows/Log_Email/runs", b'{"inputs":{"x":1}}'),
        "a fault": post("/api/v1/flows/Always_Faults/runs", b"{}"),
        "a connection begun": post("/api/v1/salesforce/connections", b"{}"),
        "a bad ticket": HttpCall(target="/api/v1/salesforce/start?ticket=x"),
        "a bad callback": HttpCall(target="/api/v1/salesforce/callback?state=x&code=y"),
        "connections": HttpCall(target="/api/v1/salesforce/connections", headers=(bearer,)),
    }


async def test_the_service_answers_alike_in_host_and_worker(
    stack: StackInfo, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "FLOWRUNNER_LOCAL_STACK": str(stack.data / "stack.json"),
        "IDENTITY_ENDPOINT": stack.identity_endpoint,
        "IDENTITY_HEADER": scene.IDENTITY_HEADER,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    asked = calls(session)

    in_worker = run_in_worker(APP, list(asked.values()), environment)
    service = load_module(APP)
    in_host = await run_in_host(service.app, list(asked.values()))
    await service.close()

    pairs = zip(asked, in_host, in_worker, strict=True)
    differences = {
        name: (_blotted(ours), _blotted(theirs))
        for name, ours, theirs in pairs
        if _blotted(ours) != _blotted(theirs)
    }
    assert differences == {}
    assert {answer.status for answer in in_host} >= {200, 201, 204, 400, 401, 404, 405, 415, 422}


def _blotted(answer: Answer) -> Answer:
    headers = {k: _RANDOM.sub(b"*", v.encode()).decode() for k, v in answer.headers.items()}
    return replace(answer, headers=headers, body=_RANDOM.sub(b"*", answer.body))
