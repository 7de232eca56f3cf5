"""What a command says, to whom, and what it is called."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final

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


@contextlib.contextmanager
def outliving_readers() -> Iterator[None]:
    """Has a command go on when nobody reads any more what it says.

    A campaign is not to stop because it was piped into `head`, or into a log whose writer died.
    """
    named = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    # Without a console, on Windows, there is none; and a test may have put its own there.
    own = {
        name: stream
        for name, stream in named.items()
        if isinstance(stream, io.TextIOWrapper) and stream is getattr(sys, f"__{name}__")
    }
    for name, stream in own.items():
        setattr(sys, name, _outliving(stream))
    try:
        yield
    finally:
        for name, stream in own.items():
            getattr(sys, name).flush()
            setattr(sys, name, stream)


def _outliving(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_OutlivingFile(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _OutlivingFile(io.FileIO):
    """A pipe whose reader may go: what is written then goes nowhere, as it does ever after."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes
