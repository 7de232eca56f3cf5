"""Which spreadsheets of an inbox have had a flow run of their own within this one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_begun_tables: ContextVar[set[str] | None] = ContextVar("begun", default=None)


@contextmanager
def noting_begun_tables() -> Iterator[set[str]]:
    """Gives a set to which `note_begun_table` adds the result tables, by their places, whose flow
    runs begin while the body runs."""
    begun: set[str] = set()
    token = _begun_tables.set(begun)
    try:
        yield begun
    finally:
        _begun_tables.reset(token)


def note_begun_table(output: str) -> None:
    """Notes that the flow run that makes the table at `output` has begun; does nothing outside of
    `noting_begun_tables`."""
    begun = _begun_tables.get()
    if begun is not None:
        begun.add(output)
