"""Idempotency keys, derived and not drawn: whoever asks for the same attempt sends the same key."""

from __future__ import annotations

import hashlib
import json
from typing import Final

ID_DIGITS: Final = 16
"""Hexadecimal digits of what stands for a campaign or a row."""


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


def digest(*parts: str) -> str:
    """64 hexadecimal digits that stand for these texts in this order."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
