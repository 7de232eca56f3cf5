"""The simulator over HTTP, as an ASGI application."""

from __future__ import annotations

from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from prefect_staticadslab.simulator.http.answers import error_response
from prefect_staticadslab.simulator.http.control import control_routes
from prefect_staticadslab.simulator.http.description.document import openapi_document
from prefect_staticadslab.simulator.http.endpoint import admit_and_answer
from prefect_staticadslab.simulator.http.routes import api_routes, operations
from prefect_staticadslab.simulator.http.served_files import file_routes
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

BANNER: Final = """<!doctype html><meta charset="utf-8"><title>Static Ads Lab simulator</title>
<h1>This is a simulator</h1>
<p>No ad is real here, and nothing is billed. API: <code>/v1</code>;
its description: <a href="/openapi.json">/openapi.json</a>;
counters: <a href="/_simulator/stats">/_simulator/stats</a>.</p>"""

METHODS: Final = ("GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")


def make_app(api: SimulatedAPI) -> Starlette:
    """The ASGI application of a simulated API."""

    async def no_such_call(request: Request) -> Response:
        """A 404 below `/v1`, which counts against the rate limit as any request does."""

        async def answer() -> Response:
            return await _not_found(request)

        return await admit_and_answer(request, api, answer)

    return Starlette(
        routes=[
            Route("/", _banner),
            *control_routes(api),
            *file_routes(api),
            Route("/openapi.json", _description),
            *api_routes(api),
            Route("/v1/{path:path}", no_such_call, methods=METHODS),
            Route("/{path:path}", _not_found, methods=METHODS),
        ],
        exception_handlers={Exception: _internal_error},
    )


async def _banner(_: Request) -> Response:
    """The page that tells a visitor that this is a simulator."""
    return HTMLResponse(BANNER)


async def _description(request: Request) -> Response:
    """The OpenAPI document, which asks for no key."""
    return JSONResponse(openapi_document(operations(), str(request.base_url).rstrip("/")))


async def _not_found(request: Request) -> Response:
    """A 404 that names the method and the path."""
    message = f"There is no {request.method} {request.url.path}."
    return error_response(APIError(404, "NOT_FOUND", message))


async def _internal_error(_: Request, _error: Exception) -> Response:
    """A 500 in the envelope of errors, for an exception that nothing caught."""
    return error_response(APIError(500, "INTERNAL_ERROR", "The simulator has made a mistake."))
