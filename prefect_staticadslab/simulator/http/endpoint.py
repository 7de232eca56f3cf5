"""What all calls of the API have in common, from the API key to the envelope of the answer."""

from __future__ import annotations

import copy
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from prefect_staticadslab.simulator.http.request_body import read_body
from prefect_staticadslab.simulator.model.clock import now, timestamp
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

SERVED_PATHS: Final = ("/pictures/", "/files/")
"""Paths within data that clients get as full addresses."""


@dataclass(frozen=True)
class Call:
    """A request that was let in.

    Attributes:
        request: The request itself.
        api: What is simulated.
        idempotency_key: Its idempotency key, if it has one.
        body: Its JSON; a form's fields; None if it has no body.
        files: The files of its form, by field: name and content.
    """

    request: Request
    api: SimulatedAPI
    idempotency_key: str | None
    body: Any = None
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The id in the path."""
        identifier: str = self.request.path_params["id"]
        return identifier


@dataclass(frozen=True)
class Reply:
    """What a call answers, before it is put into its envelope.

    Attributes:
        data: What is below `data`; addresses of this server are still without their host.
        status: The HTTP status.
        has_more: Whether a list goes on; None for what is no list.
        has_envelope: Whether the data is put into one.
    """

    data: Any
    status: int = 200
    has_more: bool | None = None
    has_envelope: bool = True


DELETED: Final = Reply({"deleted": True}, has_envelope=False)
"""What answers the deletion of anything. The API's pages show it without an envelope."""


Handler = Callable[[Call], Awaitable[Reply | Response]]


def endpoint(
    api: SimulatedAPI, path: str, handler: Handler, scope: str | None, method: str = "GET"
) -> Route:
    """The route of one call of the API.

    Args:
        api: What is simulated.
        path: The call's path.
        handler: What answers it, once its API key is checked and its body is read.
        scope: What the API key must be allowed to do; None for what every key may do.
        method: The call's method.
    """

    async def handle(request: Request) -> Response:
        return await _answer(request, api, handler, scope)

    return Route(path, handle, methods=[method])


async def _answer(
    request: Request, api: SimulatedAPI, handler: Handler, scope: str | None
) -> Response:
    headers: dict[str, str] = {}
    api_key = request.headers.get("x-api-key", "")
    api.counts["requests"] += 1
    try:
        headers = api.admit(api_key, now())
        if scope is not None:
            api.check_scope(api_key, scope)
        response = await _answer_admitted(request, api, handler, api_key)
    except ClientDisconnect:
        return Response(status_code=499)  # nobody is there to read it
    except APIError as error:
        api.counts[str(error.status)] += 1
        headers = {**headers, **error.headers}
        response = error_response(error)
    for name, value in headers.items():
        response.headers[name] = value
    return response


async def _answer_admitted(
    request: Request, api: SimulatedAPI, handler: Handler, api_key: str
) -> Response:
    is_create = (request.method, request.url.path) == ("POST", "/v1/image-ads")
    api.counts["creates"] += is_create
    body, files = await read_body(request)
    idempotency_key = request.headers.get("idempotency-key")
    call = Call(request, api, idempotency_key, body, files)
    if idempotency_key is None or request.method not in ("POST", "PATCH"):
        api.counts["creates without a key"] += is_create
        return _response(request, await handler(call))
    return await _answer_once(call, handler, api_key, idempotency_key)


async def _answer_once(
    call: Call, handler: Handler, api_key: str, idempotency_key: str
) -> Response:
    """The first answer that this idempotency key had, or else the handler's, which is kept."""
    request, api = call.request, call.api
    digests = {n: hashlib.sha256(content).hexdigest() for n, (_, content) in call.files.items()}
    fingerprint = [request.method, request.url.path, call.body, digests]
    first_answer = api.idempotency.begin(api_key, idempotency_key, fingerprint, now())
    if first_answer is not None:
        api.counts["replayed"] += 1
        response = _response(request, Reply(*first_answer))
        response.headers["Idempotent-Replayed"] = "true"
        return response
    try:
        reply = await handler(call)
    except BaseException:
        api.idempotency.forget(api_key, idempotency_key)
        raise
    if isinstance(reply, Reply):
        # A copy: the resources themselves change later, what was answered does not.
        answer = copy.deepcopy(reply.data), reply.status
        api.idempotency.finish(api_key, idempotency_key, answer)
    return _response(request, reply)


def _response(request: Request, reply: Reply | Response) -> Response:
    """A reply in its envelope."""
    if isinstance(reply, Response):
        return reply
    if not reply.has_envelope:
        return JSONResponse(reply.data, reply.status)
    host = str(request.base_url).rstrip("/")
    content: dict[str, Any] = {"data": _with_host(reply.data, host)}
    if reply.has_more is not None:
        content["has_more"] = reply.has_more
    return JSONResponse({**content, "meta": _meta()}, reply.status)


def error_response(error: APIError) -> Response:
    """An error in its envelope, without its headers."""
    content: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        content["details"] = error.details
    return JSONResponse({"error": content, "meta": _meta()}, error.status)


def _with_host(data: Any, host: str) -> Any:
    """Data with full addresses of what is served here, on the host that the client asked."""
    if isinstance(data, str):
        return host + data if data.startswith(SERVED_PATHS) else data
    if isinstance(data, dict):
        return {name: _with_host(value, host) for name, value in data.items()}
    if isinstance(data, list):
        return [_with_host(value, host) for value in data]
    return data


def _meta() -> dict[str, str]:
    return {"request_id": f"req_{uuid.uuid4().hex[:16]}", "timestamp": timestamp(now())}
