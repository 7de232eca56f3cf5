"""What tests ask a simulator besides the API's calls: the truth, and to put its clock forward."""

from __future__ import annotations

import asyncio
import math
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

MOST_SECONDS: Final = 1e9
"""That the clock may be put forward by at once: thirty years, so that all dates stay dates."""


def control_routes(api: SimulatedAPI) -> list[Route]:
    """All calls under `/_simulator`."""

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

    return [
        Route("/_simulator/stats", stats),
        Route("/_simulator/ads", ads),
        Route("/_simulator/age", age, methods=["POST"]),
    ]


def _stats(api: SimulatedAPI) -> dict[str, Any]:
    """What was counted, and how jobs and the bill stand."""
    moment = now()
    return {
        **api.counts,
        "completed": sum(job.status(moment) == "completed" for job in api.jobs.values()),
        "failed": sum(job.status(moment) == "failed" for job in api.jobs.values()),
        "billed_usd": float(api.billed_usd(moment)),
    }


def _all_ads(api: SimulatedAPI) -> list[dict[str, Any]]:
    """Every ad there is, without a rate limit, pages or faults."""
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
