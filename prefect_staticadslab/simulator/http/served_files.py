"""The files that resources point to: pictures of ads and templates, and uploaded images."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.pictures import draw_picture, draw_preview
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI
from prefect_staticadslab.simulator.model.uploads import THUMBNAILS, thumbnail


def file_routes(api: SimulatedAPI) -> list[Route]:
    """All files under `/pictures` and `/files`."""

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
            return Response(small, media_type="image/webp")
        return Response(upload.content, media_type=f"image/{upload.format}")

    return [
        Route("/pictures/{name}.png", picture),
        Route("/files/{id}", file),
        Route("/files/{id}/{size}", file),
    ]


def _picture(api: SimulatedAPI, name: str) -> bytes | None:
    """The picture of an ad, a version or a design template, once it is completed."""
    found = api.image_ads.rendering_of(name)
    if found is not None:
        job, rendering = found
        if rendering.status(now()) != "completed":
            return None
        from_figma = rendering.figma_render
        return from_figma.content if from_figma else draw_picture(job, rendering, api)
    try:
        template = api.design_templates.get_even_deleted(name, now())
    except APIError:
        return None
    return draw_preview(template, api) if template["status"] == "completed" else None
