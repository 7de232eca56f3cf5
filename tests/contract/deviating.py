"""The simulator behind a proxy that changes some of its answers, each in one way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prefect_staticadslab.simulator import SimulatorServer
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

SLOW, QUICK = 0.001, 100.0
HOURS = 100_000.0
"""Speeds of the simulator; and seconds after which every ad of a slow one is finished."""


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


@dataclass
class Renderer:
    """Ends an ad once it was polled and streamed, however long the machine takes to come to that.

    Args:
        api: Whose ads. They take hours by themselves, and streams tell what is new at once.
    """

    api: SimulatedAPI
    polled: bool = False
    streamed: bool = False

    def created(self) -> None:
        """An ad was created. From now on, the API is quick."""
        self.api.settings = replace(self.api.settings, speed=QUICK)
        self.polled = self.streamed = False

    def saw(self, *, polled: bool = False, streamed: bool = False) -> None:
        """An ad was seen while it was rendered."""
        was_seen = self.polled and self.streamed
        self.polled, self.streamed = self.polled or polled, self.streamed or streamed
        if self.polled and self.streamed and not was_seen:
            self.api.age(HOURS)


class Deviating:
    """Puts deviations between an application and its clients."""

    def __init__(
        self, app: ASGIApp, deviations: Sequence[Deviation], renderer: Renderer | None
    ) -> None:
        self._app = app
        self._deviations = deviations
        self._renderer = renderer

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
            await self._app(scope, receive, self._watched(send))
            return
        await self._app(scope, receive, self._watched(collect))
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
        if self._renderer is not None:
            self._note(answer, self._renderer)

    def _note(self, answer: Answer, renderer: Renderer) -> None:
        if (answer.method, answer.path, answer.status) == ("POST", "/v1/image-ads", 202):
            renderer.created()
        elif answer.method == "GET" and answer.path.rpartition("/")[0] == "/v1/image-ads":
            renderer.saw(polled=answer.status == 200 and not answer.wants_stream)

    def _watched(self, send: Send) -> Send:
        async def watch(message: Message) -> None:
            await send(message)
            if self._renderer is not None and b"event: progress" in message.get("body", b""):
                self._renderer.saw(streamed=True)

        return watch


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
    server = SimulatorServer(rate_limit=10_000, **{"earlier_ads": True, **settings})
    config = server._server.config
    renderer = Renderer(server.api) if settings.get("speed") == SLOW else None
    config.app = Deviating(config.app, deviations, renderer)  # type: ignore[arg-type]
    with server:
        yield server
