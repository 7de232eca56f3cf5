"""Mailboxes that are an actor of a Ray cluster."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import ray

CALL_SECONDS: Final = 30
"""How long the actor may take to answer."""


class Boxes:
    """What the actor holds: boxes by name, each with its messages in order."""

    def __init__(self) -> None:
        self._messages: defaultdict[str, list[bytes]] = defaultdict(list)

    def put(self, box: str, message: bytes) -> None:
        """Puts a message into a box."""
        self._messages[box].append(message)

    def take(self, box: str) -> list[bytes]:
        """Takes out what is in a box."""
        return self._messages.pop(box, [])


class RayMailboxes:
    """An actor, which lives for as long as the campaign's own process holds on to it.

    Args:
        actor: The handle of one that is there already; by default one is started.
    """

    def __init__(self, actor: Any = None) -> None:
        # It only waits, so it takes no CPU away from the chunks.
        self._actor: Any = ray.remote(num_cpus=0)(Boxes).remote() if actor is None else actor

    def __reduce__(self) -> tuple[type[RayMailboxes], tuple[Any]]:
        return type(self), (self._actor,)

    def put(self, box: str, message: bytes) -> None:
        """See `Mailboxes`."""
        ray.get(self._actor.put.remote(box, message), timeout=CALL_SECONDS)

    def take(self, box: str) -> list[bytes]:
        """See `Mailboxes`."""
        messages: list[bytes] = ray.get(self._actor.take.remote(box), timeout=CALL_SECONDS)
        return messages

    def close(self, box: str) -> None:
        """Nothing is kept for a box that is empty."""
