"""From an answer to the resources that it carries."""

from __future__ import annotations

import logging
from typing import Final, TypeVar

import pydantic

from prefect_staticadslab.api.errors import UnreadableAnswerError
from prefect_staticadslab.api.models import Resource
from prefect_staticadslab.api.responses.answer import Answer

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Resource)

_INVALID_ITEMS_LOGGED: Final = 3


def parse(kind: type[R], answer: Answer) -> R:
    """The resource that an answer carries.

    Raises:
        UnreadableAnswerError: What it carries is none of this kind.
    """
    try:
        return kind.model_validate(answer.data)
    except pydantic.ValidationError as error:
        raise _invalid_resource_error(kind, answer, error) from None


def parse_list(kind: type[R], answer: Answer, *, strict: bool = False) -> list[R]:
    """The items of a list that make sense, in the list's order; those that do not are logged.

    Args:
        kind: What they should be.
        answer: The answer with the list.
        strict: Whether an item that makes no sense is an error, because one that is left out would
            count as not there.

    Raises:
        UnreadableAnswerError: There is no list; or see `strict`.
    """
    if not isinstance(answer.data, list):
        raise UnreadableAnswerError(
            f"The API's list of {kind.__name__} is none", status=answer.status
        )
    items: list[R] = []
    invalid = 0
    for item in answer.data:
        try:
            items.append(kind.model_validate(item))
        except pydantic.ValidationError as error:
            if strict:
                raise _invalid_resource_error(kind, answer, error) from None
            invalid += 1
            if invalid <= _INVALID_ITEMS_LOGGED:
                logger.warning("%s", _invalid_resource_error(kind, answer, error))
    if invalid > _INVALID_ITEMS_LOGGED:
        logger.warning("So it is with %d items of this list", invalid)
    return items


def _invalid_resource_error(
    kind: type[Resource], answer: Answer, error: pydantic.ValidationError
) -> UnreadableAnswerError:
    """The error for a resource that pydantic refused; its message names the fields."""
    fields = ", ".join(sorted({".".join(map(str, e["loc"])) or "data" for e in error.errors()}))
    request = f", request {answer.request_id}" if answer.request_id else ""
    return UnreadableAnswerError(
        f"The API's {kind.__name__} makes no sense to us: {fields} ({answer.status}{request})",
        status=answer.status,
        request_id=answer.request_id,
    )
