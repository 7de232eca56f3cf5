"""The floors of the house stay apart, and start-up stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "prefect_staticadslab"


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


def test_importing_the_package_imports_nothing_that_only_some_need() -> None:
    heavy = ["openpyxl", "PIL", "starlette", "rich.progress", "aiohttp"]
    code = (
        "import sys, prefect; before = set(sys.modules); import prefect_staticadslab; "
        f"print([m for m in {heavy!r} if m in sys.modules and m not in before])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout.strip() == "[]"
