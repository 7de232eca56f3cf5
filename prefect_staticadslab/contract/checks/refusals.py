"""Whether the API refuses what it should refuse, and in the way that the client relies on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from prefect_staticadslab.contract.checks.answers import is_text
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Seen, all_of, differs, holds, holds_if, unseen

Refusal = tuple[int, str]
"""A status, and a code; an empty code is any."""

NOT_FOUND: Final[Refusal] = (404, "NOT_FOUND")
UNAUTHORIZED: Final[Refusal] = (401, "UNAUTHORIZED")
BAD_REQUEST: Final[Refusal] = (400, "VALIDATION_ERROR")
UNPROCESSABLE: Final[Refusal] = (422, "VALIDATION_ERROR")
KEY_CONFLICT: Final[Refusal] = (409, "IDEMPOTENCY_CONFLICT")
INVALID: Final = (BAD_REQUEST, UNPROCESSABLE)

_TROUBLE: Final = frozenset((429, 502, 503, 504))
"""What says nothing of the question."""

_FORBIDDEN: Final = 403


def inconclusive(reply: Reply) -> Seen | None:
    """What to report of an answer that leaves the question open: the key may not ask it, or the API
    was in trouble. None if it answers the question."""
    if reply.status == _FORBIDDEN:
        return unseen("the key may not ask it (403)", reply)
    if reply.status in _TROUBLE:
        return unseen(f"the API was in trouble ({reply.result})", reply)
    return None


def refused(reply: Reply, expected: Collection[Refusal]) -> Seen:
    """Whether an answer is one of the refusals that are expected."""
    if other := inconclusive(reply):
        return other
    if (reply.status, reply.code) in expected:
        return holds(reply.result, reply)
    return differs(_with_made_id(reply), reply)


def details(replies: Sequence[Reply]) -> Seen:
    """Whether validation errors say which fields are wrong."""
    errors = [reply for reply in replies if (reply.status, reply.code) in INVALID]
    if not errors:
        return unseen("there was no VALIDATION_ERROR")
    return all_of(map(_details, errors))


def refused_again(first: Reply, second: Reply) -> Seen:
    """Whether the same key and body are refused in the same way, replayed or not."""
    if other := inconclusive(first) or inconclusive(second):
        return other
    replayed = ", replayed" if second.is_replayed else ", checked anew"
    is_same = (first.status, first.code) == (second.status, second.code)
    text = f"{first.result}, then {second.result}{replayed if is_same else ''}"
    return holds_if(is_same and not second.is_success, text, first, second)


def key_with_other_body(reply: Reply) -> Seen:
    """Whether a key whose first request was refused is refused with another body, too."""
    if other := inconclusive(reply):
        return other
    expected = (*INVALID, KEY_CONFLICT)
    return holds_if((reply.status, reply.code) in expected, reply.result, reply)


def used_key_with_other_body(reply: Reply) -> Seen:
    """Whether a key that has made something is in conflict with a body that cannot succeed.

    If it is the body that is refused, that says nothing of the key: unseen.
    """
    if other := inconclusive(reply):
        return other
    if (reply.status, reply.code) == KEY_CONFLICT:
        return holds(reply.result, reply)
    if reply.is_success or reply.status == KEY_CONFLICT[0]:
        return differs(_with_made_id(reply), reply)
    return unseen(f"the body is looked at before the key ({reply.result})", reply)


def _details(reply: Reply) -> Seen:
    """Whether a validation error lists fields, each with a message."""
    listed = reply.error.get("details")
    entries = listed if isinstance(listed, list) else []
    is_so = entries and all(
        isinstance(entry, dict) and is_text(entry.get("field")) and is_text(entry.get("message"))
        for entry in entries
    )
    text = f"{len(entries)} for {reply.question}" if is_so else f"{reply}: no list of them"
    return holds_if(is_so, text, reply)


def _with_made_id(reply: Reply) -> str:
    """What was asked and answered; and the id of what a POST made, which somebody has to delete."""
    made = reply.resource.get("id") if reply.is_success and reply.method == "POST" else None
    return f"{reply}, and made {made}" if made else str(reply)
