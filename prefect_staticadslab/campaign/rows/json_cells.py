"""JSON in a spreadsheet's cell: read so that whatever comes out can be sent and written again."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any, Final

from prefect_staticadslab.api.models import JsonTree
from prefect_staticadslab.campaign.files.cells import shortened

MOST_LEVELS: Final = 100
"""How deep a cell's JSON may be nested: more than any tree, and less than any encoder minds."""


class JsonCellError(ValueError):
    """A cell's text is no JSON that can be sent. The message says why, without a full stop."""


def read_json(text: str) -> Any:
    """What a cell's JSON says.

    Raises:
        JsonCellError: It is none, or holds what JSON has no form for: a number that is infinite or
            none, half of a character, more than 100 levels.

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
    if is_deeper(value, MOST_LEVELS):
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
    """The quote that a program made of a straight one, if that is what is wrong; else ""."""
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
    raise JsonCellError(f"is no JSON: it holds {name}, which is no number there")


def _finite_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise JsonCellError(f"is no JSON that can be sent: {shortened(text)} is too large a number")
    return number


def is_deeper(value: Any, levels: int) -> bool:
    """Whether objects and lists are nested within each other more than so many times."""
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
    text = json.dumps(_comparable(tree), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _comparable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_comparable(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
