"""docs/architecture.md names what is there: each room, each module, and each function to open."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "prefect_staticadslab"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
OPENED = re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`: `([A-Za-z_.]+)`", PAGE)
NAMED = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.(?:py|md))?)`", PAGE)


def place(name: str) -> Path:
    """Where something is that the page names from the root, or from the package's folder."""
    return next((p for p in (ROOT / name, PACKAGE / name) if p.exists()), ROOT / name)


def names_in(tree: ast.AST, prefix: str = "") -> set[str]:
    """What a module or a class defines, methods with their class."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(f"{prefix}{node.name}")
            if isinstance(node, ast.ClassDef):
                found |= names_in(node, f"{prefix}{node.name}.")
    return found


def test_the_page_has_functions_to_open() -> None:
    assert len(OPENED) >= 10


@pytest.mark.parametrize(("module", "name"), OPENED)
def test_what_is_to_be_opened_is_there(module: str, name: str) -> None:
    assert name in names_in(ast.parse(place(module).read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", sorted(set(NAMED)))
def test_each_place_is_there(name: str) -> None:
    assert place(name).exists()


@pytest.mark.parametrize("folder", [PACKAGE, PACKAGE / "campaign"])
def test_each_room_is_named(folder: Path) -> None:
    rooms = {f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith("_")}
    assert {room for room in rooms if f"{room}/" not in PAGE} == set()
