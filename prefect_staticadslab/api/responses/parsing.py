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

_ODD_ITEMS_LOGGED: Final = 3


def parse(kind: type[R], answer: Answer) -> R:
    """The resource that an answer carries.

    Raises:
        UnreadableAnswerError: It is none.
    """
    try:
        return kind.model_validate(answer.data)
    except pydantic.ValidationError as error:
        raise _misshapen(kind, answer, error) from None


def parse_list(kind: type[R], answer: Answer, *, strict: bool = False) -> list[R]:
    """The items that make sense; one that does not must not hide the others.

    Args:
        kind: What they should be.
        answer: The answer with the list.
        strict: Whether such an item is an error all the same, because what is left out would count
            as not there.

    Raises:
        UnreadableAnswerError: There is no list; or see `strict`.
    """
    if not isinstance(answer.data, list):
        raise UnreadableAnswerError(
            f"The API's list of {kind.__name__} is none", status=answer.status
        )
    items: list[R] = []
    odd = 0
    for item in answer.data:
        try:
            items.append(kind.model_validate(item))
        except pydantic.ValidationError as error:
            if strict:
                raise _misshapen(kind, answer, error) from None
            odd += 1
            if odd <= _ODD_ITEMS_LOGGED:
                logger.warning("%s", _misshapen(kind, answer, error))
    if odd > _ODD_ITEMS_LOGGED:
        logger.warning("So it is with %d items of this list", odd)
    return items


def _misshapen(
    kind: type[Resource], answer: Answer, error: pydantic.ValidationError
) -> UnreadableAnswerError:
    fields = ", ".join(sorted({".".join(map(str, e["loc"])) or "data" for e in error.errors()}))
    request = f", request {answer.request_id}" if answer.request_id else ""
    return UnreadableAnswerError(
        f"The API's {kind.__name__} makes no sense to us: {fields} ({answer.status}{request})",
        status=answer.status,
        request_id=answer.request_id,
    )
