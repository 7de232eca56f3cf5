"""What tests ask a simulator besides the API's calls: the truth, and to put its clock forward."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from prefect_staticadslab.simulator.http.answers import error_response
from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.resources.base import Query
from prefect_staticadslab.simulator.model.resources.checks import check
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

MOST_SECONDS: Final = 1e9
"""That the clock may be put forward by at once: thirty years, so that all dates stay dates."""


class Age(Query):
    """By how much the clock is put forward."""

    seconds: Annotated[float, Field(ge=-MOST_SECONDS, le=MOST_SECONDS)]


class Slow(Query):
    """How many of the next requests that begin a job are answered so much later."""

    seconds: Annotated[float, Field(ge=0, le=MOST_SECONDS)]
    count: Annotated[int, Field(ge=1, le=1000)] = 1


def control_routes(api: SimulatedAPI) -> list[Route]:
    """All calls under `/_simulator`."""

    async def stats(_: Request) -> Response:
        return JSONResponse(_stats(api))

    async def ads(_: Request) -> Response:
        return JSONResponse(_all_ads(api))

    async def age(request: Request) -> Response:
        """Puts the clock forward, once no create is being answered."""
        try:
            seconds = check(Age, dict(request.query_params)).seconds
        except APIError as error:
            return error_response(error)
        while api.creating:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        api.age(seconds)
        return JSONResponse({})

    async def slow(request: Request) -> Response:
        """Has the next requests that begin a job answered late."""
        try:
            query = check(Slow, dict(request.query_params))
        except APIError as error:
            return error_response(error)
        api.slow_answers.order(query.seconds, query.count)
        return JSONResponse({})

    return [
        Route("/_simulator/stats", stats),
        Route("/_simulator/ads", ads),
        Route("/_simulator/age", age, methods=["POST"]),
        Route("/_simulator/slow", slow, methods=["POST"]),
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
