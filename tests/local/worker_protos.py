"""The messages between the Functions host and Microsoft's Python worker, as plain classes.

The worker takes its protobuf classes from the host (`request.properties["protos"]`), so classes
that behave alike in the few ways it relies on are enough: keyword constructors, None for a field
that is not set, and `WhichOneof`. This module itself is handed over as that namespace.
"""

from types import SimpleNamespace
from typing import Any


class Message:
    """Any message. Field names are lower case; other names are no fields, and say so."""

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401 - any field of any message
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - always None: it is not set
        if name.startswith("__") or name[0].isupper():
            raise AttributeError(name)
        return None

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's name
        """The field that is set, of messages that hold one of several."""
        held = (name for name, value in self.__dict__.items() if value is not None)
        return next((name for name in held if name != "name"), None)


class StatusResult(Message):
    Failure = 0
    Success = 1


class BindingInfo(Message):
    undefined = 0
    out = 1
    inout = 2


class RpcHttpCookie(Message):
    SameSite = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


class FunctionLoadResponse(Message): ...


class FunctionMetadataResponse(Message): ...


class InvocationResponse(Message): ...


class NullableBool(Message): ...


class NullableDouble(Message): ...


class NullableString(Message): ...


class NullableTimestamp(Message): ...


class ParameterBinding(Message): ...


class RpcException(Message): ...


class RpcFunctionMetadata(Message): ...


class RpcHttp(Message): ...


class Timestamp(Message): ...


class TypedData(Message): ...


class WorkerInitResponse(Message): ...


class WorkerMetadata(Message): ...
