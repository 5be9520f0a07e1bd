"""The least that there can be: one route, which answers from nothing."""

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("v1/answer", methods=["GET", "POST"])
async def answer(req: func.HttpRequest) -> func.HttpResponse:
    del req
    return func.HttpResponse('{"status": "ok"}', mimetype="application/json")
