"""The call for the jobs behind image ads."""

from __future__ import annotations

from prefect_staticadslab.simulator.http.operation import Call, Reply
from prefect_staticadslab.simulator.model.clock import now


async def get_job(call: Call) -> Reply:
    """The job that makes a rendering of an image ad."""
    ad, rendering = call.api.image_ads.job_of(call.id)
    return Reply(ad.job_resource(rendering, now()))
