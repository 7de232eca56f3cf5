"""What is sent back: resources in their envelopes, and errors in theirs."""

from __future__ import annotations

import uuid
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from prefect_staticadslab.simulator.http.operation import Operation, Reply
from prefect_staticadslab.simulator.model.clock import now, timestamp
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.resources.base import HOST
from prefect_staticadslab.simulator.model.resources.envelopes import Deleted, ErrorAnswer


def success_response(request: Request, operation: Operation, reply: Reply) -> Response:
    """The HTTP answer to a call that succeeded: its reply in the envelope, checked by its model."""
    model = operation.response_model
    if model is Deleted:
        return _response(model.model_validate(reply.data), operation.status)
    content = {"data": reply.data, "meta": _meta()}
    if reply.has_more is not None:
        content["has_more"] = reply.has_more
    host = str(request.base_url).rstrip("/")
    return _response(model.model_validate(content), operation.status, host)


def error_response(error: APIError) -> Response:
    """The HTTP answer to a call that was refused: the error in its envelope, with its headers."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    if error.top_up_url:
        body["top_up_url"] = error.top_up_url
    answer = ErrorAnswer.model_validate({"error": body, "meta": _meta()})
    content = answer.model_dump_json(exclude_none=True)
    return Response(content, error.status, error.headers, media_type="application/json")


def _response(answer: BaseModel, status: int, host: str = "") -> Response:
    """An answer as JSON; `host` is put before the paths of what this server serves."""
    content = answer.model_dump_json(context={HOST: host})
    return Response(content, status, media_type="application/json")


def _meta() -> dict[str, str]:
    """A new request id, and the time."""
    return {"request_id": f"req_{uuid.uuid4().hex[:16]}", "timestamp": timestamp(now())}
