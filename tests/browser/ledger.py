"""What reached the org, by the Salesforce simulator's own ledger."""

from typing import Any

from tests.control_client import ControlClient


def invocations(control: ControlClient) -> list[dict[str, Any]]:
    """The inputs of each run that the org was asked for, oldest first."""
    received = control.get("/_sim/salesforce/ledger")["requests"]
    return [
        seen["body"]["inputs"][0]
        for seen in received
        if seen["method"] == "POST" and "/actions/custom/flow/" in seen["path"]
    ]
