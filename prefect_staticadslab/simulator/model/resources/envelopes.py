"""What is around all answers: the envelope, and errors."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field

from prefect_staticadslab.simulator.model.resources.base import Answer, Moment

T = TypeVar("T", bound=Answer)


class Meta(Answer):
    """Of which request this is the answer, and when it was given."""

    request_id: Annotated[str, Field(pattern="^req_[0-9a-f]{16}$")]
    timestamp: Moment


class _Named(Answer):
    """An envelope that is called after what is in it."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        return f"{params[0].__name__}{cls.__name__}"


class Envelope(_Named, Generic[T]):
    """One resource."""

    data: T
    meta: Meta


class Page(_Named, Generic[T]):
    """Some resources of a list, and whether more follow."""

    data: list[T]
    has_more: bool
    meta: Meta


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
