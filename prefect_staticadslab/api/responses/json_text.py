"""JSON of strangers: what it says, if it is no deeper than we can go."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from prefect_staticadslab import bounds

_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{}[]"))
_JSON_STRING: Final = re.compile(rb'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
"""It matches at each quote, even where no other one follows, so that nothing is searched twice."""


def load_json(text: str) -> Any:
    """What a JSON text says, as `json.loads` has it.

    Raises:
        ValueError: It is no JSON, or nested deeper than `JSON_DEPTH`, or has too long a number.

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
    """Whether brackets in a JSON text are nested deeper than `JSON_DEPTH`, or do not match."""
    if _unpeeled_brackets(text):
        # Brackets within strings are no layers; they are rare, and the search for them is slow.
        return bool(_unpeeled_brackets(_JSON_STRING.sub(b"", text)))
    return False


def _unpeeled_brackets(text: bytes) -> bytes:
    """What is left of a text's brackets once the innermost pairs were taken away, at most
    `JSON_DEPTH` times; empty if they match and are nested no deeper."""
    brackets = text.translate(_BRACKETS, _NO_BRACKETS)
    for left in range(bounds.JSON_DEPTH, 0, -1):
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets) or b"[" * left in shorter:
            break
        brackets = shorter
    return brackets
