"""Ids: a prefix that says of what, and 16 hexadecimal digits."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Final, TypeVar

from prefect_staticadslab.simulator.model.errors import APIError

V = TypeVar("V")

PREFIXES: Final = {
    "brand": "brand",
    "product": "prod",
    "product variant": "pv",
    "audience": "aud",
    "image": "img",
    "design template": "dt",
    "image ad": "ia",
    "image ad version": "iav",
}
"""By what people call it."""

DIGITS: Final = 16


def new_id(prefix: str) -> str:
    """An id that nobody can guess."""
    return f"{prefix}_{secrets.token_hex(DIGITS // 2)}"


def make_id(prefix: str, *names: str) -> str:
    """The id that always stands for these names, such as `brand_5f0c2a9e31b7d604`."""
    return f"{prefix}_{hashlib.sha256('/'.join(names).encode()).hexdigest()[:DIGITS]}"


def check_kind(identifier: str, noun: str, field: str = "id") -> None:
    """Raises a 422 for an id of something else than the noun says."""
    prefix = f"{PREFIXES[noun]}_"
    if not identifier.startswith(prefix):
        message = f"is no {noun}'s id: those begin with {prefix}"
        raise APIError(
            422,
            "VALIDATION_ERROR",
            f"{identifier[:60]!r} {message}.",
            details=[{"field": field, "message": message}],
        )


def find(resources: Mapping[str, V], identifier: str, noun: str) -> V:
    """The resource of an id.

    Raises:
        APIError: 404 if there is none, 422 if it is the id of something else.
    """
    check_kind(identifier, noun)
    try:
        return resources[identifier]
    except KeyError:
        raise APIError(404, "NOT_FOUND", f"There is no {noun} {identifier}.") from None
