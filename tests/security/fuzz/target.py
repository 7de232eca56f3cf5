"""What is fuzzed: a parser, what it is given, and what it may refuse that with."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st


class BrokenPromiseError(Exception):
    """The parser did not crash, and did not do what it promises either."""


@dataclass(frozen=True)
class Target:
    """A parser of what arrives.

    Attributes:
        name: What it is called on the command line.
        inputs: Makes the inputs: bytes, or what Python's literals are made of, so that an input
            can be written down and read again.
        examine: Gives an input to the parser, and checks what comes out.
        refusals: What the parser may raise: its own words to whoever sent the input.
    """

    name: str
    inputs: Callable[[], st.SearchStrategy[Any]]
    examine: Callable[[Any], None]
    refusals: tuple[type[Exception], ...]


def promise(holds: bool, message: str, *values: object) -> None:
    """Raises if a promise does not hold.

    Raises:
        BrokenPromiseError: It does not.
    """
    if not holds:
        raise BrokenPromiseError(message, *(repr(value)[:300] for value in values))


def written(value: Any) -> tuple[str, bytes]:
    """An input as a file: how its name ends, and its content."""
    if isinstance(value, bytes):
        return ".bin", value
    return ".txt", repr(value).encode()


def read(path: Path) -> Any:
    """An input that was written to a file."""
    content = path.read_bytes()
    return content if path.suffix == ".bin" else ast.literal_eval(content.decode())
