"""The org that the browser tests connect: its Flows made to order, and what they received."""

from typing import Any

from local import scene
from tests.control_client import ControlClient

type Json = Any


def put_flows(control: ControlClient, *flows: Json) -> None:
    """Give the first org these Flows instead of its own."""
    org = {"org_id": scene.SALESFORCE_ORG_ID, "instance_host": scene.SALESFORCE_ORG_HOST}
    control.post("/_sim/salesforce/orgs", {**org, "flows": list(flows)})


def invocations(control: ControlClient) -> list[dict[str, Json]]:
    """The inputs of each run that reached an org, oldest first, by its own ledger."""
    received = control.get("/_sim/salesforce/ledger")["requests"]
    return [
        seen["body"]["inputs"][0]
        for seen in received
        if seen["method"] == "POST" and "/actions/custom/flow/" in seen["path"]
    ]
