"""The simulator behind a proxy that changes some of its answers, each in one way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prefect_staticadslab.simulator import SimulatorServer


@dataclass
class Answer:
    """A question, and the answer to it that a deviation may change."""

    method: str
    path: str
    query: dict[str, str]
    has_key: bool
    wants_stream: bool
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    text: bytes = b""

    @property
    def ids(self) -> list[str]:
        return self.query["ids"].split(",") if "ids" in self.query else []

    def refuse(self, status: int, code: str, **error: Any) -> None:
        """Says no instead."""
        meta = self.body["meta"]
        self.status = status
        self.body = {"error": {"code": code, "message": "No.", **error}, "meta": meta}

    def accept(self, data: Any, status: int = 200, **more: Any) -> None:
        """Says yes instead."""
        self.status = status
        self.body = {"data": data, "meta": self.body["meta"], **more}


@dataclass(frozen=True)
class Deviation:
    """A way in which an API may be another one.

    Attributes:
        finds: The assumption that does not hold then.
        change: What it does to an answer.
        where: Of which answers.
    """

    finds: str
    where: Callable[[Answer], object]
    change: Callable[[Answer], object]


class Deviating:
    """Puts deviations between an application and its clients."""

    def __init__(self, app: ASGIApp, deviations: Sequence[Deviation]) -> None:
        self._app = app
        self._deviations = deviations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _asked(scope)
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        if not answer.path.startswith(("/v1/", "/openapi.json")):
            await self._app(scope, receive, send)
            return
        applied = [d for d in self._deviations if answer.wants_stream and d.where(answer)]
        if answer.wants_stream and not applied:
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, collect)
        start, *rest = messages
        answer.status = start["status"]
        answer.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        answer.text = b"".join(message.get("body", b"") for message in rest)
        if "json" in answer.headers.get("content-type", ""):
            answer.body = json.loads(answer.text)
        for deviation in self._deviations:
            if deviation.where(answer):
                deviation.change(answer)
        await _send(answer, send)


def _asked(scope: Scope) -> Answer:
    headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode())
    return Answer(
        scope["method"],
        unquote(scope["path"]),
        {name: values[-1] for name, values in query.items()},
        "x-api-key" in headers,
        "text/event-stream" in headers.get("accept", ""),
    )


async def _send(answer: Answer, send: Send) -> None:
    content = answer.text if answer.body is None else json.dumps(answer.body).encode()
    headers = {**answer.headers, "content-length": str(len(content))}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": content})


@contextmanager
def deviating(*deviations: Deviation, **settings: Any) -> Iterator[SimulatorServer]:
    """A simulator whose answers deviate in these ways."""
    server = SimulatorServer(rate_limit=10_000, earlier_ads=True, **settings)
    config = server._server.config
    config.app = Deviating(config.app, deviations)  # type: ignore[arg-type]
    with server:
        yield server
