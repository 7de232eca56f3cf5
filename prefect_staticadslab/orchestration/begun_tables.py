"""Which spreadsheets of an inbox have had a flow run of their own within this one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_begun: ContextVar[set[str] | None] = ContextVar("begun", default=None)


@contextmanager
def noting_begun_tables() -> Iterator[set[str]]:
    """Gives the tables whose flow runs begin in the body, as they do."""
    begun: set[str] = set()
    token = _begun.set(begun)
    try:
        yield begun
    finally:
        _begun.reset(token)


def note_begun_table(output: str) -> None:
    """Notes that the flow run that makes this table has begun, if anybody wants to know."""
    begun = _begun.get()
    if begun is not None:
        begun.add(output)
