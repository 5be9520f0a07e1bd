"""What a function gets as `context`: the facts of one invocation, as the worker gives them."""

import re
import secrets
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import azure.functions as func
from azure.functions._abc import TraceContext

_TRACE_PARENT: Final = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")  # W3C, version 0
_thread_local: Final = threading.local()


@dataclass(frozen=True, slots=True)
class InvocationTrace(TraceContext):
    """W3C trace context: the caller's trace where it sent one, with a span of the host's own."""

    parent: str
    state: str

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        sent = _TRACE_PARENT.fullmatch(headers.get("traceparent", ""))
        trace_id, flags = sent.groups() if sent else (secrets.token_hex(16), "00")
        state = headers.get("tracestate", "") if sent else ""
        return cls(f"00-{trace_id}-{secrets.token_hex(8)}-{flags}", state)

    @property
    def trace_parent(self) -> str:
        return self.parent

    @property
    def trace_state(self) -> str:
        return self.state

    @property
    def attributes(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True, slots=True)
class FirstTry:
    """The worker's RetryContext of a function without a retry policy: every call is the first."""

    retry_count: int = 0
    max_retry_count: int = 0
    rpc_exception: None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationContext(func.Context):
    """One call of one function."""

    name: str
    directory: str
    trace: InvocationTrace
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def invocation_id(self) -> str:
        return self.id

    @property
    def thread_local_storage(self) -> Any:  # noqa: ANN401 - the library says type[local], gives one
        return _thread_local

    @property
    def function_name(self) -> str:
        return self.name

    @property
    def function_directory(self) -> str:
        return self.directory

    @property
    def trace_context(self) -> InvocationTrace:
        return self.trace

    @property
    def retry_context(self) -> Any:  # noqa: ANN401 - the worker's class is not the library's either
        return FirstTry()
