"""What streams of events say, and how they end."""

from __future__ import annotations

from typing import Final

from prefect_staticadslab.api.events import HEARTBEAT_SECONDS
from prefect_staticadslab.contract.checks.fields import progress_of
from prefect_staticadslab.contract.checks.refusals import inconclusive
from prefect_staticadslab.contract.exchange import LAST_EVENTS, Stream
from prefect_staticadslab.contract.verdicts import Seen, differs, holds, holds_if, unseen

KNOWN_EVENTS: Final = LAST_EVENTS | {"started", "progress", "heartbeat"}
ENDED: Final = ("completed", "failed")


def finished_ad_stream(stream: Stream) -> Seen:
    """Whether the stream of an ad that is finished tells so, as an event or as the ad itself."""
    reply = stream.reply
    if other := inconclusive(reply):
        return other
    if not reply.is_stream:
        is_ad = reply.is_success and reply.resource.get("status") in ENDED
        return holds_if(is_ad, f"{reply}{', the ad as JSON' if is_ad else ''}", reply)
    names = [event.name for event in stream.events]
    text = f"{', '.join(names) or 'no event'}; {stream.ending}"
    return holds_if(names and names[-1] in LAST_EVENTS, text, reply)


def events(stream: Stream, status: str) -> Seen:
    """Whether a running ad's stream has the events that we know, and ends as the ad does.

    Args:
        stream: The stream.
        status: How the ad ended.
    """
    reply = stream.reply
    if other := inconclusive(reply):
        return other
    if not reply.is_stream:
        return differs(f"{reply}: no stream", reply)
    names = [event.name for event in stream.events]
    unknown = sorted(set(names) - KNOWN_EVENTS)
    if unknown:
        return differs(f"there are events {', '.join(unknown)}", reply)
    last = {"completed": "complete", "failed": "error"}.get(status, "")
    text = f"{', '.join(dict.fromkeys(names)) or 'no event'}; {stream.ending}"
    return holds_if(names and names[-1] == last, text, reply)


def stream_progress(stream: Stream) -> Seen:
    """Whether progress events have what we read of them."""
    told = [event.data for event in stream.events if event.name == "progress"]
    seen = progress_of(told)
    return Seen(seen.verdict, seen.text, (stream.reply,))


def silence(stream: Stream) -> Seen:
    """Whether a stream is never silent for longer than its heartbeats allow."""
    if not stream.events:
        return unseen("there was no event", stream.reply)
    longest = max(event.silence for event in stream.events)
    text = f"{longest:.0f} s at the longest"
    if longest > 2 * HEARTBEAT_SECONDS:
        return differs(text, stream.reply)
    return holds(text, stream.reply)
