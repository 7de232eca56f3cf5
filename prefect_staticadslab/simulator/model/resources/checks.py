"""What is sent, held against its model; and what is told of what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from prefect_staticadslab.simulator.model.errors import APIError, not_valid

M = TypeVar("M", bound=BaseModel)

WRONG_KIND: Final = "string_pattern_mismatch"
"""What pydantic calls an id that begins with another prefix."""

_WORDS: Final = {
    "missing": "is required",
    "extra_forbidden": "is no field of this",
    "model_type": "must be a JSON object",
}


def check(model: type[M], sent: object) -> M:
    """Holds what was sent against its model, and returns it as that.

    Raises:
        APIError: 400 for what is missing, unknown or of another type; 422 if all that is wrong are
            ids of something else.
    """
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        raise _refused(error) from None


def _refused(error: ValidationError) -> APIError:
    """The 400 or 422 that tells of each field what is wrong with it."""
    mistakes = error.errors(include_url=False, include_input=False)
    details: dict[str, str] = {}
    for mistake in mistakes:
        details.setdefault(_field_path(mistake["loc"]), _message(mistake))
    refusal = not_valid(*sorted(details.items()))
    if all(_is_wrong_kind(mistake) for mistake in mistakes):
        refusal.status = 422
    return refusal


def _field_path(place: tuple[int | str, ...]) -> str:
    """The place of a mistake, without pydantic's names for the members of a union."""
    parts = [str(part) for part in place if isinstance(part, int) or part.isidentifier()]
    return ".".join(parts) or "body"


def _is_wrong_kind(mistake: Mapping[str, Any]) -> bool:
    """Whether it is an id with the prefix of something else."""
    return mistake["type"] == WRONG_KIND and str(mistake["ctx"]["pattern"]).endswith("_")


def _message(mistake: Mapping[str, Any]) -> str:
    """What is wrong with a field, as what follows the field's name."""
    if _is_wrong_kind(mistake):
        return f"is an id of something else: those begin with {mistake['ctx']['pattern'][1:]}"
    if mistake["type"] == WRONG_KIND:
        return "must not be empty"
    text: str = mistake["msg"]
    return _WORDS.get(mistake["type"]) or text[:1].lower() + text[1:]
