"""What the command that runs is called: as it was typed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

ENTRY: Final = "staticadslab"
"""The command that pip installs. All others are its subcommands, too."""

_program: ContextVar[str] = ContextVar("program", default="")


@contextlib.contextmanager
def called(name: str) -> Iterator[None]:
    """Has a subcommand be called by its whole name in what it says of itself."""
    token = _program.set(f"{ENTRY} {name}")
    try:
        yield
    finally:
        _program.reset(token)


def program(name: str) -> str:
    """What the command is called, if a file of this name may be what was started."""
    return _program.get() or name
