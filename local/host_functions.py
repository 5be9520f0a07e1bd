"""The functions of an app, indexed from the bindings that the real host reads, and their calls.

Refuses at once what the real worker or host would refuse at start, and what this host cannot do.
"""

import asyncio
import inspect
import json
import typing
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import azure.functions as func
from azure.functions import meta
from azure.functions.decorators.function_app import Function

from local.host_context import InvocationContext, InvocationTrace
from local.host_routes import Route, Template
from local.ncrontab import NcrontabSchedule

type Binding = Mapping[str, Any]


class IndexingError(Exception):
    """A function that would not load in Azure, or that this host cannot serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFunction:
    """One function of the app: what to call, and with what."""

    name: str
    handler: Callable[..., Any]
    trigger_argument: str
    wants_context: bool
    directory: str

    @classmethod
    def of(cls, function: Function, trigger: Binding) -> Self:
        """Checks what the worker checks when it indexes. Raises IndexingError."""
        name = function.get_function_name() or ""
        handler = function.get_user_function()
        wanted = set(inspect.signature(handler).parameters)
        if wanted - {"context"} != {trigger["name"]}:
            raise IndexingError(f"{name}: parameters {sorted(wanted)} are not its bindings")
        _check_annotations(name, handler, trigger)
        return cls(
            name=name,
            handler=handler,
            trigger_argument=trigger["name"],
            wants_context="context" in wanted,
            directory=str(Path(inspect.getfile(handler)).parent),
        )

    async def call(self, trigger: object, executor: Executor, trace: InvocationTrace) -> object:
        """As the worker does: coroutines on the loop, others in a thread without contextvars."""
        context = InvocationContext(name=self.name, directory=self.directory, trace=trace)
        arguments: dict[str, object] = {self.trigger_argument: trigger}
        if self.wants_context:
            arguments["context"] = context
        context.thread_local_storage.invocation_id = context.invocation_id
        if inspect.iscoroutinefunction(self.handler):
            return await self.handler(**arguments)
        work = partial(_call_in_thread, self.handler, arguments, context)
        return await asyncio.get_running_loop().run_in_executor(executor, work)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFunction(LoadedFunction):
    route: Route


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFunction(LoadedFunction):
    schedule: NcrontabSchedule
    run_on_startup: bool
    use_monitor: bool


def index(
    app: func.FunctionApp, route_prefix: str
) -> tuple[list[HttpFunction], list[TimerFunction]]:
    """Every function of the app. An app object can be indexed once in its life.

    Raises IndexingError, RouteError, ScheduleError, and what azure.functions itself raises.
    """
    http: list[HttpFunction] = []
    timers: list[TimerFunction] = []
    for function in app.get_functions():
        bindings = [json.loads(raw) for raw in function.get_raw_bindings()]
        match sorted(binding["type"] for binding in bindings):
            case ["http", "httpTrigger"]:
                http.append(_http_function(function, bindings, route_prefix))
            case ["timerTrigger"]:
                timers.append(_timer_function(function, bindings[0]))
            case kinds:
                name = function.get_function_name()
                raise IndexingError(f"{name}: bindings {kinds} are not supported by this host")
    return http, timers


def _http_function(function: Function, bindings: list[Binding], prefix: str) -> HttpFunction:
    (trigger,) = (binding for binding in bindings if binding["type"] == "httpTrigger")
    (output,) = (binding for binding in bindings if binding["type"] == "http")
    loaded = LoadedFunction.of(function, trigger)
    level = trigger.get("authLevel", "function")
    if level.lower() != "anonymous":
        raise IndexingError(f"{loaded.name}: authorization level {level} is not anonymous")
    if output["name"] != "$return":
        raise IndexingError(f"{loaded.name}: its HTTP output is not its return value")
    return HttpFunction(**_fields(loaded), route=route_of(loaded.name, trigger, prefix))


def route_of(function: str, trigger: Binding, prefix: str) -> Route:
    """Where an HTTP trigger listens; without a route of its own, under its function's name."""
    text = trigger.get("route") or function
    methods = trigger.get("methods")
    return Route(
        function=function,
        template=Template.parse(f"{prefix}/{text}" if prefix else text),
        methods=None if methods is None else frozenset(method.upper() for method in methods),
    )


def _timer_function(function: Function, trigger: Binding) -> TimerFunction:
    loaded = LoadedFunction.of(function, trigger)
    return TimerFunction(
        **_fields(loaded),
        schedule=NcrontabSchedule.parse(trigger["schedule"]),
        run_on_startup=trigger.get("runOnStartup", False),
        use_monitor=trigger.get("useMonitor", True),
    )


def _fields(loaded: LoadedFunction) -> dict[str, Any]:
    return {name: getattr(loaded, name) for name in LoadedFunction.__dataclass_fields__}


def _check_annotations(name: str, handler: Callable[..., Any], trigger: Binding) -> None:
    """The worker resolves annotations when it loads a function, and wants classes that fit."""
    try:
        annotations = typing.get_type_hints(handler)
    except NameError as exc:
        raise IndexingError(f"{name}: an annotation cannot be resolved at run time") from exc
    registry = meta.get_binding_registry()
    checks = {trigger["name"]: registry.get(trigger["type"]).check_input_type_annotation}
    if trigger["type"] == "httpTrigger":
        checks["return"] = registry.get("http").check_output_type_annotation
    for parameter, fits in checks.items():
        annotation = annotations.get(parameter)
        if parameter in annotations and not (isinstance(annotation, type) and fits(annotation)):
            raise IndexingError(f"{name}: the annotation of {parameter!r} does not fit")


def _call_in_thread(
    handler: Callable[..., object], arguments: Mapping[str, object], context: InvocationContext
) -> object:
    context.thread_local_storage.invocation_id = context.invocation_id
    try:
        return handler(**arguments)
    finally:
        context.thread_local_storage.invocation_id = None
