"""Mailboxes that are queues of a Dask scheduler."""

from __future__ import annotations

import threading
from typing import Any, Final

from distributed import Client, Queue, get_client

CALL_SECONDS: Final = 20
"""How long the scheduler may take to answer."""


_QUEUE: Final[Any] = Queue
"""The class has no types of its own."""


class DaskMailboxes:
    """Queues of a Dask scheduler, which every client and every worker reaches.

    Args:
        client: Whose scheduler it is; None on a worker, which has its own.
    """

    def __init__(self, client: Client | None = None) -> None:
        self._client = client
        self._queues: dict[str, Any] = {}
        self._queues_lock = threading.Lock()

    def __reduce__(self) -> tuple[type[DaskMailboxes], tuple[()]]:
        """Pickled without the client: a worker uses its own."""
        return type(self), ()

    def put(self, box: str, message: bytes) -> None:
        """Puts a message into a box's queue; see `Mailboxes`."""
        self._open_queue(box).put(message, timeout=CALL_SECONDS)

    def take(self, box: str) -> list[bytes]:
        """Takes all messages out of a box's queue; see `Mailboxes`."""
        messages: list[bytes] = self._open_queue(box).get(batch=True)
        return messages

    def close(self, box: str) -> None:
        """Closes a box's queue, if this side has opened it."""
        with self._queues_lock:
            if queue := self._queues.pop(box, None):
                queue.close()

    def _open_queue(self, box: str) -> Any:
        """The queue of a box, which is opened when it is first asked for."""
        with self._queues_lock:
            if box not in self._queues:
                self._queues[box] = _QUEUE(f"static-ads-lab-{box}", client=self._get_client())
            return self._queues[box]

    def _get_client(self) -> Client:
        """The client that was given, or else the worker's own, which is kept."""
        if self._client is None:
            self._client = get_client()
        return self._client
