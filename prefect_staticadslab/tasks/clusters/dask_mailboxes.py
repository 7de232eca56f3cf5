"""Mailboxes that are queues of a Dask scheduler."""

from __future__ import annotations

import threading
from typing import Any, Final

from distributed import Client, Queue, get_client

CALL_SECONDS: Final = 20
"""How long the scheduler may take to answer."""


_QUEUE: Final[Any] = Queue
"""Without types of its own."""


class DaskMailboxes:
    """Queues of a Dask scheduler, which every client and every worker reaches.

    Args:
        client: Whose scheduler it is; None on a worker, which has its own.
    """

    def __init__(self, client: Client | None = None) -> None:
        self._client = client
        self._queues: dict[str, Any] = {}
        self._opening = threading.Lock()

    def __reduce__(self) -> tuple[type[DaskMailboxes], tuple[()]]:
        return type(self), ()

    def put(self, box: str, message: bytes) -> None:
        """See `Mailboxes`."""
        self._queue(box).put(message, timeout=CALL_SECONDS)

    def take(self, box: str) -> list[bytes]:
        """See `Mailboxes`."""
        messages: list[bytes] = self._queue(box).get(batch=True)
        return messages

    def close(self, box: str) -> None:
        """See `Mailboxes`."""
        with self._opening:
            if queue := self._queues.pop(box, None):
                queue.close()

    def _queue(self, box: str) -> Any:
        with self._opening:
            if box not in self._queues:
                self._queues[box] = _QUEUE(f"static-ads-lab-{box}", client=self._client_here())
            return self._queues[box]

    def _client_here(self) -> Client:
        if self._client is None:
            self._client = get_client()
        return self._client
