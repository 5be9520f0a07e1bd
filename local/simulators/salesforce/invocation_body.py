"""The body of an invocation: `{"inputs": [{...}]}`, read as strictly as Salesforce reads it."""

import json
from typing import Final, NoReturn

from local.simulators.salesforce.call import Call
from local.simulators.salesforce.errors import RestError
from local.simulators.salesforce.orgs import Flow
from local.simulators.salesforce.value_checks import check
from local.simulators.salesforce.variables import Json

_JSON: Final = "application/json"


def read_inputs(call: Call, flow: Flow) -> list[dict[str, Json]]:
    """One set of values for each interview to start. Raises `RestError`."""
    if call.request.content_type != _JSON:
        raise RestError("UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json", 415)
    body = _parse(call.body)
    if not isinstance(body, dict):
        raise _unreadable("The body must be an object")
    unknown = body.keys() - {"inputs"}
    if unknown:
        raise _unreadable(f"Unrecognized field: {min(unknown)}")
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise RestError("INVALID_INPUT", "At least one element is needed", fields=("inputs",))
    return [_check(element, flow) for element in inputs]


def _check(element: Json, flow: Flow) -> dict[str, Json]:
    if not isinstance(element, dict):
        raise _unreadable("Every element of inputs must be an object")
    declared = {variable.name: variable for variable in flow.inputs}
    for name, value in element.items():  # names are case-sensitive
        if name not in declared:
            raise RestError(
                "INVALID_INPUT", f"The flow has no input variable {name}.", fields=(name,)
            )
        check(declared[name], value)
    return element


def _parse(body: bytes) -> Json:
    """Standard JSON only: no NaN, no Infinity, no repeated name."""
    try:
        parsed: Json = json.loads(
            body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_repeats
        )
    except (ValueError, RecursionError) as exc:
        raise _unreadable("The body is not JSON") from exc
    return parsed


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _no_repeats(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    named = dict(pairs)
    if len(named) != len(pairs):
        raise ValueError("a name came twice")
    return named


def _unreadable(message: str) -> RestError:
    return RestError("JSON_PARSER_ERROR", message)
