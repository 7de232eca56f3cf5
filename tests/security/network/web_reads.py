"""Reads from servers on this machine, and names that stand for other addresses each time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from prefect_staticadslab.api.web import WebFile, WebGate, read_web

LIMIT = 1_000_000


async def read(url: str, gate: WebGate, **options: Any) -> WebFile:
    """Reads from a server that lives in this thread's loop."""
    return await asyncio.to_thread(read_web, url, gate, **{"at_most": LIMIT, **options})


def looked_up(monkeypatch: pytest.MonkeyPatch, names: Mapping[str, list[list[str]]]) -> None:
    """Makes names stand for other addresses each time; the last of them stays."""
    left, real = {name: [*answers] for name, answers in names.items()}, socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in left:
            return real(host, port, *rest, **options)
        answers = left[name].pop(0) if len(left[name]) > 1 else left[name][0]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port or 0))
            for address in answers
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
