"""A function that answers from nothing, served as the service is: what the local host costs alone.

That host stands in for Microsoft's, and is not deployed; its share is in the service's figures and
in the quickstart's, and in nobody else's.
"""

import json
from typing import Final

import azure.functions as func

from bench.proxy.asked import INPUTS

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

_ANSWER: Final = json.dumps({"status": "succeeded", "outputs": INPUTS}).encode()


@app.route(route="v1/flows/{flow}/runs", methods=["POST"])
async def answer(req: func.HttpRequest) -> func.HttpResponse:
    del req
    return func.HttpResponse(_ANSWER, mimetype="application/json")
