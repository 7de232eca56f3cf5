"""Blotting a key out of what comes back."""

from __future__ import annotations

import re
from typing import Final

REDACTED: Final = "sal_…"


class Redactor:
    """Blots out a key in what comes back, because that goes into logs and tables.

    Example:
        ```python
        from prefect_staticadslab.api.responses.redactor import Redactor

        redactor = Redactor("sal_live_x")
        assert redactor.text("sal_live_x may not") == "sal_… may not"
        assert redactor.json('["\\u0073al_live_x"]') == '["sal_…"]'
        ```
    """

    def __init__(self, key: str) -> None:
        self._key = key
        special = {character for character in key if character in '"\\/'}
        # Only a key that is spelled with escapes needs the slow search.
        escapes = [r"u00[2-7]", *map(re.escape, special)]
        self._escape = re.compile(rf"\\(?:{'|'.join(escapes)})")
        self._escaped = re.compile("".join(map(_spellings, key)))

    def text(self, text: str) -> str:
        """A text without the key."""
        return text.replace(self._key, REDACTED)

    def json(self, text: str) -> str:
        """JSON without the key, however it is spelled there."""
        text = self.text(text)
        return self._escaped.sub(REDACTED, text) if self._escape.search(text) else text


def _spellings(character: str) -> str:
    """A pattern of what stands for a character in a JSON string."""
    escaped = rf"|\\{re.escape(character)}" if character in '"\\/' else ""
    return rf"(?:{re.escape(character)}|(?i:\\u{ord(character):04x}){escaped})"
