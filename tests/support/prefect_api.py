"""Prefect's API as tests ask it: its server's SQLite may be busy with what came before."""

from __future__ import annotations

import time
from typing import Any

import httpx


def ask_prefect(url: str, method: str, path: str, body: object = None) -> Any:
    """The JSON of an answer of success; None if it has none. A busy server is asked again.

    Args:
        url: Where the API is, as PREFECT_API_URL says it.
        method, path: What to ask, below that.
        body: What to send as JSON.
    """
    with httpx.Client(base_url=url, timeout=30) as api:
        answer = api.request(method, path, json=body)
        while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            time.sleep(0.5)
            answer = api.request(method, path, json=body)
    assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None
