"""What the pages show is run: their commands, their Python, and every example in a docstring."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from prefect_staticadslab import ImageAdJob, StaticAdsLabCredentials
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import ROOT, key_of, simulated_ids
from tests.project.pages import PAGES, Fence, fenced
from tests.support.processes import Ended, run, run_program

LANGUAGES = {"console", "python", "sh", "text", "toml", "yaml", "json", "py", "mermaid"}
"""`py` is a signature and `mermaid` a drawing, which are no programs."""

UNEXECUTED = {
    # Other tests and CI run these.
    "make demo",
    "make test",
    "make unit",
    "make chaos",
    "make slow",
    "make fuzz",
    "make lowest",
    "make wheel-test",
    "make ui",
    "make distributed",
    "make benchmark",
    "pip install prefect-staticadslab",
    "staticadslab deploy",
    "prefect automation create --from-file deployments/automations.yaml",
    # These go on until they are stopped.
    "prefect server start",
    "staticadslab serve",
    "prefect worker start --pool ads",
    "staticadslab simulator --speed 10 --rate-limit 100 --rate-window 60",
    # These change the shell that they are typed in, or its user's settings.
    "prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api",
    "export PREFECT_SERVER_API_AUTH_STRING=admin:a-long-random-text",
    "export PREFECT_SERVER_CORS_ALLOWED_ORIGINS=https://prefect.example.com",
    "export PREFECT_API_AUTH_STRING=admin:a-long-random-text",
    "export PREFECT_UI_API_URL=https://prefect.example.com/api",
    "export PREFECT_API_URL=https://prefect.example.com/api",
    "export SAL_API_KEY=sal_live_…",
    "export SAL_API_KEY=sal_live_simulator SAL_BASE_URL=http://127.0.0.1:8321",
}
"""Every command that is shown and not run here."""

REFUSED = re.compile(r"Nothing was \w+\.|There is nothing to watch\.")
"""What a command with status 2 prints first."""

VARYING = [
    (r"^\d\d:\d\d:\d\d\.\d{3}", "TIME"),
    (r"\b\d+\.\d s\b", "SECONDS"),
    (r"\b(iav?)_[0-9a-f]{12,}\b", r"\1_ID"),
    (r"('[a-z-]+)-[0-9a-f]{3}'", r"\1-RUN'"),
]
"""What differs from run to run."""


def docstring_examples() -> Iterator[tuple[str, str]]:
    """Every Python block of every docstring, with where it is."""
    for file in sorted((ROOT / "prefect_staticadslab").rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        # All test workers come by here, and to take a file apart takes a hundred times as long.
        for node in documented(ast.parse(text)) if "```python" in text else ():
            name = f"{file.stem}.{getattr(node, 'name', '')}"
            for code in fenced(ast.get_docstring(node) or "", "python"):
                yield name, code


Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def documented(node: ast.AST) -> Iterator[Documented]:
    """Whatever may have a docstring, in any block of a module."""
    if isinstance(node, Documented):
        yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from documented(child)


CONSOLE = [fence for page in PAGES for fence in page.fenced("console")]
# The reference repeats the docstrings, which are run as such.
OWN = [page for page in PAGES if page.name != "docs/reference.md"]
PYTHON = [(str(fence), fence.code) for page in OWN for fence in page.fenced("python")]
PYTHON += list(docstring_examples())
EXAMPLES = [
    # A cluster of Dask takes as long to come and go here as in the tests of it.
    pytest.param(*example, id=example[0], marks=[pytest.mark.distributed] * ("dask" in example[1]))
    for example in PYTHON
]


def steady(text: str) -> list[str]:
    """A text's lines, without what differs from run to run."""
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return text.splitlines()


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    """One that has the earlier ads which the examples revise and watch."""
    with SimulatorServer(speed=300, rate_limit=10_000, earlier_ads=True) as server:
        yield server


@pytest.fixture
def environment(
    prefect_server: dict[str, str],
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> dict[str, str]:
    """A fresh folder that looks like the project's, a key, and a Prefect server."""
    for name in ("flows", "blocks", "deployments", "examples", "prefect.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    key = key_of(simulator)
    for name, value in key.items():
        monkeypatch.setenv(name, value)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    quiet = {"PREFECT_LOGGING_LEVEL": "CRITICAL", "PYTHONUNBUFFERED": "1"}
    return {**prefect_server, **key, **quiet, "PATH": path, "PYTHONPATH": str(ROOT)}


def forget() -> None:
    """Takes back what other blocks and tests left in Prefect's server, which they share."""
    for name in ("static-ads-lab", "second"):
        with contextlib.suppress(ValueError):
            StaticAdsLabCredentials.delete(name)
    with get_client(sync_client=True) as server, contextlib.suppress(ObjectNotFound):
        server.delete_work_pool("ads")


MODULES = {"prefect": "prefect", "staticadslab": "prefect_staticadslab"}
"""The commands that pip has installed, by what Python runs for them."""

QUOTED = re.compile(r"'[^']*'")
"""What a shell leaves as it is."""


def typed(line: str, environment: dict[str, str]) -> Ended:
    """How a command line ends, and all that it prints.

    All imports are made before. That they can be made, `make wheel-test` proves, where such
    commands are those that pip has installed.
    """
    folder = Path.cwd()
    plain = line.replace("$PWD", str(folder))
    words = shlex.split(plain)
    if words[0] in MODULES:
        words = ["python", "-m", MODULES[words[0]], *words[1:]]
    needs_shell = words[0] != "python" or set(QUOTED.sub("", plain)) & set("|&;<>$`*?~(){}")
    options: dict[str, Any] = {"env": environment, "cwd": folder, "stderr": subprocess.STDOUT}
    if needs_shell:
        return run_program("sh", "-c", line, **options)
    return run(*words[1:], **options)


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_the_commands_of_a_block_print_what_it_says(
    block: Fence, environment: dict[str, str], simulator: SimulatorServer
) -> None:
    forget()
    for command in block.commands:
        if command.line in UNEXECUTED:
            continue
        status, told, _ = typed(command.line, environment)
        said = told.replace(simulator.url, "http://127.0.0.1:8321")
        is_refused = bool(command.printed and REFUSED.match(command.printed[0]))
        assert status == (2 if is_refused else 0), said
        if command.printed:
            assert steady(said) == steady("\n".join(command.printed))


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(("name", "code"), EXAMPLES)
def test_an_example_runs(name: str, code: str) -> None:
    if "static-ads-lab" in code or "BLOCK_NAME" in code:
        credentials = StaticAdsLabCredentials.from_environment()
        credentials.save("static-ads-lab", overwrite=True)
        kit = ImageAdJob.model_validate({"credentials": credentials, **simulated_ids()})
        kit.save("static-ads-lab", overwrite=True)
    # The placeholder that Prefect's standards ask for is no name that it would save.
    code = code.replace("BLOCK_NAME", "static-ads-lab")
    exec(compile(code, name, "exec"), {"__name__": "__main__"})


def test_there_are_examples_to_run() -> None:
    assert len(CONSOLE) >= 12
    assert len(PYTHON) >= 12


def test_whatever_is_shown_and_not_run_is_on_the_list() -> None:
    shown = {
        line.removeprefix("$ ").split("  #")[0].strip()
        for page in PAGES
        for fence in page.fences
        for line in fence.code.splitlines()
        if (fence.language == "sh" and line.strip()) or line.startswith("$ make")
    }
    assert shown - UNEXECUTED == set()
    commands = {command.line for fence in CONSOLE for command in fence.commands}
    assert UNEXECUTED - shown - commands == set(), "no page shows these any more"


def test_every_block_says_what_it_is() -> None:
    odd = [str(f) for page in PAGES for f in page.fences if f.language not in LANGUAGES]
    assert odd == []
