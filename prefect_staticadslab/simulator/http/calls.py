"""A call of the API: let in, limited, answered once per idempotency key, in its envelope."""

from __future__ import annotations

import copy
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message

from prefect_staticadslab.simulator.http.guard import MOST_BODY_BYTES, read_body, read_json
from prefect_staticadslab.simulator.model.image_ads import timestamp
from prefect_staticadslab.simulator.model.simulated_api import APIError, SimulatedAPI, now

DEFAULT_LIMIT: Final = 20
LARGEST_LIMIT: Final = 100

SERVED: Final = ("/pictures/", "/files/")
"""Paths in resources that the client gets as full addresses."""


@dataclass(frozen=True)
class Call:
    """A request that was let in.

    Attributes:
        request: The request itself.
        api: What is simulated.
        idempotency_key: Its idempotency key, if it has one.
        body: Its JSON; a form's fields; None if it has no body.
        files: The files of its form: name and content.
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
    """What a call answers: data for the envelope."""

    data: Any
    status: int = 200
    has_more: bool | None = None


Handler = Callable[[Call], Awaitable[Reply | Response]]


def endpoint(
    api: SimulatedAPI, path: str, handler: Handler, scope: str | None, method: str = "GET"
) -> Route:
    """A call of the API: admitted, limited, answered once per idempotency key, in its envelope."""

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
        headers = api.admission.admit(api_key, now())
        if scope is not None:
            api.admission.need_scope(api_key, scope)
        response = await _answer_once(request, api, handler, api_key)
    except ClientDisconnect:
        return Response(status_code=499)  # nobody is there to read it
    except APIError as error:
        api.counts[str(error.status)] += 1
        described: dict[str, Any] = {"code": error.code, "message": error.message}
        if error.details:
            described["details"] = error.details
        headers = {**headers, **error.headers}
        response = JSONResponse({"error": described, "meta": meta()}, error.status)
    for name, value in headers.items():
        response.headers[name] = value
    return response


async def _answer_once(
    request: Request, api: SimulatedAPI, handler: Handler, api_key: str
) -> Response:
    is_create = (request.method, request.url.path) == ("POST", "/v1/image-ads")
    api.counts["creates"] += is_create
    body, files = await _read(request)
    idempotency_key = request.headers.get("idempotency-key")
    call = Call(request, api, idempotency_key, body, files)
    if idempotency_key is None or request.method not in ("POST", "PATCH"):
        api.counts["creates without a key"] += is_create
        return _response(request, await handler(call))
    digests = {n: hashlib.sha256(content).hexdigest() for n, (_, content) in files.items()}
    asked = [request.method, request.url.path, body, digests]
    earlier = api.admission.recall(api_key, idempotency_key, asked, now())
    if earlier is not None:
        api.counts["replayed"] += 1
        response = _response(request, Reply(*earlier))
        response.headers["Idempotent-Replayed"] = "true"
        return response
    try:
        reply = await handler(call)
    except BaseException:
        api.admission.remember(api_key, idempotency_key, None)
        raise
    if isinstance(reply, Reply):
        answer = copy.deepcopy(reply.data), reply.status
        api.admission.remember(api_key, idempotency_key, answer)
    return _response(request, reply)


async def _read(request: Request) -> tuple[Any, dict[str, tuple[str, bytes]]]:
    """The body: its JSON, or its form's fields and files."""
    if request.method not in ("POST", "PATCH"):
        return None, {}
    body = await read_body(request)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return read_json(body), {}
    fields, files = {}, {}
    try:
        async with _with_body(request, body).form(max_part_size=MOST_BODY_BYTES) as form:
            for name, value in form.items():
                if isinstance(value, UploadFile):
                    files[name] = (value.filename or "", await value.read())
                else:
                    fields[name] = value
    except HTTPException as error:
        raise APIError(400, "VALIDATION_ERROR", f"The form is broken: {error.detail}") from None
    return fields, files


def _with_body(request: Request, body: bytes) -> Request:
    """A request whose body was read already."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)


def _response(request: Request, reply: Reply | Response) -> Response:
    if isinstance(reply, Response):
        return reply
    if reply.status == 204:
        return Response(status_code=204)
    content: dict[str, Any] = {"data": _hosted(reply.data, str(request.base_url).rstrip("/"))}
    if reply.has_more is not None:
        content["has_more"] = reply.has_more
    return JSONResponse({**content, "meta": meta()}, reply.status)


def _hosted(data: Any, host: str) -> Any:
    """Data with full addresses of what is served here, on the host that the client knows."""
    if isinstance(data, str):
        return host + data if data.startswith(SERVED) else data
    if isinstance(data, dict):
        return {name: _hosted(value, host) for name, value in data.items()}
    if isinstance(data, list):
        return [_hosted(value, host) for value in data]
    return data


def page(call: Call, items: list[dict[str, Any]]) -> Reply:
    """The items that the query asks for, and whether more follow.

    Raises:
        APIError: 400 for a limit that is none.
    """
    query = dict(call.request.query_params)
    try:
        limit = int(query.pop("limit", DEFAULT_LIMIT))
    except ValueError:
        limit = 0
    if not 1 <= limit <= LARGEST_LIMIT:
        raise APIError(400, "VALIDATION_ERROR", f"limit is between 1 and {LARGEST_LIMIT}.")
    after = query.pop("starting_after", None)
    wanted = {i for i in query.pop("ids", "").split(",") if i}
    # Nothing that was deleted is kept here.
    items = [] if query.pop("deleted", "false") == "true" else items
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
    return Reply(items[start : start + limit], has_more=len(items) > start + limit)


def _as_query(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def meta() -> dict[str, str]:
    return {"request_id": f"req_{uuid.uuid4().hex[:16]}", "timestamp": timestamp(now())}
