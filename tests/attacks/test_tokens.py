"""T-01 to T-22 at the door of the running stack.

Rules with a value for each case have their whole tables in `tests/identity`; here is shown that
each is in force over HTTP, that a refusal tells nothing and leaves one line in the log, and that
nothing is stored. T-11 and T-13 are in `test_key_sets.py`.
"""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local import scene
from local.network import pinned_network
from local.stack_info import StackInfo
from shared.errors import NotAuthenticatedError
from shared.identity import microsoft
from shared.identity.key_sets import usable_keys
from shared.model import TenantId
from shared.secret import Secret
from tests.attacks.azurite_rows import AzuriteRows
from tests.attacks.refusals import Entrance
from tests.identity.test_microsoft import policy
from tests.identity.tokens import (
    OTHER_TENANT,
    KnownKeys,
    base64url,
    header,
    microsoft_claims,
    part,
    signed,
)

pytestmark = pytest.mark.stack

MICROSOFT: Final = "https://login.microsoftonline.com"
ISSUER: Final = f"{MICROSOFT}/{scene.ENTRA_TENANT}/v2.0"
OTHER_APP: Final = "0f1e2d3c-4b5a-4697-8897-a6b5c4d3e2f1"
PERSONAL: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
HOUR: Final = 3_600


@pytest.fixture
def entrance(stack: StackInfo, rows: AzuriteRows) -> Iterator[Entrance]:
    opened = Entrance(stack, rows)
    yield opened
    opened.close()


@pytest.fixture
def door(entrance: Entrance) -> Iterator[Entrance]:
    """The same; whatever is shown at it, nothing is stored."""
    before = entrance.stored()
    yield entrance
    assert entrance.stored() == before


def taken_apart(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    head, claims, signature = token.split(".")
    return decoded(head), decoded(claims), signature


def decoded(text: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return value


def with_header(token: str, head: object) -> str:
    return ".".join([part(head), *token.split(".")[1:]])


def test_a_good_token_is_let_in_so_that_each_refusal_below_means_something(
    entrance: Entrance,
) -> None:
    """And the comparisons of rows and of the log notice it."""
    before = entrance.stored()
    token = entrance.microsoft(tid=str(uuid.uuid4()))

    assert entrance.shown(token).status_code == 200
    assert entrance.shown(entrance.google(hd="new.example.com"), "google").status_code == 200
    assert entrance.stored() != before
    assert len(entrance.events("signed_in")) == 2


def test_T01_no_other_algorithm_is_taken_with_or_without_a_signature(door: Entrance) -> None:
    token = door.microsoft()
    head, claims, signature = taken_apart(token)
    asked = door.pane.control("/_sim/entra/ledger")
    for algorithm in ("none", "None", "nOnE", "", "HS256", "RS384", "PS256", "ES256"):
        altered = with_header(token, {**head, "alg": algorithm})
        door.refuses(altered)
        door.refuses(altered.removesuffix(signature))
    door.refuses(with_header(token, {name: head[name] for name in ("typ", "kid")}))
    door.refuses(f"{part(head)}.{part(claims)}.")
    assert door.pane.control("/_sim/entra/ledger") == asked


def test_T02_the_public_key_in_any_form_is_no_shared_secret(
    door: Entrance, stack: StackInfo
) -> None:
    token = door.microsoft()
    head, claims, _ = taken_apart(token)
    with pinned_network(stack).requests_session() as http:
        published = http.get(microsoft.KEYS, timeout=10).json()
    key = usable_keys(published)[head["kid"]].key
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (jwk,) = [one for one in published["keys"] if one["kid"] == head["kid"]]
    secrets = {
        "pem": pem,
        "der": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(jwk).encode(),
        "jwks": json.dumps(published).encode(),
        "pem with a byte order mark": b"\xef\xbb\xbf" + pem,
    }
    for secret in secrets.values():
        for algorithm in ("HS256", "RS256"):
            message = f"{part({**head, 'alg': algorithm})}.{part(claims)}"
            forged = hmac.digest(secret, message.encode(), hashlib.sha256)
            door.refuses(f"{message}.{base64url(forged)}")


def test_T03_the_right_key_id_does_not_vouch_for_a_wrong_key(door: Entrance) -> None:
    for make, provider in ((door.microsoft, "microsoft"), (door.google, "google")):
        kid = taken_apart(make())[0]["kid"]
        door.refuses(make(key="unknown", header={"kid": kid}), provider)
        door.refuses(make(key="next", header={"kid": kid}), provider)


def test_T04_the_issuer_is_the_tenants_own_to_the_letter(door: Entrance) -> None:
    for issuer in (
        f"{MICROSOFT}.evil.example.com/{scene.ENTRA_TENANT}/v2.0",
        f"https://evil.example.com@login.microsoftonline.com/{scene.ENTRA_TENANT}/v2.0",
        f"{ISSUER}/",
        ISSUER.replace("https", "http"),
        ISSUER.upper(),
        f" {ISSUER}",
        [ISSUER],
        {"iss": ISSUER},
        "",
        None,
    ):
        door.refuses(door.microsoft(overrides={"iss": issuer}))


def test_T05_issuer_and_tenant_are_of_one_tenant_and_no_row_is_made(door: Entrance) -> None:
    door.refuses(door.microsoft(overrides={"tid": OTHER_TENANT}))
    door.refuses(door.microsoft(overrides={"iss": f"{MICROSOFT}/{OTHER_TENANT}/v2.0"}))
    for tenant in ("common", "organizations", "consumers", "contoso.example.com", "../x", "",
                   scene.ENTRA_TENANT.upper(), f"{scene.ENTRA_TENANT}\n"):  # fmt: skip
        issuer = f"{MICROSOFT}/{tenant}/v2.0"
        door.refuses(door.microsoft(overrides={"tid": tenant, "iss": issuer}))


class Listener:
    """Counts who comes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.visits = 0
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            visitor, _ = self._socket.accept()
            with visitor:
                if visitor.recv(4) == b"stop":
                    return
                self.visits += 1

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as last:
            last.sendall(b"stop")
        self._thread.join(5)
        self._socket.close()


def test_T06_nobody_fetches_a_key_from_where_a_token_says(door: Entrance) -> None:
    listener = Listener()
    for scheme in ("https", "http"):
        address = f"{scheme}://127.0.0.1:{listener.port}/keys"
        for brought in (
            {"jku": address},
            {"x5u": address},
            {"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB", "x5u": address}},
            {"x5c": [address]},
            {"jku": address, "kid": address},
        ):
            door.refuses(door.microsoft(key="unknown", header=brought))
            door.refuses(door.google(key="unknown", header=brought), "google")
    seen = listener.visits
    with socket.create_connection(("127.0.0.1", listener.port), timeout=5) as visitor:
        visitor.sendall(b"GET / HTTP/1.1\r\n\r\n")
    listener.close()

    assert seen == 0
    assert listener.visits == 1  # it would have noticed


def test_T07_a_key_id_opens_no_file_and_no_query(door: Entrance) -> None:
    for kid in ("../../x", "/etc/passwd", "' or '1'='1", "a\0b", "k" * 10_000, 1, True, ["k"], "",
                None, "{tenantid}", "a\r\nX: y"):  # fmt: skip
        door.refuses(door.microsoft(header={"kid": kid}))
        door.refuses(door.google(header={"kid": kid}), "google")


def test_T08_what_demands_to_be_understood_or_is_of_another_kind_is_refused(
    door: Entrance,
) -> None:
    changes: list[dict[str, Any]] = [
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"b64": False},
        {"cty": "JWT"},
        {"typ": "logout+jwt"},
        {"typ": "flowrunner-session+jwt"},
    ]
    for changed in changes:
        door.refuses(door.microsoft(header=changed))
        door.refuses(door.google(header=changed), "google")
    inner = door.microsoft()
    head, _, signature = inner.split(".")
    door.refuses(f"{head}.{part(inner.encode())}.{signature}")


def test_T09_what_is_malformed_is_refused(door: Entrance) -> None:
    token = door.microsoft()
    head, claims, signature = token.split(".")
    text = json.dumps(decoded(claims))[1:-1]
    for malformed in (
        head,
        f"{head}.{claims}",
        f"{token}.{signature}",
        f"{token}.{claims}.{signature}",
        "..",
        json.dumps({"payload": claims, "protected": head, "signature": signature}),
        f"{token}=",
        f"{head}= .{claims}.{signature}",
        f"{head}.{claims}.{signature[:-1]}{chr(ord(signature[-1]) ^ 1)}",
        f"{head}.{part(f'{{{text},{text}}}'.encode())}.{signature}",
        f"{head}.{part(b'{' + text.encode() + b',"tid":"x"}')}.{signature}",
        f"{head}.{part(b'{"a":' + b'[' * 10_000)}.{signature}",
        f"{head}.{part(b'{"exp":' + b'9' * 5_000 + b'}')}.{signature}",
        f"{head}.{part(b'\xff\xfe')}.{signature}",
        f"{head}.{claims}.{'A' * 20_000}",
    ):
        door.refuses(malformed)


async def test_T09_a_megabyte_is_refused_in_ten_milliseconds_before_any_key_is_looked_for() -> None:
    """In process: no host lets so large a header through. The best of five, for others share this
    machine; and the same with a token that is good but for its size."""
    keys = KnownKeys()
    large = signed(header(), microsoft_claims(filler="x" * 1_000_000))
    for text in ("x" * 1_000_000, "." * 1_000_000, "a.b.c" * 200_000, large):
        times = []
        for _ in range(5):
            began = time.perf_counter()
            with pytest.raises(NotAuthenticatedError):
                await policy(keys).verify(Secret(text))
            times.append(time.perf_counter() - began)
        assert min(times) < 0.010
    assert keys.asked == []


def test_T10_a_token_is_current_or_refused(door: Entrance) -> None:
    now = int(time.time())
    for claims in (
        {"exp": now - 400},
        {"exp": None},
        {"exp": str(now + 60)},
        {"exp": True},
        {"exp": 1e300},
        {"exp": -1},
        {"exp": now + 29 * HOUR},
        {"nbf": now + 400},
        {"iat": now + 400},
        {"iat": None},
        {"iat": now - 5 * 365 * 24 * HOUR},
    ):
        door.refuses(door.microsoft(overrides=claims))
        door.refuses(door.google(overrides=claims), "google")


def test_T15_a_token_is_for_our_api_by_our_clients_for_a_user(door: Entrance) -> None:
    ours, add_in = scene.ENTRA_API_CLIENT_ID, scene.ENTRA_ADDIN_CLIENT_ID
    for claims in (
        {"aud": OTHER_APP},
        {"aud": [ours, OTHER_APP]},
        {"aud": [ours]},
        {"aud": f"api://{ours}"},
        {"azp": OTHER_APP},
        {"azp": None, "appid": add_in},
        {"scp": "User.Read"},
        {"scp": "access_as_user.all"},
        {"scp": None, "roles": ["access_as_user"]},
        {"scp": None, "idtyp": "app"},
        {"idtyp": "app"},
        {"ver": "1.0"},
    ):
        door.refuses(door.microsoft(overrides=claims))
    door.refuses(door.microsoft(version="1.0"))


def test_T16_no_other_kind_of_token_signs_in(door: Entrance) -> None:
    graph = "00000003-0000-0000-c000-000000000000"
    door.refuses(door.microsoft(overrides={"aud": scene.ENTRA_ADDIN_CLIENT_ID, "scp": None}))
    door.refuses(door.microsoft(overrides={"scp": None, "nonce": "n" * 16}))
    door.refuses(door.microsoft(overrides={"aud": graph, "scp": "User.Read"}))
    for opaque in ("ya29.a0AfB_byC-opaque", "EwB4A8l6BAAU-opaque", "1//0g-opaque"):
        door.refuses(opaque)
        door.refuses(opaque, "google")
    door.refuses(door.google(), "microsoft")
    door.refuses(door.microsoft(), "google")


def test_T17_a_personal_account_is_told_so_and_only_by_a_good_token(door: Entrance) -> None:
    claims = {"tid": PERSONAL, "iss": f"{MICROSOFT}/{PERSONAL}/v2.0"}
    code = "personal_account_not_supported"

    door.refuses(door.microsoft(overrides=claims), status=403, code=code)
    door.refuses(door.google(overrides={"hd": None}), "google", status=403, code=code)
    door.refuses(door.microsoft(overrides={**claims, "aud": OTHER_APP}))


def test_T18_a_guest_is_refused_as_configured_whatever_the_token_calls_him(door: Entrance) -> None:
    for claims in (
        {"acct": 1},
        {"idp": f"https://sts.windows.net/{OTHER_TENANT}/"},
        {"acct": 1, "upn": "ceo_fabrikam.example.com#EXT#@contoso.example.com"},
        {"acct": 1, "roles": ["FlowRunner.Admin"]},
    ):
        door.refuses(door.microsoft(overrides=claims), status=403, code="guest_not_allowed")


def test_T20_google_tokens_are_for_our_clients_and_of_a_workspace(door: Entrance) -> None:
    other = "999-other.apps.googleusercontent.com"
    for claims in (
        {"aud": other},
        {"aud": [scene.GOOGLE_CLIENT_ID, other]},
        {"azp": other},
        {"iss": "http://accounts.google.com"},
        {"iss": "https://accounts.google.com.evil.example.com"},
        {"iss": None},
        {"hd": "Fabrikam.example.com"},
        {"hd": ""},
        {"hd": ["fabrikam.example.com"]},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"sub": "robin@fabrikam.example.com"},
    ):
        door.refuses(door.google(overrides=claims), "google")


def test_T20_a_subject_that_was_used_in_another_domain_is_somebody_else(
    entrance: Entrance,
) -> None:
    subject = str(uuid.uuid4().int)[:21]
    answers = [
        entrance.shown(entrance.google(hd=domain, sub=subject), "google").json()
        for domain in ("one.example.com", "two.example.com", "one.example.com")
    ]

    tenants = [answer["tenant"]["id"] for answer in answers]
    users = [answer["user"]["id"] for answer in answers]
    assert tenants[0] == tenants[2] != tenants[1]
    assert users[0] == users[2] != users[1]


def test_T21_one_token_fifty_times_at_once_is_one_user_and_ten_sessions(
    entrance: Entrance, rows: AzuriteRows
) -> None:
    """The policy: a token may be shown again while it holds, as an add-in with two panes does;
    each time is in the log, ten are let through at once (and one every six seconds), and there is
    one user."""
    tid = str(uuid.uuid4())
    token = entrance.microsoft(tid=tid)
    began = time.monotonic()
    with ThreadPoolExecutor(10) as threads:  # as many as the pane has connections
        answers = list(threads.map(lambda _: entrance.shown(token), range(50)))
    refilled = int((time.monotonic() - began) / 6) + 1

    accepted = [answer.json() for answer in answers if answer.status_code == 200]
    others = [answer for answer in answers if answer.status_code != 200]
    stored = rows.of(TenantId.parse(f"ms-{tid}"))
    users = [row["RowKey"] for row in stored["users"] if row["RowKey"] != "gate"]
    assert 10 <= len(accepted) <= 10 + refilled
    assert {(a.status_code, a.json()["code"]) for a in others} == {(429, "too_many_requests")}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in others)
    assert len({answer["user"]["id"] for answer in accepted}) == 1
    assert len({answer["session_token"] for answer in accepted}) == len(accepted)
    assert users == [accepted[0]["user"]["id"]]
    assert len([row for row in stored["tenants"] if row["RowKey"] == "tenant"]) == 1
    assert len(entrance.events("signed_in")) == len(accepted)
    assert len(entrance.events("refused")) == len(others)
    assert token.split(".")[2] not in entrance.logged()


def test_T22_the_same_digits_at_both_providers_are_two_people(entrance: Entrance) -> None:
    """As far as both forms allow it: to the letter, an id of one is refused at the other."""
    digits = "1" * 32
    oid = str(uuid.UUID(digits))
    tid = str(uuid.uuid4())
    of_microsoft = entrance.shown(entrance.microsoft(tid=tid, oid=oid)).json()
    of_google = entrance.shown(entrance.google(sub=digits), "google").json()

    assert of_microsoft["user"]["id"] != of_google["user"]["id"]
    assert of_microsoft["tenant"]["id"] != of_google["tenant"]["id"]
    entrance.refuses(entrance.microsoft(oid=digits))
    entrance.refuses(entrance.google(sub=oid), "google")
