"""The simulated API over HTTP: what Starlette needs around `World`."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from prefect_staticadslab.simulator.pictures import draw_picture
from prefect_staticadslab.simulator.world import (
    HEARTBEAT_SECONDS,
    Job,
    Refusal,
    World,
    current_step,
    failure,
    now,
    timestamp,
)

DEFAULT_LIMIT: Final = 20
LARGEST_LIMIT: Final = 100
STREAM_STEP_SECONDS: Final = 1.0

Handler = Callable[[Request, World, str], Awaitable[Response]]

BANNER: Final = """<!doctype html><meta charset="utf-8"><title>Static Ads Lab simulator</title>
<h1>This is a simulator</h1>
<p>No ad is real here, and nothing is billed. API: <code>/v1</code>;
counters: <a href="/_simulator/stats">/_simulator/stats</a>.</p>"""


def make_app(world: World) -> Starlette:
    """The ASGI application for a world."""

    def api(path: str, handler: Handler, scope: str | None, method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            return await _answer(request, world, handler, scope)

        return Route(path, endpoint, methods=[method])

    async def banner(_: Request) -> Response:
        return HTMLResponse(BANNER)

    async def stats(_: Request) -> Response:
        return JSONResponse(_stats(world))

    async def ads(_: Request) -> Response:
        return JSONResponse(_all_ads(world))

    async def age(request: Request) -> Response:
        while world.creating:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        world.age(float(request.query_params["seconds"]))
        return JSONResponse({})

    async def picture(request: Request) -> Response:
        job = world.jobs.get(request.path_params["image_ad_id"])
        if job is None or job.status(now()) != "completed":
            return Response(status_code=404)
        png = await asyncio.to_thread(draw_picture, job, world.catalog)
        return Response(png, media_type="image/png")

    catalogue = [
        route
        for path, resource, scope in (
            ("brands", "brands", "brands"),
            ("products", "products", "products"),
            ("product-variants", "product_variants", "products"),
            ("audiences", "audiences", "audiences"),
            ("design-templates", "design_templates", "design_templates"),
        )
        for route in (
            api(f"/v1/{path}", _lister(resource), f"{scope}:read"),
            api(f"/v1/{path}/{{id}}", _getter(resource), f"{scope}:read"),
        )
    ]
    return Starlette(
        routes=[
            Route("/", banner),
            Route("/_simulator/stats", stats),
            Route("/_simulator/ads", ads),
            Route("/_simulator/age", age, methods=["POST"]),
            Route("/pictures/{image_ad_id}.png", picture),
            api("/v1/account", _account, None),
            api("/v1/image-ads", _create_image_ad, "image_ads:write", "POST"),
            api("/v1/image-ads", _list_image_ads, "image_ads:read"),
            api("/v1/image-ads/{id}", _get_image_ad, "image_ads:read"),
            *catalogue,
            Route("/{path:path}", _no_such_call, methods=["GET", "POST", "PATCH", "DELETE"]),
        ]
    )


async def _answer(request: Request, world: World, handler: Handler, scope: str | None) -> Response:
    """Admits a request, answers it, and puts refusals into the API's form."""
    headers: dict[str, str] = {}
    key = request.headers.get("x-api-key", "")
    world.counts["requests"] += 1
    try:
        headers = world.admit(key, now())
        if scope is not None:
            world.need_scope(key, scope)
        response = await handler(request, world, key)
    except ClientDisconnect:
        return Response(status_code=499)  # nobody is there to read it
    except Refusal as refusal:
        world.counts[str(refusal.status)] += 1
        error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
        if refusal.details:
            error["details"] = refusal.details
        headers = {**headers, **refusal.headers}
        response = JSONResponse({"error": error, "meta": _meta()}, refusal.status)
    for name, value in headers.items():
        response.headers[name] = value
    return response


async def _no_such_call(request: Request) -> Response:
    error = {"code": "NOT_FOUND", "message": f"There is no {request.method} {request.url.path}."}
    return JSONResponse({"error": error, "meta": _meta()}, 404)


async def _account(_: Request, world: World, key: str) -> Response:
    return _data({"organization": {"name": "Simulated Shops"}, "scopes": world.scopes[key]})


async def _create_image_ad(request: Request, world: World, key: str) -> Response:
    world.counts["creates"] += 1
    try:
        body = await request.json()
    except ValueError:
        raise Refusal(400, "VALIDATION_ERROR", "The body is no JSON.") from None
    idempotency_key = request.headers.get("idempotency-key")
    if idempotency_key is None:
        world.counts["creates without a key"] += 1
    else:
        earlier = world.recall(key, idempotency_key, body, now())
        if earlier is not None:
            world.counts["replayed"] += 1
            return _data(earlier, 202, {"Idempotent-Replayed": "true"})
    world.creating += 1
    try:
        await asyncio.sleep(world.settings.answer_seconds)
        answer = _with_host(request, world.create_image_ad(body, now(), idempotency_key))
    except BaseException:
        if idempotency_key is not None:
            world.remember(key, idempotency_key, None)
        raise
    finally:
        world.creating -= 1
    if idempotency_key is not None:
        world.remember(key, idempotency_key, answer)
    return _data(answer, 202)


async def _list_image_ads(request: Request, world: World, _: str) -> Response:
    query = request.query_params
    if "ids" in query:
        ids = [i for i in query["ids"].split(",") if i]
        if len(ids) > LARGEST_LIMIT:
            raise Refusal(400, "VALIDATION_ERROR", f"At most {LARGEST_LIMIT} ids.")
        world.counts["batch reads"] += 1
        moment = now()
        ads = [world.image_ad(world.jobs[i], moment) for i in ids if i in world.jobs]
        return _page([_with_host(request, ad) for ad in ads], has_more=False)
    moment = now()
    ads = [world.image_ad(job, moment) for job in reversed(world.jobs.values())]
    page, more = _filtered_page(request, ads)
    return _page([_with_host(request, ad) for ad in page], has_more=more)


async def _get_image_ad(request: Request, world: World, _: str) -> Response:
    job = world.jobs.get(request.path_params["id"])
    if job is None:
        raise Refusal(404, "NOT_FOUND", f"There is no image ad {request.path_params['id']}.")
    if "text/event-stream" in request.headers.get("accept", ""):
        return StreamingResponse(
            _events(world, job),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )
    world.counts["single reads"] += 1
    return _data(_with_host(request, world.image_ad(job, now())))


async def _events(world: World, job: Job) -> AsyncIterator[str]:
    speed = world.settings.speed
    last_step, last_heartbeat = "", now()
    yield _event("started", {"id": job.id})
    while job.status(now()) == "processing":
        progress = current_step(job.share_done(now()))
        if progress["step"] != last_step:
            last_step = progress["step"]
            yield _event("progress", progress)
        if now() - last_heartbeat >= HEARTBEAT_SECONDS / speed:
            last_heartbeat = now()
            yield _event("heartbeat", None)
        await asyncio.sleep(STREAM_STEP_SECONDS / speed)
    if job.fails:
        yield _event("error", failure())
    else:
        yield _event("complete", {"id": job.id})


def _event(name: str, data: dict[str, Any] | None) -> str:
    return f"event: {name}\ndata: {'' if data is None else json.dumps(data)}\n\n"


def _lister(resource: str) -> Handler:
    async def handler(request: Request, world: World, _: str) -> Response:
        page, more = _filtered_page(request, list(getattr(world.catalog, resource).values()))
        return _page(page, has_more=more)

    return handler


def _getter(resource: str) -> Handler:
    async def handler(request: Request, world: World, _: str) -> Response:
        identifier = request.path_params["id"]
        found = getattr(world.catalog, resource).get(identifier)
        if found is None:
            raise Refusal(404, "NOT_FOUND", f"There is no {identifier}.")
        return _data(found)

    return handler


def _filtered_page(
    request: Request, items: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], bool]:
    """The items that the query asks for, and whether more follow."""
    query = dict(request.query_params)
    try:
        limit = int(query.pop("limit", DEFAULT_LIMIT))
    except ValueError:
        limit = 0
    if not 1 <= limit <= LARGEST_LIMIT:
        raise Refusal(400, "VALIDATION_ERROR", f"limit is between 1 and {LARGEST_LIMIT}.")
    after = query.pop("starting_after", None)
    wanted = {i for i in query.pop("ids", "").split(",") if i}
    items = [
        item
        for item in items
        if all(_as_query(item.get(name)) == value for name, value in query.items())
        and (not wanted or item["id"] in wanted)
    ]
    start = 0
    if after is not None:
        places = [place for place, item in enumerate(items) if item["id"] == after]
        start = places[0] + 1 if places else len(items)
    return items[start : start + limit], len(items) > start + limit


def _as_query(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _with_host(request: Request, ad: Mapping[str, Any]) -> dict[str, Any]:
    """The ad with a full picture URL, on the host that the client knows."""
    url = ad["image_url"]
    return {**ad, "image_url": url and str(request.base_url).rstrip("/") + url}


def _data(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"data": data, "meta": _meta()}, status, dict(headers or {}))


def _page(items: list[dict[str, Any]], *, has_more: bool) -> Response:
    return JSONResponse({"data": items, "has_more": has_more, "meta": _meta()})


def _meta() -> dict[str, str]:
    return {"request_id": f"req_{uuid.uuid4().hex[:16]}", "timestamp": timestamp(now())}


def _all_ads(world: World) -> list[dict[str, Any]]:
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
        for job in world.jobs.values()
    ]


def _stats(world: World) -> dict[str, Any]:
    moment = now()
    return {
        **world.counts,
        "completed": sum(job.status(moment) == "completed" for job in world.jobs.values()),
        "failed": sum(job.status(moment) == "failed" for job in world.jobs.values()),
        "billed_usd": float(world.billed_usd(moment)),
    }
