"""Mailboxes that are an actor of a Ray cluster."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import ray

CALL_SECONDS: Final = 20
"""How long the actor may take to answer."""

START_SECONDS: Final = 300
"""How long the actor may take to start; a busy machine needs most of a minute for a process."""


class Boxes:
    """The class of the actor: boxes by name, each with its messages in order."""

    def __init__(self) -> None:
        self._messages: defaultdict[str, list[bytes]] = defaultdict(list)

    def put(self, box: str, message: bytes) -> None:
        """Puts a message into a box."""
        self._messages[box].append(message)

    def take(self, box: str) -> list[bytes]:
        """Takes out what is in a box; an empty list if that is nothing."""
        return self._messages.pop(box, [])


class RayMailboxes:
    """An actor, which lives for as long as the campaign's own process holds on to it.

    Args:
        actor: The handle of one that is there already; by default one is started.

    Raises:
        ray.exceptions.RayError: It does not start.
    """

    def __init__(self, actor: Any = None) -> None:
        # Takes that were not answered in time, by box: what they have taken out must not be lost.
        self._overdue_takes: dict[str, Any] = {}
        self._actor = actor
        if actor is None:
            # It only waits, so it takes no CPU away from the chunks.
            self._actor = ray.remote(num_cpus=0)(Boxes).remote()
            ray.get(self._actor.__ray_ready__.remote(), timeout=START_SECONDS)

    def __reduce__(self) -> tuple[type[RayMailboxes], tuple[Any]]:
        """Pickled as the handle: a worker uses the same actor."""
        return type(self), (self._actor,)

    def put(self, box: str, message: bytes) -> None:
        """Has the actor put a message into a box; see `Mailboxes`."""
        ray.get(self._actor.put.remote(box, message), timeout=CALL_SECONDS)

    def take(self, box: str) -> list[bytes]:
        """Takes out what is in a box; see `Mailboxes`.

        Raises:
            ray.exceptions.GetTimeoutError: The actor does not answer in time. The next call for
                this box goes on waiting for the same answer.
        """
        taken = self._overdue_takes.pop(box, None) or self._actor.take.remote(box)
        try:
            messages: list[bytes] = ray.get(taken, timeout=CALL_SECONDS)
        except ray.exceptions.GetTimeoutError:
            self._overdue_takes[box] = taken
            raise
        return messages

    def close(self, box: str) -> None:
        """Does nothing: the actor keeps nothing for a box that is empty."""
