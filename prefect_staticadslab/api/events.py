"""What a stream of `GET /v1/image-ads/{id}` says, as types. Text in, events out; no network.

The stream's events are named `started`, `progress`, `complete`, `error` and `heartbeat`; each
carries JSON or nothing (the vendor's guide to async jobs).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import httpx
import httpx_sse

from prefect_staticadslab import bounds
from prefect_staticadslab.api.errors import OversizedAnswerError
from prefect_staticadslab.api.responses.json_text import load_json

HEARTBEAT_SECONDS: Final = 15.0
"""How often the API says that a stream is alive."""


@dataclass(frozen=True)
class Started:
    """The stream is connected, and the job is queued.

    Attributes:
        image_ad_id: The ad; empty if the event does not name it.
    """

    image_ad_id: str


@dataclass(frozen=True)
class Progress:
    """The pipeline went a step further.

    Attributes:
        step: The API's name of the step, such as `copy`.
        message: What happens in it, for people.
        percentage: How far the job is, from 0 to 1; None if the API does not say.
    """

    step: str
    message: str
    percentage: float | None


@dataclass(frozen=True)
class Complete:
    """The job is done. The picture's URL is not in the stream: read the ad.

    Attributes:
        image_ad_id: The ad; empty if the event does not name it.
    """

    image_ad_id: str


@dataclass(frozen=True)
class Failed:
    """The job failed.

    Attributes:
        code: The API's code, such as `PIPELINE_ERROR`; empty if it names none.
        message: Why, for people.
    """

    code: str
    message: str


@dataclass(frozen=True)
class Heartbeat:
    """The connection is alive, and there is no news."""


ImageAdEvent: TypeAlias = Started | Progress | Complete | Failed | Heartbeat


async def read_events(
    pieces: AsyncIterator[bytes], redact: Callable[[str], str]
) -> AsyncGenerator[ImageAdEvent, None]:
    """Reads the events of a stream as they come in, and leaves out those that we do not know.

    Args:
        pieces: The stream's bytes.
        redact: Takes out of an event's data what must not be shown.

    Raises:
        OversizedAnswerError: What should be one event has more than `EVENT_BYTES`.
    """
    unread = 0

    async def bounded_pieces() -> AsyncIterator[bytes]:
        """The stream's bytes; raises once `unread`, those since the last event, are too many."""
        nonlocal unread
        async for piece in pieces:
            unread += len(piece)
            if unread > bounds.EVENT_BYTES:
                raise OversizedAnswerError(
                    f"An event of the stream has more than {bounds.EVENT_BYTES:,} bytes",
                    status=httpx.codes.OK,
                )
            yield piece

    stream = httpx.Response(
        httpx.codes.OK, headers={"Content-Type": "text/event-stream"}, content=bounded_pieces()
    )
    async with aclosing(httpx_sse.EventSource(stream).aiter_sse()) as events:
        async for sse in events:
            unread = 0
            event = parse_event(sse.event, redact(sse.data))
            if event is not None:
                yield event


def parse_event(name: str, data: str) -> ImageAdEvent | None:
    """The typed event for an SSE event's name and data, or None for one that we do not know.

    Data that is missing or is no JSON object leaves the fields empty: the end of a job is told by
    the event's name, and that must not be lost for a garbled text.

    Example:
        ```python
        from prefect_staticadslab.api.events import Progress, parse_event

        data = '{"step": "copy", "message": "Writing", "percentage": 0.5}'
        assert parse_event("progress", data) == Progress("copy", "Writing", 0.5)
        ```
    """
    fields = _json_object(data)
    match name:
        case "started":
            return Started(_text(fields, "id"))
        case "progress":
            return Progress(
                _text(fields, "step"), _text(fields, "message"), _fraction(fields, "percentage")
            )
        case "complete":
            return Complete(_text(fields, "id"))
        case "error":
            return Failed(_text(fields, "code"), _text(fields, "message"))
        case "heartbeat":
            return Heartbeat()
        case _:
            return None


def _json_object(data: str) -> dict[str, Any]:
    """The JSON object that a text is; an empty one if it is none."""
    try:
        value = load_json(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _fraction(fields: dict[str, Any], name: str) -> float | None:
    """A field's number, brought to between 0 and 1; None if it is no number."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # First the bounds, since an integer may be too large for a float.
    return float(min(1, max(0, value)))


def _text(fields: dict[str, Any], name: str) -> str:
    """A field as text, cut to `TEXT_LENGTH`; empty if it is missing or null."""
    value = fields.get(name)
    return "" if value is None else str(value)[: bounds.TEXT_LENGTH]
