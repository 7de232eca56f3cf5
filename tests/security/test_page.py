"""The page on security names every attack and every bound, and promises only what is tested."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from prefect_staticadslab import bounds
from tests.conftest import ROOT
from tests.project.pages import Page

PAGE = Page("docs/security.md")
ATTACKS = ROOT / "tests" / "security"


def attacks_in(file: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def promised() -> list[list[str]]:
    """The lines of the table of threats: what might happen, what is promised, and the tests."""
    section = PAGE.text.split("## What is promised")[1].split("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines[2:]]


def named(cell: str) -> list[tuple[str, str]]:
    """The tests of a cell: a file's name, and the tests in it."""
    found: list[tuple[str, str]] = []
    file = ""
    for name in re.findall(r"`([^`]+)`", cell):
        if name.endswith(".py"):
            file = name
        else:
            found.append((file, name))
    return found


def test_each_promise_names_its_tests() -> None:
    for threat, promise, tests in promised():
        assert threat
        assert promise
        assert named(tests), threat
    everywhere = {file.name: attacks_in(file) for file in (ROOT / "tests").rglob("test_*.py")}
    missing = [
        (file, test)
        for *_, tests in promised()
        for file, test in named(tests)
        if test not in everywhere.get(file, set())
    ]
    assert missing == []


def test_each_file_of_attacks_stands_for_a_promise() -> None:
    files = {file.name for file in ATTACKS.rglob("test_*.py")} - {Path(__file__).name}
    told = {file for *_, tests in promised() for file, _ in named(tests)}
    assert files - told == set()


def test_each_bound_is_told_as_it_is() -> None:
    section = PAGE.text.split("## Bounds")[1].split("\n## ")[0]
    told = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+?) \|", section, re.MULTILINE))
    known = {name: value for name, value in vars(bounds).items() if name.isupper()}
    assert {name: written(name, value) for name, value in known.items()} == told


def written(name: str, value: float) -> str:
    """A bound as people read it."""
    if name.endswith("_BYTES"):
        return bounds.in_megabytes(int(value))
    if name.endswith("_SECONDS"):
        return f"{value:,.0f} s"
    return f"{value:,.0f}"
