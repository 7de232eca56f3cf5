"""Idempotency keys, derived and not drawn: whoever asks for the same attempt sends the same key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Final

ID_DIGITS: Final = 16
"""How many hexadecimal digits stand for a campaign, a row or a request."""


def campaign_id(name: str) -> str:
    """What stands for a campaign's name in keys and tables: 16 hexadecimal digits.

    Example:
        ```python
        from prefect_staticadslab.campaign.table.idempotency import campaign_id

        assert campaign_id("file:///ads/summer.csv") == "574dba472459f7f1"
        ```
    """
    return digest(name)[:ID_DIGITS]


def idempotency_key(campaign: str, identity: str, attempt: int) -> str:
    """The key of a create: the same for the same campaign, row and attempt, whoever sends it.

    Example:
        ```python
        from prefect_staticadslab.campaign.table.idempotency import idempotency_key

        first = idempotency_key("file:///results.csv", "a row", 1)
        assert first == idempotency_key("file:///results.csv", "a row", 1)
        assert first != idempotency_key("file:///results.csv", "a row", 2)
        ```
    """
    return digest(campaign, identity, str(attempt))


def request_hash(content: str) -> str:
    """What stands for what a row asks for: an r and 16 hexadecimal digits.

    A spreadsheet program would take some of those digits for a number, and none with the letter.

    Args:
        content: All of it as one text; see `JobType.content`.

    Example:
        ```python
        from prefect_staticadslab.campaign.table.idempotency import request_hash

        assert request_hash('{"brand_id": "brand_1"}') == "rc3994149cddc3b3f"
        ```
    """
    return f"r{digest('request', content)[:ID_DIGITS]}"


_PATTERNS: Final[Mapping[str, str]] = {
    "idempotency_key": "[0-9a-f]{64}",
    "api_key_hash": "[0-9a-f]{16}",
    "request_hash": "r[0-9a-f]{16}",
}
"""What the program writes into each of `job_state.KEY_COLUMNS`."""


def if_key(column: str, text: str) -> str | None:
    """A text such as the program writes into that one of `job_state.KEY_COLUMNS`; None for any
    other text."""
    return text if re.fullmatch(_PATTERNS[column], text) else None


def digest(*parts: str) -> str:
    """The SHA-256 of these texts in this order, in hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
