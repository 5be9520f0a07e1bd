"""The requests of this bench: the same call of a Flow, in the words of whom it is sent to."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from bench.proxy.people import ORG_IDS
from bench.proxy.places import FLOW, FLOW_PATH, ORGS, Upstream

MAIL: Final = {
    "sender_email": "ada@example.com",
    "sender_name": "Ada Example",
    "recipient_emails": ["sales@contoso.example.com"],
    "subject": "Quote for 40 chairs",
    "message_id": "<quote-40-chairs@example.com>",
}
INPUTS: Final = {
    "senderEmail": "ada@example.com",
    "senderName": "Ada Example",
    "recipientEmails": ["sales@contoso.example.com"],
    "subject": "Quote for 40 chairs",
    "messageId": "<quote-40-chairs@example.com>",
}
EXPECTED: Final = b'"subject":"Quote for 40 chairs"'
EXPECTED_OF_APPS: Final = b"Quote for 40 chairs"


def of_salesforce(upstream: Upstream, count: int) -> Sequence[bytes]:
    """As the org wants it: for itself, and for whatever passes it on."""
    return [
        _post(ORGS[upstream], FLOW_PATH, _salesforce_headers(number), {"inputs": [INPUTS]})
        for number in range(count)
    ]


def of_ajax_proxy(upstream: Upstream, count: int) -> Sequence[bytes]:
    """The address stands in a header."""
    endpoint = {"Salesforceproxy-Endpoint": f"https://{ORGS[upstream]}{FLOW_PATH}"}
    return [
        _post("127.0.0.1", "/proxy", _salesforce_headers(number) | endpoint, {"inputs": [INPUTS]})
        for number in range(count)
    ]


def of_service(upstream: Upstream, sessions: Sequence[str]) -> Sequence[bytes]:
    """As an add-in asks the service: the mail, of which it sends what the Flow declares."""
    body = {"org_id": ORG_IDS[upstream], "email": MAIL}
    path = f"/api/v1/flows/{FLOW}/runs"
    return [
        _post("127.0.0.1", path, {"Authorization": f"Bearer {session}"}, body)
        for session in sessions
    ]


def of_quickstart(upstream: Upstream, sessions: Sequence[str]) -> Sequence[bytes]:
    body = {"org": ORGS[upstream], "inputs": INPUTS}
    return [
        _post("127.0.0.1", "/api/quickstart/runs", {"Authorization": f"Bearer {session}"}, body)
        for session in sessions
    ]


def _salesforce_headers(number: int) -> dict[str, str]:
    return {
        "Authorization": f"Bearer 00D!user{number}{'x' * 90}",
        "Accept": "application/json",
        "Sforce-Call-Options": "client=FlowRunner/1.0",
    }


def _post(host: str, path: str, headers: Mapping[str, str], body: object) -> bytes:
    content = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content
