"""`process.py APP HOST`: a process that starts as Azure starts one, and answers one request.

The app in the folder APP is indexed through Microsoft's worker library, as the host does it, and
the request on standard input (JSON) is given to its function. The status, and the time of the
answer, are printed as one line of JSON. HOST is a folder with what the host brings itself.

Started as `python -I -S`, it sees the standard library and these two folders.
"""

import asyncio
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

SITE_PACKAGES = ".python_packages/lib/site-packages"


class Worker:
    """Microsoft's worker library; its messages are stand-ins for the host's."""

    def __init__(self) -> None:
        self._library: Any = importlib.import_module("azure_functions_runtime")
        self._protos: Any = importlib.import_module("worker_protos")
        self._ids: dict[str, str] = {}

    async def index(self, app: str) -> None:
        """The app is imported in init, and then told; every function is loaded."""
        told = self._protos.Message
        self._library.start_threadpool_executor()
        begun = told(capabilities={}, function_app_directory=app)
        await self._send("worker_init_request", worker_init_request=begun)
        indexed = await self._library.functions_metadata_request(self._envelope())
        for function in indexed.function_metadata_results:
            self._ids[function.name] = function.function_id
            wanted = told(function_id=function.function_id)
            await self._send("function_load_request", function_load_request=wanted)

    async def answer(self, function: str, asked: dict[str, Any]) -> int:
        """The status of the answer to an HTTP request."""
        protos = self._protos
        body = protos.TypedData(bytes=asked["body"].encode()) if asked["body"] else None
        http = protos.RpcHttp(**{**asked, "query": {}, "body": body or protos.TypedData()})
        data = protos.ParameterBinding(name="req", data=protos.TypedData(http=http))
        invocation = protos.Message(
            invocation_id="00000000-0000-4000-8000-000000000000",
            function_id=self._ids[function],
            input_data=[data],
            trigger_metadata={},
            trace_context=protos.Message(trace_parent="", trace_state="", attributes={}),
            retry_context=protos.Message(retry_count=0, max_retry_count=0),
        )
        answer = await self._send("invocation_request", invocation_request=invocation)
        return int(answer.return_value.http.status_code)

    async def _send(self, name: str, **request: Any) -> Any:  # noqa: ANN401 - protobuf's stand-ins
        answer = await getattr(self._library, name)(self._envelope(**request))
        if answer.result.status != self._protos.StatusResult.Success:
            failure = answer.result.exception
            raise SystemExit(f"{failure.message}\n{failure.stack_trace}")
        return answer

    def _envelope(self, **request: Any) -> Any:  # noqa: ANN401 - as above
        properties = {"host": "127.0.0.1", "protos": self._protos}
        return self._protos.Message(request=self._protos.Message(**request), properties=properties)


async def _main(app: str) -> None:
    asked = json.load(sys.stdin)
    worker = Worker()
    await worker.index(app)
    status = await worker.answer(asked["function"], asked["http"])
    answered_at = time.monotonic()
    print(json.dumps({"status": status, "answered_at": answered_at}), flush=True)
    os._exit(0)  # what is left open is not what is measured


if __name__ == "__main__":
    app_folder, host_folder = (str(Path(folder).resolve()) for folder in sys.argv[1:3])
    # As in Azure: the app's own packages first, then the app, then what the host brings.
    sys.path[:0] = [str(Path(app_folder, SITE_PACKAGES)), app_folder, host_folder]
    os.chdir(app_folder)
    asyncio.run(_main(app_folder))
