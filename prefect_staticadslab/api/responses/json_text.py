"""JSON of strangers: what it says, if it is no deeper than we can go."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from prefect_staticadslab import bounds

_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{}[]"))
_JSON_STRING: Final = re.compile(rb'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
"""It always matches where it begins, even without an end, so that the search is never repeated."""


def load_json(text: str) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: It is none, or nested deeper than `JSON_DEPTH`, or has too long a number.

    Example:
        ```python
        from prefect_staticadslab.api.responses.json_text import load_json

        assert load_json('{"id": "ia_1"}') == {"id": "ia_1"}
        ```
    """
    brackets = text.count("[") + text.count("{")
    if brackets > bounds.JSON_DEPTH and _is_too_deep(text.encode(errors="replace")):
        raise ValueError(f"JSON that is nested more than {bounds.JSON_DEPTH} deep")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(str(error)) from None


def _is_too_deep(text: bytes) -> bool:
    """Takes the innermost pairs of brackets away, layer by layer, and sees what is left."""
    if _layers_left(text):
        # Brackets within strings are no layers; they are rare, and the search for them is slow.
        return bool(_layers_left(_JSON_STRING.sub(b"", text)))
    return False


def _layers_left(text: bytes) -> bytes:
    brackets = text.translate(_BRACKETS, _NO_BRACKETS)
    for left in range(bounds.JSON_DEPTH, 0, -1):
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets) or b"[" * left in shorter:
            break
        brackets = shorter
    return brackets
