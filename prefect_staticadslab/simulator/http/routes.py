"""The API's calls: what each takes, and what it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

from starlette.responses import StreamingResponse
from starlette.routing import Route

from prefect_staticadslab.simulator.http.calls import (
    LARGEST_LIMIT,
    Call,
    Handler,
    Reply,
    endpoint,
    page,
)
from prefect_staticadslab.simulator.model.admission import APIError, not_valid
from prefect_staticadslab.simulator.model.image_ads import Job, current_step, failure
from prefect_staticadslab.simulator.model.simulated_api import HEARTBEAT_SECONDS, SimulatedAPI, now
from prefect_staticadslab.simulator.model.trees import check_tree
from prefect_staticadslab.simulator.model.uploads import decoded, fetched, read_image

STREAM_STEP_SECONDS: Final = 1.0
MOST_FIGMA_ITEMS: Final = 10
IMAGE_TYPES: Final = ("product", "lifestyle", "logo", "background", "other")

CATALOGUE: Final = {
    "brands": ("brands", "brands"),
    "products": ("products", "products"),
    "product-variants": ("product_variants", "products"),
    "audiences": ("audiences", "audiences"),
}
"""By path: the kind of resource, and whose scope it needs."""


def api_routes(api: SimulatedAPI) -> list[Route]:
    """All calls under `/v1`."""

    def call(path: str, handler: Handler, scope: str | None, method: str = "GET") -> Route:
        return endpoint(api, f"/v1/{path}", handler, scope, method)

    routes = [
        call("account", _account, None),
        call("image-ads", _create_image_ad, "image_ads:write", "POST"),
        call("image-ads", _list_image_ads, "image_ads:read"),
        call("image-ads/sync", _sync_image_ads, "image_ads:write", "POST"),
        call("image-ads/{id}", _get_image_ad, "image_ads:read"),
        call("image-ads/{id}", _revise_image_ad, "image_ads:write", "PATCH"),
        call("image-ads/{id}", _delete_image_ad, "image_ads:write", "DELETE"),
        call("image-ads/{id}/versions", _list_versions, "image_ads:read"),
        call("image-ads/{id}/versions/{version}", _get_version, "image_ads:read"),
        call("design-templates", _create_template, "design_templates:write", "POST"),
        call("design-templates", _list_templates, "design_templates:read"),
        call("design-templates/{id}", _get_template, "design_templates:read"),
        call("design-templates/{id}", _update_template, "design_templates:write", "PATCH"),
        call("images", _upload_image, "images:write", "POST"),
        call("images", _lister("images"), "images:read"),
        call("images/{id}", _getter("images"), "images:read"),
        call("images/{id}", _deleter("images"), "images:write", "DELETE"),
    ]
    for path, (kind, scope) in CATALOGUE.items():
        routes += [
            call(path, _creator(kind), f"{scope}:write", "POST"),
            call(path, _lister(kind), f"{scope}:read"),
            call(f"{path}/{{id}}", _getter(kind), f"{scope}:read"),
            call(f"{path}/{{id}}", _changer(kind), f"{scope}:write", "PATCH"),
            call(f"{path}/{{id}}", _deleter(kind), f"{scope}:write", "DELETE"),
        ]
    return routes


async def _account(call: Call) -> Reply:
    api_key = call.request.headers["x-api-key"]
    return Reply({"organization": {"name": "Simulated Shops"}, "scopes": call.api.scopes[api_key]})


# Image ads


async def _create_image_ad(call: Call) -> Reply:
    api = call.api
    api.creating += 1
    try:
        await asyncio.sleep(api.settings.answer_seconds)
        return Reply(api.create_image_ad(call.body, now(), call.idempotency_key), 202)
    finally:
        api.creating -= 1


async def _list_image_ads(call: Call) -> Reply:
    api, moment = call.api, now()
    if "ids" in call.request.query_params:
        ids = _ids(call)
        api.counts["batch reads"] += 1
        ads = [api.jobs[i].resource(moment) for i in ids if i in api.jobs]
        return Reply(ads, has_more=False)
    return page(call, [job.resource(moment) for job in reversed(api.jobs.values())])


def _ids(call: Call) -> list[str]:
    ids = [i for i in call.request.query_params["ids"].split(",") if i]
    if len(ids) > LARGEST_LIMIT:
        raise APIError(400, "VALIDATION_ERROR", f"At most {LARGEST_LIMIT} ids.")
    return ids


async def _get_image_ad(call: Call) -> Reply | StreamingResponse:
    job = call.api.image_ad(call.id)
    if "text/event-stream" in call.request.headers.get("accept", ""):
        return StreamingResponse(
            _events(call.api, job),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )
    call.api.counts["single reads"] += 1
    return Reply(job.resource(now()))


async def _events(api: SimulatedAPI, job: Job) -> AsyncIterator[str]:
    speed = api.settings.speed
    last_step, last_heartbeat = "", now()
    yield _event("started", {"id": job.id})
    while job.status(now()) == "processing":
        progress = current_step(job.share_done(now()))
        if progress["step"] != last_step:
            last_step = progress["step"]
            yield _event("progress", dict(progress))
        if now() - last_heartbeat >= HEARTBEAT_SECONDS / speed:
            last_heartbeat = now()
            yield _event("heartbeat", None)
        await asyncio.sleep(STREAM_STEP_SECONDS / speed)
    if job.present.fails:
        yield _event("error", failure())
    else:
        yield _event("complete", {"id": job.id})


def _event(name: str, data: dict[str, Any] | None) -> str:
    return f"event: {name}\ndata: {'' if data is None else json.dumps(data)}\n\n"


async def _revise_image_ad(call: Call) -> Reply:
    return Reply(call.api.revise_image_ad(call.id, call.body, now()))


async def _delete_image_ad(call: Call) -> Reply:
    call.api.delete_image_ad(call.id)
    return Reply(None, 204)


async def _list_versions(call: Call) -> Reply:
    return page(call, call.api.image_ad(call.id).versions(now()))


async def _get_version(call: Call) -> Reply:
    wanted = call.request.path_params["version"]
    for version in call.api.image_ad(call.id).versions(now()):
        if version["id"] == wanted:
            return Reply(version)
    raise APIError(404, "NOT_FOUND", f"There is no version {wanted}.")


async def _sync_image_ads(call: Call) -> Reply:
    items = call.body.get("items") if isinstance(call.body, dict) else None
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_FIGMA_ITEMS:
        raise not_valid(("items", f"has between 1 and {MOST_FIGMA_ITEMS} image ads"))
    renders = []
    for number, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("id"), str):
            raise not_valid((f"items.{number}.id", "is required"))
        check_tree(item.get("current_json_tree"))
        field = f"items.{number}.figma_render_base64"
        given = await asyncio.to_thread(decoded, item.get("figma_render_base64"), field)
        renders.append((item["id"], item["current_json_tree"], given))
    return Reply(call.api.sync_image_ads(renders, now()))


# Design templates and images


async def _create_template(call: Call) -> Reply:
    if "file" in call.files:
        reference = await asyncio.to_thread(read_image, *call.files["file"])
    elif isinstance(call.body, dict) and call.body.get("reference_image_url"):
        reference = await asyncio.to_thread(fetched, call.body["reference_image_url"])
    else:
        raise not_valid(("file", "is required, or reference_image_url"))
    return Reply(call.api.create_template(reference, now()), 202)


async def _list_templates(call: Call) -> Reply:
    if "ids" in call.request.query_params:
        _ids(call)
    return page(call, list(call.api.all_templates(now())))


async def _get_template(call: Call) -> Reply:
    return Reply(call.api.template(call.id, now()))


async def _update_template(call: Call) -> Reply:
    return Reply(call.api.update_template(call.id, call.body, now()))


async def _upload_image(call: Call) -> Reply:
    if "file" not in call.files:
        raise not_valid(("file", "is required"))
    if call.body.get("image_type") not in IMAGE_TYPES:
        raise not_valid(("image_type", f"is one of {', '.join(IMAGE_TYPES)}"))
    if call.body.get("logo_theme") not in (None, "light", "dark"):
        raise not_valid(("logo_theme", "is light or dark"))
    upload = await asyncio.to_thread(read_image, *call.files["file"])
    return Reply(call.api.add_image(upload, call.body, now()), 201)


# The catalogue


def _creator(kind: str) -> Handler:
    return _handler(lambda call: Reply(call.api.create_resource(kind, call.body, now()), 201))


def _lister(kind: str) -> Handler:
    def resources(call: Call) -> Iterable[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = getattr(call.api.catalog, kind)
        return found.values()

    return _handler(lambda call: page(call, list(resources(call))))


def _getter(kind: str) -> Handler:
    return _handler(lambda call: Reply(call.api.resource(kind, call.id)))


def _changer(kind: str) -> Handler:
    return _handler(lambda call: Reply(call.api.update_resource(kind, call.id, call.body, now())))


def _deleter(kind: str) -> Handler:
    def delete(call: Call) -> Reply:
        call.api.delete_resource(kind, call.id)
        return Reply(None, 204)

    return _handler(delete)


def _handler(answer: Callable[[Call], Reply]) -> Handler:
    async def handler(call: Call) -> Reply:
        return answer(call)

    return handler
