"""`packaged_app_process.py APP HOST [--import-all]`: an unpacked package as Azure would run it.

Indexes the app in the folder APP through Microsoft's worker library, calls health once, and prints
what came of it as one line of JSON. HOST is a folder with what the Functions host brings itself.

Started as `python -I -S`, it sees the standard library and these two folders: no environment of
this repository, no variable. So it imports nothing of ours but what APP holds.
"""

import ast
import asyncio
import importlib
import json
import os
import pkgutil
import sys
import time
from pathlib import Path
from typing import Any

SITE_PACKAGES = ".python_packages/lib/site-packages"


def _message(protos: Any, **request: Any) -> Any:  # noqa: ANN401 - protobuf's stand-ins
    properties = {"host": "127.0.0.1", "protos": protos}
    return protos.Message(request=protos.Message(**request), properties=properties)


def _require_success(protos: Any, answer: Any) -> None:  # noqa: ANN401
    if answer.result.status != protos.StatusResult.Success:
        failure = answer.result.exception
        raise SystemExit(f"{failure.message}\n{failure.stack_trace}")


async def _index(worker: Any, protos: Any, app: str) -> list[Any]:  # noqa: ANN401
    """As the host starts a worker: the app is imported in init, and then told."""
    begun = protos.Message(capabilities={}, function_app_directory=app)
    _require_success(
        protos, await worker.worker_init_request(_message(protos, worker_init_request=begun))
    )
    indexed = await worker.functions_metadata_request(_message(protos))
    functions: list[Any] = indexed.function_metadata_results
    for function in functions:
        wanted = protos.Message(function_id=function.function_id)
        answer = await worker.function_load_request(_message(protos, function_load_request=wanted))
        _require_success(protos, answer)
    return functions


async def _health(worker: Any, protos: Any, function_id: str) -> dict[str, Any]:  # noqa: ANN401
    request = protos.RpcHttp(
        method="GET",
        url="https://flowrunner.example.com/api/v1/health",
        headers={"host": "flowrunner.example.com"},
        query={},
        params={},
        body=protos.TypedData(),
    )
    data = protos.TypedData(http=request)
    invocation = protos.Message(
        invocation_id="00000000-0000-4000-8000-000000000000",
        function_id=function_id,
        input_data=[protos.ParameterBinding(name="req", data=data)],
        trigger_metadata={},
        trace_context=protos.Message(trace_parent="", trace_state="", attributes={}),
        retry_context=protos.Message(retry_count=0, max_retry_count=0),
    )
    answer = await worker.invocation_request(_message(protos, invocation_request=invocation))
    _require_success(protos, answer)
    http = answer.return_value.http
    return {"status": int(http.status_code), "body": http.body.bytes.decode()}


def _import_all() -> None:
    """Every module of ours, and what they import in functions, at a first request."""
    for name in ("functions", "shared"):
        package = importlib.import_module(name)
        for info in pkgutil.walk_packages(package.__path__, f"{name}."):
            module = importlib.import_module(info.name)
            _import_named(Path(str(module.__file__)).read_text(encoding="utf-8"))


def _import_named(source: str) -> None:
    """What any import statement of this source names, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")


def _origins() -> dict[str, list[str]]:
    """Where each module came from: its file, or the folders of a namespace. Built-in ones: none."""
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        folders = list(getattr(module, "__path__", []))
        if name != "__main__" and (file or folders):
            found[name] = [file] if file else folders
    return found


async def _main(app: str, *, import_all: bool) -> None:
    worker = importlib.import_module("azure_functions_runtime")
    protos = importlib.import_module("worker_protos")
    worker.start_threadpool_executor()
    functions = await _index(worker, protos, app)
    indexed_at = time.monotonic()
    ids = {function.name: function.function_id for function in functions}
    health = await _health(worker, protos, ids["health"])
    answered_at = time.monotonic()
    worker.stop_threadpool_executor()
    if import_all:
        _import_all()
    imported_at = time.monotonic()
    told = {
        "imported_at": imported_at,
        "indexed_at": indexed_at,
        "answered_at": answered_at,
        "functions": sorted(ids),
        "health": health,
        "modules": _origins(),
    }
    print(json.dumps(told))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    app_folder, host_folder = (str(Path(folder).resolve()) for folder in sys.argv[1:3])
    # As in Azure: the app's own packages first, then the app, then what the host brings.
    sys.path[:0] = [str(Path(app_folder, SITE_PACKAGES)), app_folder, host_folder]
    os.chdir(app_folder)
    asyncio.run(_main(app_folder, import_all="--import-all" in sys.argv[3:]))
