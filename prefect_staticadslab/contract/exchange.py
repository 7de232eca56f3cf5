"""Asking the API: each question once, within the key's rate limit, and recording every answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx
import httpx_sse

from prefect_staticadslab import __version__, bounds
from prefect_staticadslab.api.connection import ACCEPT_ENCODING, hash_api_key, loopback_mounts
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.rate_limit import (
    RateLimiter,
    RateLimitHeaders,
    shared_limiter,
)
from prefect_staticadslab.api.responses.body import APIResponse, body_pieces, read_body
from prefect_staticadslab.api.responses.json_text import load_json
from prefect_staticadslab.api.responses.redactor import Redactor
from prefect_staticadslab.contract.reply import Reply

MOST_REFUSALS: Final = 5
"""How often a question is asked again after a 429. Within the limit there should be none."""

MOST_SILENCES: Final = 3
"""Questions without an answer, one after the other, after which nothing more is asked."""

ONE_QUESTION_EACH: Final = httpx.Limits(max_keepalive_connections=0)
"""Connections are not used again: one that the other side has just closed would look like silence,
and nothing is asked twice here."""

LAST_EVENTS: Final = frozenset(("complete", "error"))
"""Events after which a stream has nothing more to say."""


class NoAnswerError(Exception):
    """A question had no answer. The message says why, and holds no key.

    Attributes:
        was_silent: Whether there was a connection, and nothing came on it.
        was_asked: Whether the question may have come to the API.
    """

    def __init__(self, message: str, *, was_silent: bool = False, was_asked: bool = True) -> None:
        super().__init__(message)
        self.was_silent = was_silent
        self.was_asked = was_asked


@dataclass(frozen=True)
class Event:
    """An event of a stream.

    Attributes:
        name: What it is called.
        data: Its JSON; None if it has none.
        silence: Seconds since the one before it.
    """

    name: str
    data: Any = None
    silence: float = 0.0


@dataclass(frozen=True)
class Stream:
    """What came of asking for a stream.

    Attributes:
        reply: The answer that it is, or the one that came instead.
        events: Its events.
        ending: How it ended, for people.
    """

    reply: Reply
    events: tuple[Event, ...] = ()
    ending: str = ""


class Exchange:
    """Questions to an API, and its answers. Use it as an async context manager.

    Args:
        api_key: The key.
        base_url: Where the API is.
        limiter: The rate limiter, by default the one that this process has for the key.

    Attributes:
        replies: All answers so far.
        redactor: Blots the key out.

    Raises:
        NoAnswerError: A proxy or certificates that the environment names cannot be used.
    """

    def __init__(self, api_key: str, base_url: str, limiter: RateLimiter | None = None) -> None:
        self.base_url = base_url
        self.replies: list[Reply] = []
        self.redactor = Redactor(api_key)
        self._key = {"X-API-Key": api_key}
        self._limiter = limiter or shared_limiter(base_url, hash_api_key(api_key))
        self._silences = 0
        try:
            self._http = httpx.AsyncClient(
                base_url=base_url,
                headers={
                    "Accept": "application/json",
                    "Accept-Encoding": ACCEPT_ENCODING,
                    "User-Agent": f"prefect-staticadslab/{__version__} (contract)",
                },
                limits=ONE_QUESTION_EACH,
                mounts=loopback_mounts(httpx.URL(base_url).host),
            )
        except (ImportError, OSError, ValueError) as error:
            raise NoAnswerError(f"No HTTP client can be set up here: {error}") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        idempotency_key: str = "",
        with_key: bool = True,
        read_seconds: float = bounds.READ_SECONDS,
    ) -> Reply:
        """Asks once, and again only after a 429, which is no answer. Each answer joins `replies`.

        Args:
            method, path: What to ask.
            json: The body; none if it is None.
            idempotency_key: The idempotency key, if it has one.
            with_key: Whether to say whose question it is.
            read_seconds: How long the answer may be silent.

        Raises:
            NoAnswerError: There was none, or none that can be read.
        """
        headers = self._key if with_key else {}
        if idempotency_key:
            headers = {**headers, "Idempotency-Key": idempotency_key}
        async with self._counting_silences(f"{method} {path.partition('?')[0]}"):
            request = self._http.build_request(
                method, path, headers=headers, json=json, timeout=_timeout(read_seconds)
            )
            for _ in range(1 + MOST_REFUSALS):
                async with self._send(request) as answer:
                    reply = self._record_reply(path, answer, await _read_body_in_time(answer))
                if reply.status != httpx.codes.TOO_MANY_REQUESTS:
                    break
        return reply

    async def stream(self, path: str, seconds: float) -> Stream:
        """Asks for a stream, and reads it until its last event, its end, or the time is up.

        The answer joins `replies`.

        Raises:
            NoAnswerError: There was no answer.
        """
        headers = {**self._key, "Accept": "text/event-stream", "Cache-Control": "no-store"}
        events: list[Event] = []
        async with self._counting_silences(f"GET {path} as a stream"):
            request = self._http.build_request(
                "GET", path, headers=headers, timeout=_timeout(seconds)
            )
            async with self._send(request) as answer:
                kind = answer.headers.get("content-type", "")
                if not answer.is_success or "text/event-stream" not in kind:
                    return Stream(
                        self._record_reply(path, answer, await _read_body_in_time(answer))
                    )
                reply = self._record_reply(path, answer, b"")
                try:
                    async with asyncio.timeout(seconds):
                        ending = await self._read_events(answer, events)
                except (TimeoutError, httpx.TimeoutException):
                    ending = f"still open after {seconds:g} s"
                except (httpx.HTTPError, StaticAdsLabError) as error:
                    ending = f"broken off ({type(error).__name__})"
        return Stream(reply, tuple(events), ending)

    async def _read_events(self, answer: httpx.Response, events: list[Event]) -> str:
        """Adds a stream's events to `events` as they come. Returns how it ended, for people."""
        since = time.monotonic()
        bounded = httpx.Response(
            answer.status_code,
            headers={"Content-Type": "text/event-stream"},
            content=body_pieces(answer, bounds.STREAM_BYTES),
        )
        async with aclosing(httpx_sse.EventSource(bounded).aiter_sse()) as parts:
            async for part in parts:
                now = time.monotonic()
                events.append(Event(part.event, self._load_json(part.data), now - since))
                since = now
                if part.event in LAST_EVENTS:
                    return f"ended with {part.event}"
        return "closed without an end"

    @asynccontextmanager
    async def _send(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """Sends a request once the rate limit allows. Gives the answer, its body unread."""
        async with self._limiter.turn() as turn:
            # What is not the key's is not counted against it.
            turn.not_sent = "x-api-key" not in request.headers
            async with asyncio.timeout(bounds.REQUEST_SECONDS):
                answer = await self._http.send(request, stream=True)
            turn.note_answer(
                RateLimitHeaders.parse(answer.headers),
                refused=answer.status_code == httpx.codes.TOO_MANY_REQUESTS,
            )
        try:
            yield answer
        finally:
            await answer.aclose()

    @asynccontextmanager
    async def _counting_silences(self, question: str) -> AsyncIterator[None]:
        """Counts questions without an answer, and raises NoAnswerError for each.

        After MOST_SILENCES of them one after the other it raises without asking.
        """
        if self._silences >= MOST_SILENCES:
            raise NoAnswerError("not asked, since the API no longer answered", was_asked=False)
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL, StaticAdsLabError, TimeoutError) as error:
            self._silences += 1
            reason = self.redactor.redact(str(error))[: bounds.HEADER_LENGTH]
            told = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
            raise NoAnswerError(
                f"{question} had no answer ({told})",
                was_silent=isinstance(error, httpx.ReadTimeout | TimeoutError),
                was_asked=not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout),
            ) from None
        self._silences = 0

    def _record_reply(self, path: str, answer: httpx.Response, content: bytes) -> Reply:
        """Adds an answer to `replies`, with the key blotted out, and returns it."""
        response = APIResponse.parse(answer, content, self.redactor)
        request = answer.request
        reply = Reply(
            request.method,
            path,
            answer.status_code,
            {name.lower(): response.header(name) for name in answer.headers},
            response.body,
            has_key="x-api-key" in request.headers,
        )
        self.replies.append(reply)
        return reply

    def _load_json(self, data: str) -> Any:
        """The JSON of an event, with the key blotted out; None if it is no JSON."""
        try:
            return load_json(self.redactor.redact_json(data))
        except ValueError:
            return None


def _timeout(read_seconds: float) -> httpx.Timeout:
    return httpx.Timeout(read_seconds, connect=bounds.CONNECT_SECONDS)


async def _read_body_in_time(answer: httpx.Response) -> bytes:
    """An answer's body. Raises `TimeoutError` if it takes longer than `REQUEST_SECONDS`."""
    async with asyncio.timeout(bounds.REQUEST_SECONDS):
        return await read_body(answer)
