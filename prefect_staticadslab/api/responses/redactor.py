"""Taking an API key out of what comes back."""

from __future__ import annotations

import re
from typing import Final

from prefect_staticadslab import bounds

REDACTED: Final = "sal_…"


class Redactor:
    """Puts `sal_…` for one API key in what comes back, because that goes into logs and tables.

    Args:
        key: The API key.

    Example:
        ```python
        from prefect_staticadslab.api.responses.redactor import Redactor

        redactor = Redactor("sal_live_x")
        assert redactor.redact("sal_live_x may not") == "sal_… may not"
        assert redactor.redact_json('["\\u0073al_live_x"]') == '["sal_…"]'
        ```
    """

    def __init__(self, key: str) -> None:
        self._key = key
        special = {character for character in key if character in '"\\/'}
        # Only a key that is spelled with escapes needs the slow search.
        escapes = [r"u00[2-7]", *map(re.escape, special)]
        self._escape = re.compile(rf"\\(?:{'|'.join(escapes)})")
        self._key_in_json = re.compile("".join(map(_json_spellings, key)))

    def redact(self, text: str) -> str:
        """A text without the key."""
        return text.replace(self._key, REDACTED)

    def redact_path(self, path: str) -> str:
        """A path for a message: without its query and the key, and cut to `HEADER_LENGTH`."""
        return self.redact(path.partition("?")[0])[: bounds.HEADER_LENGTH]

    def redact_json(self, text: str) -> str:
        """A JSON text without the key, also where that is spelled with escapes."""
        text = self.redact(text)
        return self._key_in_json.sub(REDACTED, text) if self._escape.search(text) else text


def _json_spellings(character: str) -> str:
    """A pattern for all that stands for a character in a JSON string: itself, and its escapes."""
    escaped = rf"|\\{re.escape(character)}" if character in '"\\/' else ""
    return rf"(?:{re.escape(character)}|(?i:\\u{ord(character):04x}){escaped})"
