"""The floors of the house stay apart, its rooms small, and start-up light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

import pytest

import prefect_staticadslab
from tests.conftest import ROOT

PACKAGE = ROOT / "prefect_staticadslab"
MOST_ENTRIES = 14
MOST_LINES = 350

NOT_YET = {
    ".",
    "campaign",
    "campaign/files",
    "campaign/job_types",
    "campaign/names",
    "campaign/pipeline",
    "campaign/reports",
    "campaign/rows",
    "campaign/table",
    "cli",
    "orchestration",
    "simulator",
}


def files_of(folder: Path) -> list[Path]:
    """What is below a folder, without Python's caches."""
    found = folder.rglob("*")
    return sorted(f for f in found if f.is_file() and "__pycache__" not in f.parts)


def room_of(file: Path) -> str:
    """A module's folder.

    A module of the package's own folder is a room of its own: some are there because all rooms
    need them, and some because they need all rooms.
    """
    folder = str(file.parent.relative_to(PACKAGE))
    return file.stem if folder == "." else folder


FILES = files_of(PACKAGE)
MODULES = [file for file in FILES if file.suffix == ".py"]
FOLDERS = sorted({str(file.parent.relative_to(PACKAGE)) for file in MODULES})


def imported(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


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
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return answer.stdout.strip()


def test_the_public_names_are_the_same_for_mypy_and_at_run_time() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
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


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_and_its_modules_are_small_enough(folder: str) -> None:
    if folder in NOT_YET:
        pytest.skip("not yet")
    here = PACKAGE / folder
    entries = {file.relative_to(here).parts[0] for file in FILES if here in file.parents}
    assert len(entries) <= MOST_ENTRIES, sorted(entries)
    long = {
        file.name: lines
        for file in MODULES
        if file.parent == here
        and (lines := len(file.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


@pytest.mark.parametrize(
    "room", sorted({*FOLDERS, *(f.stem for f in PACKAGE.glob("*.py"))} - {"."})
)
def test_no_room_imports_in_a_circle(room: str) -> None:
    if room in NOT_YET:
        pytest.skip("not yet")
    assert circle(room) == []


def circle(room: str) -> list[str]:
    """The shortest way by imports from a room to itself; empty if there is none."""
    ways = [[room]]
    seen: set[str] = set()
    for way in ways:
        for following in sorted(arrows()[way[-1]]):
            if following == room:
                return [*way, room]
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []


@cache
def arrows() -> dict[str, set[str]]:
    """The rooms that each room imports when it runs."""
    found: dict[str, set[str]] = {}
    for file in MODULES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        rooms = {room for name in run_time_imports(tree) if (room := room_of_module(name))}
        found.setdefault(room_of(file), set()).update(rooms - {room_of(file)})
    return found


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


def room_of_module(name: str) -> str | None:
    """The room of what `import` names: a module of the package, or something in one."""
    if name.split(".", maxsplit=1)[0] != PACKAGE.name:
        return None
    path = ROOT.joinpath(*name.split("."))
    for candidate in (path, path.parent):
        if candidate.is_dir():
            return room_of(candidate / "__init__.py")
        if candidate.with_suffix(".py").is_file():
            return room_of(candidate.with_suffix(".py"))
    return None


def dotted(file: Path) -> str:
    """A module's name."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
