"""What one run of a Flow answers: a finished or waiting interview, or a fault."""

import secrets
from typing import Final

from local.simulators.salesforce.ids import with_suffix
from local.simulators.salesforce.orgs import Flow, Org
from local.simulators.salesforce.variables import Json, Variable

FAULT_MESSAGE: Final = "An error occurred when executing a flow interview."
_SHORT_ID: Final = 15


def finished(org: Org, flow: Flow, given: dict[str, Json]) -> Json:
    """Outputs carry the input of the same name, or else their own value."""
    sequence = org.next_run()
    outputs = {
        variable.name: given.get(variable.name, _own_value(variable, sequence))
        for variable in flow.outputs
    }
    outputs["Flow__InterviewGuid"] = f"{secrets.token_hex(17)}-{secrets.token_hex(2)}"
    outputs["Flow__InterviewStatus"] = "Waiting" if flow.behaviour == "waiting" else "Finished"
    return {
        "actionName": flow.name,
        "errors": None,
        "invocationId": None,
        "isSuccess": True,
        "outcome": None,
        "outputValues": outputs,
        "sortOrder": -1,
        "version": 1,
    }


def fault(flow: Flow) -> Json:
    """A fault has the shape of a result, whatever the HTTP status."""
    return {
        "actionName": flow.name,
        "errors": [{"statusCode": "UNKNOWN_EXCEPTION", "message": FAULT_MESSAGE, "fields": []}],
        "invocationId": None,
        "isSuccess": False,
        "outcome": None,
        "outputValues": None,
        "sortOrder": -1,
        "version": 1,
    }


def _own_value(variable: Variable, sequence: int) -> Json:
    """The variable's `value` with the number of the run filled in; an id gets its suffix."""
    if not isinstance(variable.value, str):
        return variable.value
    text = variable.value.replace("{sequence}", f"{sequence:08d}")
    return with_suffix(text) if variable.type == "ID" and len(text) == _SHORT_ID else text
