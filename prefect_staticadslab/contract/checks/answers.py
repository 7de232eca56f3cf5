"""What all answers have in common: their envelope, and their headers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from prefect_staticadslab.api.rate_limit.window_length import FIRST_GUESS_WINDOW
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Seen, differs, holds, holds_if, unseen

MOST_SHOWN: Final = 3
"""Answers that are named of all that differ."""

TOO_MANY_REQUESTS: Final = 429

FEWEST_PAIRS: Final = 5
"""Answers one after the other from which it shows whether requests count: slots come back, too."""


def api_replies(replies: Sequence[Reply]) -> list[Reply]:
    """The answers that are the API's own, and not its description."""
    return [reply for reply in replies if reply.path.startswith("/v1/")]


def envelope(replies: Sequence[Reply]) -> Seen:
    """Whether each has `data`, or an error with a code and a message."""
    bodies = [reply for reply in api_replies(replies) if not reply.is_stream]
    return _seen_on_each(bodies, _has_envelope)


def request_ids(replies: Sequence[Reply]) -> Seen:
    """Whether each says `meta.request_id`."""
    bodies = [reply for reply in api_replies(replies) if reply.is_json]
    return _seen_on_each(bodies, lambda reply: is_text(reply.meta.get("request_id")))


def meta_timestamps(replies: Sequence[Reply]) -> Seen:
    """Whether each says when it was, and in which zone."""
    bodies = [reply for reply in api_replies(replies) if reply.is_json]
    return _seen_on_each(bodies, lambda reply: is_time(reply.meta.get("timestamp")))


def rate_limit_headers(replies: Sequence[Reply]) -> Seen:
    """Whether each that was asked with the key has the three headers."""
    return _seen_on_each(_counted_replies(replies), _has_rate_limit)


def rate_limit_window(replies: Sequence[Reply]) -> Seen:
    """Whether what is left of the window is told in seconds, and is at most a minute."""
    told = [(reply, _reset_seconds(reply)) for reply in _counted_replies(replies)]
    resets = [(reply, seconds) for reply, seconds in told if seconds is not None]
    if not resets:
        return unseen("no RateLimit-Reset came")
    reply, longest = max(resets, key=lambda pair: pair[1])
    text = f"at most {longest:g}"
    return holds_if(longest <= FIRST_GUESS_WINDOW, text, reply)


def rate_limit_counts(replies: Sequence[Reply]) -> Seen:
    """Whether `RateLimit-Remaining` falls from one answer to the next."""
    left = [r.rate_limit.remaining for r in _counted_replies(replies)]
    pairs = [(a, b) for a, b in pairwise(left) if None not in (a, b)]
    if len(pairs) < FEWEST_PAIRS:
        return unseen("RateLimit-Remaining did not come often enough")
    falls = sum(b < a for a, b in pairs if a is not None and b is not None)
    return holds_if(falls, f"it fell from one answer to the next {falls} times of {len(pairs)}")


def retry_after(replies: Sequence[Reply]) -> Seen:
    """Whether each 429 says how long to wait."""
    refused = [reply for reply in replies if reply.status == TOO_MANY_REQUESTS]
    if not refused:
        return unseen("no request was refused with 429")
    return _seen_on_each(refused, lambda reply: reply.rate_limit.retry_after is not None)


def is_text(value: object) -> bool:
    """Whether it is a text that says something."""
    return isinstance(value, str) and bool(value.strip())


def is_time(value: object) -> bool:
    """Whether it is a time as ISO 8601 has it, with its zone.

    Example:
        ```python
        from prefect_staticadslab.contract.checks.answers import is_time

        assert is_time("2026-01-05T09:00:00.000Z")
        assert not is_time("2026-01-05T09:00:00") and not is_time(1767603600)
        ```
    """
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _counted_replies(replies: Sequence[Reply]) -> list[Reply]:
    """Those that count against the rate limit: what was asked with the key."""
    return [reply for reply in api_replies(replies) if reply.has_key]


def _has_envelope(reply: Reply) -> bool:
    """Whether a success has `data`, and an error a code and a message."""
    if reply.is_success:
        return reply.is_json and "data" in reply.body
    return is_text(reply.error.get("code")) and is_text(reply.error.get("message"))


def _has_rate_limit(reply: Reply) -> bool:
    """Whether the three headers are there, and are numbers."""
    limit = reply.rate_limit
    return None not in (limit.limit, limit.remaining, _reset_seconds(reply))


def _reset_seconds(reply: Reply) -> float | None:
    """The seconds that are left of the window, 0 included; None if the header is not a number."""
    try:
        return float(reply.headers.get("ratelimit-reset", ""))
    except ValueError:
        return None


def _seen_on_each(replies: Sequence[Reply], is_so: Callable[[Reply], bool]) -> Seen:
    """Holds if `is_so` of each answer; else it differs and names answers of which it is not."""
    if not replies:
        return unseen("there was no such answer")
    others = [reply for reply in replies if not is_so(reply)]
    if not others:
        return holds(f"on all {len(replies)} answers")
    named = "; ".join(map(str, others[:MOST_SHOWN]))
    more = ", and more" if len(others) > MOST_SHOWN else ""
    text = f"not on {len(others)} of {len(replies)} answers: {named}{more}"
    return differs(text, *others[:MOST_SHOWN])
