"""Who is answered by the simulators, by the control surface and by the sidebar's origin."""

from collections.abc import AsyncIterator, Iterator

import pytest
import requests

from local import scene
from local.network import pinned as pinned_to
from local.simulators import PRODUCTION_HOSTS
from local.stack_info import StackInfo
from shared.egress import Egress
from shared.network import Network
from tests.control_client import ControlClient

pytestmark = pytest.mark.stack


@pytest.fixture
async def pinned(stack: StackInfo) -> AsyncIterator[requests.Session]:
    """Reaches simulators under their production names, those that the service never calls, too."""
    egress = Egress(outside=[f"https://{host}" for host in stack.pins if "*" not in host])
    network = Network(egress, resolve=pinned_to(stack.pins), authority=str(stack.authority))
    with network.requests_session() as session:
        yield session
    await network.close()


@pytest.fixture
def http(stack: StackInfo) -> Iterator[requests.Session]:
    """Reaches addresses of this machine, and trusts the stack's authority alone."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(stack.authority)
        yield session


def test_each_simulator_has_a_port_for_its_hosts(control: ControlClient) -> None:
    named = control.get("/_sim/info")["simulators"]

    alone = {
        "identity": [],
        "tables": ["127.0.0.1"],
        "blobs": ["127.0.0.1"],
    }  # stand for no production host
    assert {name: one["hosts"] for name, one in named.items()} == {
        **alone, **{name: list(hosts) for name, hosts in PRODUCTION_HOSTS.items()}
    }  # fmt: skip


def test_every_pinned_host_is_answered_under_its_production_name(
    stack: StackInfo, pinned: requests.Session
) -> None:
    for host in stack.pins:
        name = host.replace("*", "contoso")

        answer = pinned.get(f"https://{name}/no-such-path", timeout=10)

        assert answer.status_code != 421, name


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "login.example.com",
        f"{scene.ENTRA_HOST}.example.com",
        f"evil.{scene.ENTRA_HOST}",
        f"{scene.ENTRA_HOST}.",
        "",
    ],
)
def test_a_simulator_answers_under_no_other_name(
    stack: StackInfo, http: requests.Session, host: str
) -> None:
    url = f"https://127.0.0.1:{stack.pins[scene.ENTRA_HOST]}/"

    assert http.get(url, headers={"Host": host}, timeout=10).status_code == 421


@pytest.mark.parametrize(
    ("name", "status"),
    [
        pytest.param("fabrikam.my.salesforce.com", None, id="one-label"),
        pytest.param("a.b.my.salesforce.com", 421, id="two-labels"),
        pytest.param("my.salesforce.com", 421, id="no-label"),
        pytest.param("evil-my.salesforce.com", 421, id="another-domain"),
    ],
)
def test_a_wildcard_stands_for_one_label(
    stack: StackInfo, http: requests.Session, name: str, status: int | None
) -> None:
    url = f"https://127.0.0.1:{stack.pins['*.my.salesforce.com']}/no-such-path"

    answered = http.get(url, headers={"Host": name}, timeout=10).status_code

    assert (answered == 421) is (status == 421)


def test_info_tells_every_address_in_use(stack: StackInfo, control: ControlClient) -> None:
    info = control.get("/_sim/info")

    assert info["service"] == stack.service
    assert info["data"] == str(stack.data)
    assert info["authority"] == str(stack.authority)
    names = {"salesforce", "entra", "google", "keyvault", "tables", "blobs", "identity", "sinks"}
    assert set(info["simulators"]) == names
    assert {host for one in info["simulators"].values() for host in one["hosts"]} == {
        *stack.pins,
        "127.0.0.1",
    }


def test_a_reset_forgets_the_faults(control: ControlClient, pinned: requests.Session) -> None:
    fault = {"target": "entra", "match": "/", "fault": "status", "value": 503, "times": 100}
    control.post("/_sim/faults", fault)
    url = f"https://{scene.ENTRA_HOST}/{scene.ENTRA_TENANT}/discovery/v2.0/keys"
    before = pinned.get(url, timeout=10).status_code

    control.post("/_sim/reset")

    assert (before, pinned.get(url, timeout=10).status_code) == (503, 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="a-program"),
        pytest.param({"Origin": "https://evil.example.com"}, 403, id="a-page-of-another-site"),
        pytest.param({"Origin": "null"}, 403, id="a-page-without-origin"),
        pytest.param({"Host": "evil.example.com"}, 421, id="another-name-for-this-machine"),
        pytest.param({"Host": "localhost"}, 421, id="localhost"),
    ],
)
def test_the_control_surface_answers_this_machine_only(
    stack: StackInfo, http: requests.Session, headers: dict[str, str], status: int
) -> None:
    for origin in (stack.control, stack.sidebar):
        answer = http.get(f"{origin}/_sim/info", headers=headers, timeout=10)

        assert answer.status_code == status


def test_the_sidebar_may_use_the_control_surface(stack: StackInfo, http: requests.Session) -> None:
    headers = {"Origin": stack.sidebar}

    for origin in (stack.control, stack.sidebar):
        assert http.get(f"{origin}/_sim/info", headers=headers, timeout=10).ok


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_a_form_could_send_is_refused(
    stack: StackInfo, http: requests.Session, kind: str
) -> None:
    answer = http.post(
        f"{stack.control}/_sim/faults", "{}", headers={"Content-Type": kind}, timeout=10
    )

    assert answer.status_code == 415


def test_the_sidebar_is_told_where_the_service_is(stack: StackInfo, http: requests.Session) -> None:
    told = http.get(f"{stack.sidebar}/config.json", timeout=10).json()

    assert (told["service"], told["control"]) == (stack.service_https, stack.control)


@pytest.mark.parametrize("path", ["/", "/config.json", "/_sim/info", "/no-such-file"])
def test_every_answer_of_the_sidebar_has_its_security_headers(
    stack: StackInfo, http: requests.Session, path: str
) -> None:
    headers = http.get(stack.sidebar + path, timeout=10).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert f"connect-src 'self' {stack.service_https}" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/../scene.py", "/..%2fscene.py", "/%2e%2e/scene.py", "/.", "//etc/passwd"]
)
def test_the_sidebar_serves_nothing_outside_its_folder(
    stack: StackInfo, http: requests.Session, path: str
) -> None:
    request = requests.Request("GET", stack.sidebar).prepare()
    request.url = stack.sidebar + path  # as it stands: a client would tidy it up

    assert http.send(request, timeout=10).status_code == 404
