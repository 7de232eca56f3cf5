"""The stream's events, from text; no network."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import httpx
import httpx_sse
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab.api.events import (
    Complete,
    Failed,
    Heartbeat,
    ImageAdEvent,
    Progress,
    Started,
    parse_event,
)


@pytest.mark.parametrize(
    ("name", "data", "event"),
    [
        ("started", '{"id": "ia_1"}', Started("ia_1")),
        (
            "progress",
            '{"step": "copy", "message": "Writing", "percentage": 0.5}',
            Progress("copy", "Writing", 0.5),
        ),
        ("progress", '{"step": "copy", "percentage": 7, "new": []}', Progress("copy", "", 1.0)),
        ("progress", '{"step": null, "percentage": "half"}', Progress("", "", None)),
        ("progress", "not json", Progress("", "", None)),
        ("complete", '{"id": "ia_1"}', Complete("ia_1")),
        ("complete", "", Complete("")),
        ("error", '{"code": "PIPELINE_ERROR", "message": "no"}', Failed("PIPELINE_ERROR", "no")),
        ("error", "[1, 2]", Failed("", "")),
        ("heartbeat", "", Heartbeat()),
        ("billing", "{}", None),
        ("message", '{"id": "ia_1"}', None),
    ],
)
def test_each_event_has_its_type(name: str, data: str, event: ImageAdEvent | None) -> None:
    assert parse_event(name, data) == event


STREAM = (
    ': a comment\r\nevent: started\r\ndata: {"id": "ia_1"}\r\n\r\n'
    'event: progress\ndata: {"step": "copy",\ndata: "message": "Größe 🎁", "percentage": 0.5}\n\n'
    "event: heartbeat\ndata:\n\n"
    'event: complete\ndata: {"id": "ia_1"}\n\n'
).encode()

EVENTS = [Started("ia_1"), Progress("copy", "Größe 🎁", 0.5), Heartbeat(), Complete("ia_1")]


def decoded(pieces: list[bytes]) -> list[ImageAdEvent | None]:
    """The events of a stream that arrives in these pieces."""

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def read() -> list[ImageAdEvent | None]:
        response = httpx.Response(
            200, headers={"content-type": "text/event-stream"}, content=body()
        )
        source = httpx_sse.EventSource(response)
        return [parse_event(sse.event, sse.data) async for sse in source.aiter_sse()]

    return asyncio.run(read())


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_events_are_the_same_in_whatever_pieces_they_arrive(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in itertools.pairwise(edges) if a < b]
    assert decoded(pieces) == EVENTS
