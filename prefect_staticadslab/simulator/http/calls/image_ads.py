"""The calls for image ads: create, read, follow, revise, sync from Figma and delete."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.responses import StreamingResponse

from prefect_staticadslab.simulator.http.calls.paging import matching, page
from prefect_staticadslab.simulator.http.operation import DELETED, Call, Reply
from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.errors import job_failure
from prefect_staticadslab.simulator.model.image_ads.job import RenderedAd, current_step
from prefect_staticadslab.simulator.model.resources.ids import find
from prefect_staticadslab.simulator.model.resources.queries import ImageAds, Versions
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

HEARTBEAT_SECONDS: Final = 15.0
STREAM_STEP_SECONDS: Final = 1.0
"""How often a stream looks at its job."""


async def create_image_ad(call: Call) -> Reply:
    """Begins a job."""
    api = call.api
    api.creating += 1
    try:
        await asyncio.sleep(api.settings.answer_seconds)
        return Reply(api.create_image_ad(call.fields, now(), call.idempotency_key))
    finally:
        api.creating -= 1


async def list_image_ads(call: Call) -> Reply:
    """The ads of some ids, or a page of all of them, the newest first."""
    api, moment, query = call.api, now(), call.list_query(ImageAds)
    if query.ids is None:
        return page(query, [job.resource(moment) for job in reversed(api.jobs.values())])
    api.counts["batch reads"] += 1
    ads = [api.jobs[i].resource(moment) for i in dict.fromkeys(query.ids) if i in api.jobs]
    return Reply(matching(query, ads), has_more=False)


async def get_image_ad(call: Call) -> Reply | StreamingResponse:
    """An ad, or the events of its job as a stream."""
    job = call.api.image_ads.get(call.id)
    if "text/event-stream" in call.request.headers.get("accept", ""):
        return StreamingResponse(
            _events(call.api, job),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )
    call.api.counts["single reads"] += 1
    return Reply(job.resource(now()))


async def _events(api: SimulatedAPI, job: RenderedAd) -> AsyncIterator[str]:
    """A job's events, from `started` to `complete` or `error`."""
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
    if job.latest.fails:
        yield _event("error", job_failure())
    else:
        yield _event("complete", {"id": job.id})


def _event(name: str, data: dict[str, Any] | None) -> str:
    """A server-sent event."""
    return f"event: {name}\ndata: {'' if data is None else json.dumps(data)}\n\n"


async def revise_image_ad(call: Call) -> Reply:
    """Begins another rendering."""
    return Reply(call.api.revise_image_ad(call.id, call.fields, now()))


async def delete_image_ad(call: Call) -> Reply:
    """Deletes an ad."""
    call.api.delete_image_ad(call.id)
    return DELETED


async def list_versions(call: Call) -> Reply:
    """The versions of an ad, the newest first."""
    return page(call.list_query(Versions), call.api.image_ads.get(call.id).versions(now()))


async def get_version(call: Call) -> Reply:
    """A version of an ad."""
    versions = {v["id"]: v for v in call.api.image_ads.get(call.id).versions(now())}
    return Reply(find(versions, call.request.path_params["version"], "image ad version"))
