"""The messages that the troubleshooting page explains are the ones that are told."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.project.pages import Page

VARIABLE = "\N{REPLACEMENT CHARACTER}"
"""Stands for whatever is filled in."""

PAGE = Page("docs/troubleshooting.md")
MESSAGES = re.findall(r"^\| `([^`]+)` \|", PAGE.text, re.MULTILINE)


@cache
def told() -> list[str]:
    """Every text in the sources, with `VARIABLE` for what is filled in."""
    files = [f for room in ("prefect_staticadslab", "flows", "blocks") for f in _sources(room)]
    return [text for file in files for text in _texts(ast.parse(file.read_text("utf-8")))]


def _sources(room: str) -> Iterator[Path]:
    for file in (ROOT / room).rglob("*.py"):
        if "simulator" not in file.relative_to(ROOT).parts:
            yield file


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            # What stands alone is a docstring.
            case ast.Expr(value=ast.Constant()):
                node.value = ast.Constant(None)
            case ast.Constant(value=str(text)):
                yield re.sub("%[a-z]", VARIABLE, text)
            case ast.JoinedStr(values=parts):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else VARIABLE
                    for part in parts
                )


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_that_is_explained_is_told(message: str) -> None:
    # What is filled in may hold anything, a part of the sentence too.
    parts = [part for part in message.split("…") if part.strip(" .,:;()'?")]
    assert sum(len(part.split()) for part in parts) >= 3, "too short to be found by anybody"
    pattern = re.compile(".*".join(re.escape(part) for part in parts), re.DOTALL)
    assert any(pattern.search(text) for text in told())


def test_no_message_is_explained_twice() -> None:
    assert len(MESSAGES) == len(set(MESSAGES)) >= 60
