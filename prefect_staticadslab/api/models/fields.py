"""What the fields of all models are made of: they ignore what they do not know, and need little.

The API may add fields at any time, and leave out or change what is only nice to know.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

T = TypeVar("T")


def _as_text(value: object) -> object:
    """Any value as text, before it is validated; empty for null."""
    return "" if value is None else str(value)


def in_utc(moment: datetime) -> datetime:
    """The same time with a time zone: UTC if it has none, else its own, which is not converted."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _valid_or_none(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    """What a field's own validation makes of a value; None if that refuses it."""
    try:
        return validate(value)
    except ValidationError:
        return None


Text = Annotated[str, BeforeValidator(_as_text)]
"""Text for people: a null or a number in its place is no reason to fail."""

Maybe: TypeAlias = Annotated[T | None, WrapValidator(_valid_or_none)]
"""A field that we can do without: a value that makes no sense counts as none.

An ad that was paid for must not be lost because its `width` is suddenly a text.
"""


class Resource(BaseModel):
    """What all answers have in common: unknown fields are ignored, and nothing can be changed."""

    model_config = ConfigDict(extra="ignore", frozen=True)


Pixels = Annotated[int, Field(ge=1, le=1_000_000)]
Url = Annotated[str, Field(max_length=8_000)]
Identifier = Annotated[str, Field(min_length=1, max_length=200)]
"""Longer, or larger, is a server that has lost its mind; and a table must be able to hold it."""

Moment = Annotated[datetime, AfterValidator(in_utc)]

JsonTree: TypeAlias = dict[str, Any]
"""A tree of nodes, as templates and editable ads hold one; its root is a `FRAME`."""
