"""What a command says, and what it is called."""

from __future__ import annotations

import contextlib
import sys
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


def say(text: str, *, end: str = "\n", is_error: bool = False) -> None:
    """Prints what a command says: what comes from cells or the API moves no cursor there."""
    # It takes pandas along, which takes longer than any --help.
    from prefect_staticadslab.campaign.files.cells import visible

    print(visible(text), end=end, file=sys.stderr if is_error else sys.stdout, flush=True)
