"""What a command prints, and the name that it has in its own help."""

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
"""The name of the subcommand that runs, such as `staticadslab watch`; "" if none does."""


@contextlib.contextmanager
def naming_itself(name: str) -> Iterator[None]:
    """While the body runs, the help of the subcommand calls it `staticadslab NAME`."""
    token = _program.set(f"{ENTRY} {name}")
    try:
        yield
    finally:
        _program.reset(token)


def program_name(file_name: str) -> str:
    """The command's name in its help: `staticadslab NAME`, or the file's if that was started."""
    return _program.get() or file_name


def say(text: str, *, end: str = "\n", is_error: bool = False) -> None:
    """Prints text to stdout, or to stderr if `is_error`, and flushes it.

    Control characters are shown and not obeyed: the text may come from cells or the API.
    """
    # This imports pandas, which takes longer than any --help.
    from prefect_staticadslab.campaign.files.cells import visible

    print(visible(text), end=end, file=sys.stderr if is_error else sys.stdout, flush=True)


@contextlib.contextmanager
def ignoring_closed_pipes() -> Iterator[None]:
    """While the body runs, stdout and stderr raise nothing if nobody reads them any more.

    A campaign is not to stop because it was piped into `head`, or into a log whose writer died.
    They are replaced in `sys`, unless somebody else has done so, and put back at the end.
    """
    named = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    # Without a console, on Windows, there is none; and a test may have put its own there.
    own = {
        name: stream
        for name, stream in named.items()
        if isinstance(stream, io.TextIOWrapper) and stream is getattr(sys, f"__{name}__")
    }
    for name, stream in own.items():
        setattr(sys, name, _ignoring_closed_pipe(stream))
    try:
        yield
    finally:
        for name, stream in own.items():
            getattr(sys, name).flush()
            setattr(sys, name, stream)


def _ignoring_closed_pipe(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """Flushes a stream; returns another one to the same descriptor that survives a closed pipe, and
    characters that its encoding lacks, which are escaped as on stderr."""
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_PipeFile(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _PipeFile(io.FileIO):
    """A pipe whose reader may close it: from then on all that is written is discarded."""

    def write(self, data: Any, /) -> int:
        """Writes bytes, and returns how many; points the descriptor at the null device if the pipe
        is closed."""
        try:
            return super().write(data)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes
