"""JSON in a spreadsheet's cell: read so that the result can be sent and written again."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any, Final

from prefect_staticadslab.api.models import JsonTree
from prefect_staticadslab.campaign.files.cells import shortened

MOST_LEVELS: Final = 100
"""How deep a cell's JSON may be nested: deeper than any tree, and not too deep for any encoder."""


class JsonCellError(ValueError):
    """A cell's text is no JSON that can be sent. The message says why, without a full stop."""


def read_json(text: str) -> Any:
    """The value of a cell's JSON.

    Raises:
        JsonCellError: It is no JSON, or holds what cannot be sent: a number that is infinite or
            not a number, half of a character, more than `MOST_LEVELS` levels.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.json_cells import read_json

        assert read_json('{"tone": "dry"}') == {"tone": "dry"}
        ```
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite_float)
    except RecursionError:
        raise JsonCellError(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        if quote := _typographic_quote(text, error.pos):
            raise JsonCellError(
                f"is no JSON: it has the typographic quote {quote}, and JSON takes straight ones. "
                f"Replace them by {_STRAIGHT}"
            ) from None
        raise JsonCellError(f"is no JSON: {error}") from None
    except JsonCellError:
        raise
    except ValueError:  # Python's own limit
        raise JsonCellError("is no JSON: a whole number in it has too many digits") from None
    if is_nested_deeper(value, MOST_LEVELS):
        raise JsonCellError(_TOO_DEEP)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])[1:-1]
        raise JsonCellError(f"is no JSON: it holds half of a character, {half}") from None
    return value


_STRAIGHT: Final = '"'
_TYPOGRAPHIC: Final = re.compile("[“”„‟«»‘’‚‹›＂]")


def _typographic_quote(text: str, position: int) -> str:
    """The typographic quote because of which a text is no JSON; "" if something else is wrong.

    Args:
        text: What could not be read.
        position: Where reading failed.
    """
    if _TYPOGRAPHIC.match(text, position):
        return text[position]
    try:
        json.loads(_TYPOGRAPHIC.sub(_STRAIGHT, text))
    except (ValueError, RecursionError):
        return ""
    found = _TYPOGRAPHIC.search(text)
    return found[0] if found else ""


_TOO_DEEP: Final = f"is no JSON that can be sent: it is nested more than {MOST_LEVELS} levels deep"


def _refuse_constant(name: str) -> Any:
    """Raises `JsonCellError`: Python reads `NaN` and `Infinity`, which are no JSON."""
    raise JsonCellError(f"is no JSON: it holds {name}, which is no number there")


def _finite_float(text: str) -> float:
    """The number that a text is; raises `JsonCellError` if it is too large to be finite."""
    number = float(text)
    if math.isinf(number):
        raise JsonCellError(f"is no JSON that can be sent: {shortened(text)} is too large a number")
    return number


def is_nested_deeper(value: Any, levels: int) -> bool:
    """Whether objects and lists are nested in more than so many levels; `[1]` is one level."""
    level, values = 0, [value]
    while values and level <= levels:
        containers = [each for each in values if isinstance(each, dict | list)]
        level += bool(containers)
        values = [
            child
            for each in containers
            for child in (each.values() if isinstance(each, dict) else each)
        ]
    return level > levels


def tree_fingerprint(tree: JsonTree) -> str:
    """16 hexadecimal digits of a hash of a tree. 48.0 counts as 48, as servers may write either."""
    text = json.dumps(_with_whole_numbers(tree), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _with_whole_numbers(value: Any) -> Any:
    """A copy of a JSON value in which whole numbers are `int`, also those written like 48.0."""
    if isinstance(value, dict):
        return {name: _with_whole_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
