"""P-13: proxies and passwords that stand in the environment of the service's process have no say in
what it sends, from signing in to running a Flow."""

import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from local import scene
from local.stack_info import StackInfo
from tests.attacks.flow_callers import FlowCaller, flow, is_invocation, texts, told
from tests.attacks.second_worker import worker_beside

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]


class Trap:
    """A port to which nobody may come: whoever does is counted and sent away."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.knocks = 0
        Thread(target=self._count, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.knocks += 1
            connection.close()


@pytest.fixture
def trap() -> Iterator[Trap]:
    opened = Trap()
    yield opened
    opened.close()


def test_P13_proxies_and_a_netrc_of_the_environment_change_nothing_of_what_reaches_the_org(
    stack: StackInfo, tmp_path: Path, trap: Trap
) -> None:
    """The first call of all brings every client of the process to life: those of the identity
    provider, Key Vault, the tables, the token endpoint and the org."""
    netrc = tmp_path / ".netrc"
    hosts = (*scene.SALESFORCE_LOGIN_HOSTS, scene.KEY_VAULT_HOST, scene.ENTRA_HOST, "127.0.0.1")
    lines = [f"machine {host} login eve password canary" for host in hosts]
    netrc.write_text("\n".join([*lines, "default login eve password canary"]) + "\n")
    netrc.chmod(0o600)
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    hostile = {
        **dict.fromkeys((*proxies, *(name.lower() for name in proxies)), trap.address),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "example.com"),
        "HOME": str(tmp_path),
        "NETRC": str(netrc),
    }
    with (
        FlowCaller.connected(stack) as caller,
        worker_beside(stack, tmp_path, environment=hostile) as worker,
    ):
        caller.put(flow("Log_Email", *texts("subject")))
        caller.expire_access()  # so that the token endpoint is asked as well
        there = caller.at(worker)
        there.sign_in_with_microsoft(there.tid, there.oid)
        before = len(caller.control("/_sim/salesforce/ledger")["requests"])
        answered = there.invoke("Log_Email", email={"subject": "x"})
        reached = caller.control("/_sim/salesforce/ledger")["requests"][before:]

    assert told(answered) == (200, "")
    assert [one["status"] for one in reached if is_invocation(one)] == [200]
    assert [one["status"] for one in reached if one["path"].endswith("/token")] == [200]
    shown = {one["header_values"].get("Authorization", "Bearer 00D, or none") for one in reached}
    assert {one[:10] for one in shown} == {"Bearer 00D"}
    assert trap.knocks == 0
