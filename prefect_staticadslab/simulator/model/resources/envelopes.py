"""What is around all answers: the envelope, and errors."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal

from pydantic import Field, create_model

from prefect_staticadslab.simulator.model.resources.base import Answer, Moment


class Meta(Answer):
    """Of which request this is the answer, and when it was given."""

    request_id: Annotated[str, Field(pattern="^req_[0-9a-f]{16}$")]
    timestamp: Moment


class Deleted(Answer):
    """What answers a deletion, without an envelope."""

    deleted: Literal[True]


class ErrorDetail(Answer):
    """What is wrong with one field."""

    field: str
    message: str


class ErrorBody(Answer):
    """What was refused, and why."""

    code: str
    message: str
    details: list[ErrorDetail] | None = None
    top_up_url: str | None = None


class ErrorAnswer(Answer):
    """What is answered instead of data."""

    error: ErrorBody
    meta: Meta


@cache
def envelope_of(resource: type[Answer]) -> type[Answer]:
    """The model of an answer with one resource."""
    name = f"{resource.__name__}Envelope"
    return create_model(name, __base__=Answer, data=(resource, ...), meta=(Meta, ...))


@cache
def page_of(resource: type[Answer]) -> type[Answer]:
    """The model of an answer with some resources of a list, and whether more follow."""
    return create_model(
        f"{resource.__name__}Page",
        __base__=Answer,
        data=(list[resource], ...),  # type: ignore[valid-type]
        has_more=(bool, ...),
        meta=(Meta, ...),
    )
