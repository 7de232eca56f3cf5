"""What the README shows is run: its commands, its Python, and every example in a docstring."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.campaign import _parser
from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def fenced(text: str, language: str) -> list[str]:
    """The code blocks of a language, whatever their indentation."""
    pattern = rf"^( *)```{language}\n(.*?)^\1```"
    found = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(code) for _, code in found]


def docstring_examples() -> Iterator[tuple[str, str]]:
    """Every Python block of every docstring, with where it is."""
    for file in sorted((ROOT / "prefect_staticadslab").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{file.stem}.{getattr(node, 'name', '')}"
                for code in fenced(ast.get_docstring(node) or "", "python"):
                    yield name, code


def console_blocks() -> list[tuple[str, list[str]]]:
    """The README's commands with the lines that they are said to print."""
    blocks = []
    for block in fenced(README, "console"):
        for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            first, *rest = command.rstrip("\n").split("\n")
            if not first.startswith("export "):
                blocks.append((first, rest))
    return blocks


PYTHON = [(f"README {i}", code) for i, code in enumerate(fenced(README, "python"))]
PYTHON += list(docstring_examples())


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    """One that has the earlier ads which the examples revise and watch."""
    with SimulatorServer(speed=30, rate_limit=10_000, earlier_ads=True) as server:
        yield server


@pytest.fixture
def environment(
    prefect_server: dict[str, str],
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> dict[str, str]:
    """A fresh folder that looks like the project's, a key, and a Prefect server."""
    for name in ("flows", "blocks", "deployments", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    key = {"SAL_API_KEY": SIMULATOR_API_KEY, "SAL_BASE_URL": simulator.url}
    for name, value in key.items():
        monkeypatch.setenv(name, value)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**prefect_server, **key, "PATH": path}


@pytest.mark.parametrize(("command", "printed"), console_blocks(), ids=lambda v: str(v)[:40])
def test_a_command_of_the_readme_prints_what_it_says(
    command: str, printed: list[str], environment: dict[str, str], simulator: SimulatorServer
) -> None:
    with contextlib.suppress(ValueError):
        StaticAdsLabCredentials.delete("static-ads-lab")
    done = subprocess.run(
        command,
        shell=True,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = (done.stdout + done.stderr).replace(simulator.url, "http://127.0.0.1:8321").splitlines()
    assert done.returncode == (2 if printed[:1] == ["Nothing was created."] else 0), told
    if printed:
        assert told == printed


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(("name", "code"), PYTHON, ids=[name for name, _ in PYTHON])
def test_an_example_runs(name: str, code: str) -> None:
    StaticAdsLabCredentials.from_environment().save("static-ads-lab", overwrite=True)
    # The placeholder that Prefect's standards ask for is no name that it would save.
    code = code.replace("BLOCK_NAME", "static-ads-lab")
    exec(compile(code, name, "exec"), {"__name__": "__main__"})


def test_there_are_examples_to_run() -> None:
    assert len(console_blocks()) >= 4
    assert len(PYTHON) >= 12


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README + (ROOT / "CONTRIBUTING.md").read_text()))
    assert {"demo", "test"} <= named <= targets


def test_the_readme_names_every_option_of_the_command() -> None:
    options = set(re.findall(r"--[a-z][a-z-]+", _parser().format_help())) - {"--help"}
    table = README[README.index("| option |") : README.index("Exit status:")]
    assert set(re.findall(r"--[a-z][a-z-]+", table)) == options


def test_links_within_the_project_lead_somewhere() -> None:
    for document in (README, (ROOT / "CONTRIBUTING.md").read_text()):
        for target in re.findall(r"\]\(([^)#]+)\)", document):
            assert target.startswith("http") or (ROOT / target).exists(), target
