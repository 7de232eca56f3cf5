"""Prefect's API as tests ask it: its server's SQLite may be busy with what came before."""

from __future__ import annotations

import functools
import time
from typing import Any

import httpx


@functools.cache
def prefect_client(url: str) -> httpx.Client:
    """The client for an API: making one takes more than most questions."""
    # A kept connection may be closed by the server just when it is used again.
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(base_url=url, timeout=30, limits=limits)


def ask_prefect(url: str, method: str, path: str, body: object = None) -> Any:
    """The JSON of an answer of success; None if it has none. A busy server is asked again.

    Args:
        url: Where the API is, as PREFECT_API_URL says it.
        method, path: What to ask, below that.
        body: What to send as JSON.
    """
    api = prefect_client(url)
    answer = api.request(method, path, json=body)
    while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        time.sleep(0.5)
        answer = api.request(method, path, json=body)
    assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None
