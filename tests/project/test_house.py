"""The floors of the house stay apart, its rooms small, and start-up light."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

import pytest

import prefect_staticadslab
from tests.conftest import ROOT
from tests.support.processes import run

PACKAGE = ROOT / "prefect_staticadslab"
MOST_ENTRIES = 14
MOST_LINES = 350


def files_of(folder: Path) -> list[Path]:
    """What is below a folder, without Python's caches."""
    found = folder.rglob("*")
    return sorted(f for f in found if f.is_file() and "__pycache__" not in f.parts)


FILES = files_of(PACKAGE)
MODULES = [file for file in FILES if file.suffix == ".py"]
FOLDERS = sorted({str(file.parent.relative_to(PACKAGE)) for file in MODULES})
HOUSE = [*FILES, *files_of(ROOT / "tests")]
ROOMS = sorted({str(file.parent.relative_to(ROOT)) for file in HOUSE if file.suffix == ".py"})


@cache
def imported(path: Path) -> frozenset[str]:
    """The modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


@cache
def parsed(path: Path) -> ast.Module:
    """A module's source, taken apart."""
    return ast.parse(path.read_text(encoding="utf-8"))


def uses(path: Path, module: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for name in imported(path))


@pytest.mark.parametrize(
    ("floor", "forbidden"),
    [
        (
            "api",
            [
                "prefect",
                "pandas",
                "prefect_staticadslab.campaign",
                "prefect_staticadslab.tasks",
                "prefect_staticadslab.credentials",
                "prefect_staticadslab.simulator",
            ],
        ),
        (
            "campaign",
            [
                "prefect",
                "httpx",
                "starlette",
                "prefect_staticadslab.tasks",
                "prefect_staticadslab.credentials",
                "prefect_staticadslab.simulator",
            ],
        ),
        (
            "contract",
            [
                "prefect",
                "prefect_staticadslab.orchestration",
                "prefect_staticadslab.tasks",
                "prefect_staticadslab.credentials",
                "prefect_staticadslab.simulator",
            ],
        ),
        ("simulator", ["prefect", "prefect_staticadslab.api", "prefect_staticadslab.campaign"]),
        ("simulator/model", ["starlette", "uvicorn", "prefect_staticadslab.simulator.http"]),
    ],
)
def test_a_floor_imports_only_what_is_below_it(floor: str, forbidden: list[str]) -> None:
    files = sorted((PACKAGE / floor).rglob("*.py"))
    assert files
    climbing = [(f.name, module) for f in files for module in forbidden if uses(f, module)]
    assert climbing == []


@pytest.mark.parametrize("folder", ["flows", "blocks"])
def test_flows_and_blocks_import_from_the_package_only(folder: str) -> None:
    for file in (ROOT / folder).glob("*.py"):
        neighbours = [n for n in imported(file) if n.split(".")[0] in ("flows", "blocks", "tests")]
        assert neighbours == [], file


def test_nothing_in_the_package_imports_flows_or_blocks() -> None:
    for file in PACKAGE.rglob("*.py"):
        assert not uses(file, "flows"), file
        assert not uses(file, "blocks"), file


def test_importing_all_public_names_imports_nothing_that_only_some_need() -> None:
    heavy = ["openpyxl", "PIL", "starlette", "rich.progress", "aiohttp"]
    code = (
        "import sys, prefect; before = set(sys.modules); from prefect_staticadslab import *; "
        f"print([m for m in {heavy!r} if m in sys.modules and m not in before])"
    )
    assert printed(code) == "[]"


def test_importing_the_api_loads_neither_prefect_nor_pandas() -> None:
    modules = [dotted(file) for file in MODULES if PACKAGE / "api" in file.parents]
    assert "prefect_staticadslab.api.client" in modules
    code = (
        f"import importlib, sys; [importlib.import_module(m) for m in {modules!r}]; "
        "print([m for m in ('prefect', 'pandas') if m in sys.modules])"
    )
    assert printed(code) == "[]"


def printed(code: str) -> str:
    """What a fresh interpreter prints."""
    status, out, err = run("-c", code, env=os.environ, cold=True)
    assert status == 0, err
    return out.strip()


def test_the_public_names_are_the_same_for_mypy_and_at_run_time() -> None:
    tree = parsed(PACKAGE / "__init__.py")
    typed = {
        alias.name: node.module
        for block in tree.body
        if is_for_types(block)
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom) and node.module != "importlib"
        for alias in node.names
    }
    lazy = prefect_staticadslab._MODULE_OF.items()
    assert typed == {name: f"prefect_staticadslab.{module}" for name, module in lazy}
    assert sorted(prefect_staticadslab.__all__) == sorted([*typed, "__version__"])
    assert set(prefect_staticadslab.__all__) <= set(dir(prefect_staticadslab))
    assert all(hasattr(prefect_staticadslab, name) for name in prefect_staticadslab.__all__)


@pytest.mark.parametrize("folder", ROOMS)
def test_a_folder_and_its_modules_are_small_enough(folder: str) -> None:
    here = ROOT / folder
    entries = {file.relative_to(here).parts[0] for file in HOUSE if here in file.parents}
    assert len(entries) <= MOST_ENTRIES, sorted(entries)
    long = {
        file.name: lines
        for file in HOUSE
        if file.parent == here
        and file.suffix == ".py"
        and (lines := len(file.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_rooms_of_a_folder_import_each_other_in_a_circle(folder: str) -> None:
    """What lies side by side is in an order: modules and the folders between them."""
    arrows: dict[str, set[str]] = {}
    for file in MODULES:
        for other in imported_modules(file):
            ends = [room_in(folder, file), room_in(folder, other)]
            if ends[0] and ends[1] and ends[0] != ends[1]:
                arrows.setdefault(ends[0], set()).add(ends[1])
    assert [room for room in arrows if room in reached_from(room, arrows)] == []


def room_in(folder: str, file: Path) -> str | None:
    """The module or the folder directly below `folder` that a file is in."""
    here = PACKAGE / folder
    return file.relative_to(here).parts[0] if here in file.parents else None


def reached_from(room: str, arrows: dict[str, set[str]]) -> set[str]:
    """The rooms that one imports, directly or by way of others."""
    reached: set[str] = set()
    waiting = [room]
    while waiting:
        following = arrows.get(waiting.pop(), set()) - reached
        reached |= following
        waiting += following
    return reached


def test_a_circle_would_be_found() -> None:
    assert "a" in reached_from("a", {"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert "a" not in reached_from("a", {"a": {"b", "c"}, "b": {"c"}})


@cache
def imported_modules(file: Path) -> frozenset[Path]:
    """The package's modules that one imports when it runs."""
    return frozenset(found for name in run_time_imports(parsed(file)) if (found := module_of(name)))


def run_time_imports(node: ast.AST) -> Iterator[str]:
    """The names that a tree imports, but for those that only type checkers see."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    unseen = node.body if is_for_types(node) else []
    for child in ast.iter_child_nodes(node):
        if child not in unseen:
            yield from run_time_imports(child)


def is_for_types(node: ast.AST) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def module_of(name: str) -> Path | None:
    """The file of what `import` names: a module of the package, or something in one."""
    if name.split(".", maxsplit=1)[0] != PACKAGE.name:
        return None
    path = ROOT.joinpath(*name.split("."))
    for candidate in (path, path.parent):
        if candidate.is_dir() and candidate != PACKAGE:
            return candidate / "__init__.py"
        if candidate.with_suffix(".py").is_file():
            return candidate.with_suffix(".py")
    return None


def dotted(file: Path) -> str:
    """A module's name."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
