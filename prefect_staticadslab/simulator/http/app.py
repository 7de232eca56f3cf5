"""The simulator over HTTP: the API's calls, the files that it serves, and the truth for tests."""

from __future__ import annotations

import asyncio
import math
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from prefect_staticadslab.simulator.http.calls import meta
from prefect_staticadslab.simulator.http.routes import api_routes
from prefect_staticadslab.simulator.model.pictures import draw_picture, draw_preview
from prefect_staticadslab.simulator.model.simulated_api import APIError, SimulatedAPI, now
from prefect_staticadslab.simulator.model.uploads import THUMBNAILS, thumbnail

BANNER: Final = """<!doctype html><meta charset="utf-8"><title>Static Ads Lab simulator</title>
<h1>This is a simulator</h1>
<p>No ad is real here, and nothing is billed. API: <code>/v1</code>;
counters: <a href="/_simulator/stats">/_simulator/stats</a>.</p>"""

MOST_SECONDS: Final = 1e9
"""That time may be moved by at once: thirty years, so that all dates stay dates."""


def make_app(api: SimulatedAPI) -> Starlette:
    """The ASGI application of a simulated API."""

    async def banner(_: Request) -> Response:
        return HTMLResponse(BANNER)

    async def stats(_: Request) -> Response:
        return JSONResponse(_stats(api))

    async def ads(_: Request) -> Response:
        return JSONResponse(_all_ads(api))

    async def age(request: Request) -> Response:
        try:
            seconds = float(request.query_params.get("seconds", ""))
        except ValueError:
            seconds = math.nan
        if not abs(seconds) <= MOST_SECONDS:
            return JSONResponse({"error": {"message": "seconds is a number."}}, 400)
        while api.creating:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        api.age(seconds)
        return JSONResponse({})

    async def picture(request: Request) -> Response:
        png = await asyncio.to_thread(_picture, api, request.path_params["name"])
        return Response(status_code=404) if png is None else Response(png, media_type="image/png")

    async def file(request: Request) -> Response:
        upload = api.files.get(request.path_params["id"])
        size = request.path_params.get("size", "")
        if upload is None or (size and size not in THUMBNAILS):
            return Response(status_code=404)
        if size:
            small = await asyncio.to_thread(thumbnail, upload.content, THUMBNAILS[size])
            return Response(small, media_type="image/png")
        return Response(upload.content, media_type=f"image/{upload.format}")

    async def no_such_call(request: Request) -> Response:
        message = f"There is no {request.method} {request.url.path}."
        error = {"code": "NOT_FOUND", "message": message}
        return JSONResponse({"error": error, "meta": meta()}, 404)

    return Starlette(
        routes=[
            Route("/", banner),
            Route("/_simulator/stats", stats),
            Route("/_simulator/ads", ads),
            Route("/_simulator/age", age, methods=["POST"]),
            Route("/pictures/{name}.png", picture),
            Route("/files/{id}", file),
            Route("/files/{id}/{size}", file),
            *api_routes(api),
            Route("/{path:path}", no_such_call, methods=["GET", "POST", "PATCH", "PUT", "DELETE"]),
        ]
    )


def _picture(api: SimulatedAPI, name: str) -> bytes | None:
    """The picture of an ad, a version or a design template, once it is completed."""
    found = api.rendering_of(name)
    if found is not None:
        job, rendering = found
        if rendering.status(now()) != "completed":
            return None
        return rendering.given.content if rendering.given else draw_picture(job, rendering, api)
    try:
        template = api.template(name, now())
    except APIError:
        return None
    return draw_preview(template, api) if template["status"] == "completed" else None


def _all_ads(api: SimulatedAPI) -> list[dict[str, Any]]:
    """Every ad there is, without a limit or a fault: for tests that want the truth."""
    moment = now()
    return [
        {
            "id": job.id,
            "status": job.status(moment),
            "prompt": job.body.get("prompt"),
            "price_usd": float(job.price),
            "idempotency_key": job.idempotency_key,
        }
        for job in api.jobs.values()
    ]


def _stats(api: SimulatedAPI) -> dict[str, Any]:
    moment = now()
    return {
        **api.counts,
        "completed": sum(job.status(moment) == "completed" for job in api.jobs.values()),
        "failed": sum(job.status(moment) == "failed" for job in api.jobs.values()),
        "billed_usd": float(api.billed_usd(moment)),
    }
