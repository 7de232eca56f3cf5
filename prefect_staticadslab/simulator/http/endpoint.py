"""What all calls of the API have in common, from the API key to the answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from prefect_staticadslab.simulator.http.answers import error_response, success_response
from prefect_staticadslab.simulator.http.operation import Call, Operation, Reply
from prefect_staticadslab.simulator.http.request_body import Sent, read_body
from prefect_staticadslab.simulator.model.admission.idempotency import Replay
from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.resources.checks import check
from prefect_staticadslab.simulator.model.resources.ids import check_kind
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

WAITING_STEP_SECONDS: Final = 0.02
"""How often a request that waits looks at the clock, which can be put forward."""


def endpoint(api: SimulatedAPI, operation: Operation) -> Route:
    """The route of one call of the API: rate limit, API key, scope, then the call's handler."""

    async def handle(request: Request) -> Response:
        api_key = request.headers.get("x-api-key", "")

        async def answer() -> Response:
            if operation.scope is not None:
                api.check_scope(api_key, operation.scope)
            return await _answer_admitted(request, api, operation, api_key)

        return await admit_and_answer(request, api, answer)

    return Route(f"/v1/{operation.path}", handle, methods=[operation.method])


async def admit_and_answer(
    request: Request, api: SimulatedAPI, answer: Callable[[], Awaitable[Response]]
) -> Response:
    """Counts a request against its API key's rate limit, and answers it if it is let in.

    Returns:
        The answer, or the error that it ended with, with the rate limit's headers.

    Args:
        request: The request.
        api: What is simulated.
        answer: Gives the answer, once the request is let in.
    """
    headers: dict[str, str] = {}
    api.counts["requests"] += 1
    try:
        headers = api.admit(request.headers.get("x-api-key", ""), now())
        response = await answer()
    except ClientDisconnect:
        return Response(status_code=499)  # nobody is there to read it
    except APIError as error:
        api.counts[str(error.status)] += 1
        response = error_response(error)
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response


async def _answer_admitted(
    request: Request, api: SimulatedAPI, operation: Operation, api_key: str
) -> Response:
    """Answers a request that was let in: once for each idempotency key, if it has one."""
    if operation.noun:
        check_kind(request.path_params["id"], operation.noun)
    is_create = (operation.method, operation.path) == ("POST", "image-ads")
    api.counts["creates"] += is_create
    sent = await read_body(request)
    idempotency_key = request.headers.get("idempotency-key")
    query = check(operation.query, dict(request.query_params)) if operation.query else None
    body = _checked_body(operation, sent)
    call = Call(request, api, idempotency_key, query, body, sent.files)
    if idempotency_key is None or operation.method not in ("POST", "PATCH"):
        api.counts["creates without a key"] += is_create
        return _to_response(request, operation, await _run_handler(operation, call))
    return await _answer_once(call, operation, api_key, idempotency_key, sent)


def _checked_body(operation: Operation, sent: Sent) -> BaseModel | None:
    """The body as the model of the form or of the JSON that was sent; None if the call has none.

    Raises:
        APIError: 400, or 422 for an id of something else.
    """
    if operation.form and (sent.is_form or not operation.json):
        fields = sent.body if isinstance(sent.body, dict) else {}
        contents = {name: content for name, (_, content) in sent.files.items()}
        return check(operation.form, fields | contents)
    return check(operation.json, sent.body) if operation.json else None


async def _answer_once(
    call: Call, operation: Operation, api_key: str, idempotency_key: str, sent: Sent
) -> Response:
    """Answers as this idempotency key was answered before, or else runs the handler.

    What the handler answers is kept for the key. If it raises, the key is forgotten.

    Raises:
        APIError: 409 if the key is in use or was used with another request; the handler's.
    """
    request, api = call.request, call.api
    files = {n: (f, hashlib.sha256(content).hexdigest()) for n, (f, content) in call.files.items()}
    fingerprint = [request.method, request.url.path, sent.body, files]
    begun = api.idempotency.begin(
        api_key, idempotency_key, fingerprint, now(), api.settings.lock_seconds
    )
    if isinstance(begun, Replay):
        api.counts["replayed"] += 1
        response = _to_response(request, operation, Reply(begun.answer))
        response.headers["Idempotent-Replayed"] = "true"
        return response
    try:
        reply = await _run_handler(operation, call)
    except BaseException:
        api.idempotency.forget(begun)
        raise
    if isinstance(reply, Reply):
        # As its model: the resources themselves change later, what was answered does not.
        reply = Reply(operation.answer.model_validate(reply.data))
        api.idempotency.finish(begun, reply.data)
    return _to_response(request, operation, reply)


async def _run_handler(operation: Operation, call: Call) -> Reply | Response:
    """Runs the call's handler; first it waits, if `/_simulator/slow` has ordered that."""
    api = call.api
    wait = api.slow_answers.begin(now()) if operation.begins_job else None
    if wait is not None:
        api.counts["slow answers"] += 1
        while now() < wait.until:  # noqa: ASYNC110
            await asyncio.sleep(WAITING_STEP_SECONDS)
        api.slow_answers.end(wait)
    return await operation.handler(call)


def _to_response(request: Request, operation: Operation, reply: Reply | Response) -> Response:
    """A handler's reply in its envelope; a stream of events has none, and stays as it is."""
    return success_response(request, operation, reply) if isinstance(reply, Reply) else reply
