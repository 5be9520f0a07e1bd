"""Serves the demo sidebar (`local/sidebar/`) on an origin of its own, so that CORS is real.

The page cannot call the control surface on its plain HTTP port (mixed content), so the same
routes are also on this origin.
"""

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local import scene
from local.stack_info import StackInfo

FILES: Final = Path(__file__).parent / "sidebar"

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self' {service}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def configuration(info: StackInfo) -> dict[str, str]:
    """`/config.json`: what the page must know of this stack, and the names of its made-up world."""
    return {
        "service": info.service_https,
        "control": info.control,
        "entra_tenant": scene.ENTRA_TENANT,
        "entra_api_client_id": scene.ENTRA_API_CLIENT_ID,
        "entra_addin_client_id": scene.ENTRA_ADDIN_CLIENT_ID,
        "google_client_id": scene.GOOGLE_CLIENT_ID,
        "google_domain": scene.GOOGLE_DOMAIN,
        "salesforce_login_host": scene.SALESFORCE_LOGIN_HOSTS[0],
        "salesforce_org_host": scene.SALESFORCE_ORG_HOST,
        "salesforce_org_id": scene.SALESFORCE_ORG_ID,
        "lightning_out_app_id": scene.LIGHTNING_OUT_APP_ID,
    }


def sidebar_routes(info: StackInfo) -> Sequence[web.RouteDef]:
    """The page's files and its configuration; register them after more special routes."""

    async def config(_request: web.Request) -> web.Response:
        return web.json_response(configuration(info))

    return [
        web.get("/config.json", config),
        web.get("/{path:.*}", _answer_file),
    ]


def security_headers(info: StackInfo) -> Middleware:
    """On every answer of the sidebar's origin, errors included."""
    headers = {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY.format(service=info.service_https),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }

    @web.middleware
    async def add(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as refusal:
            refusal.headers.update(headers)
            raise
        response.headers.update(headers)
        return response

    return add


async def _answer_file(request: web.Request) -> web.Response:
    """A file of the sidebar's folder. The path is looked up among those that exist, not opened."""
    path = request.match_info["path"] or "index.html"
    files = {file.relative_to(FILES).as_posix(): file for file in FILES.rglob("*")}
    file = files.get(path)
    if file is None or not file.is_file():
        raise web.HTTPNotFound
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return web.Response(body=file.read_bytes(), content_type=kind)
