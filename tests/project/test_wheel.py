"""The wheel, as our users' pip will install it tomorrow: without our lock, into nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import ROOT, key_of, outside_environment
from tests.support.processes import run_program, start_program, stop, until

pytestmark = pytest.mark.wheel


def run(*command: str | Path, cwd: Path, home: Path | None = None) -> str:
    environment = outside_environment()
    if home is not None:
        environment["PREFECT_HOME"] = str(home)
    status, out, err = run_program(*command, cwd=cwd, env=environment)
    assert status == 0, out + err
    assert "Traceback" not in err, err
    return out


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    run(*build, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_what_it_should(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = "prefect_staticadslab"
    for needed in (
        "py.typed",
        "flows/campaign.py",
        "cli/commands/campaign.py",
        "cli/deployments/prefect.yaml",
        "campaign/pictures/assets/contact_sheet.html.j2",
        "campaign/pictures/assets/contact_sheet.css",
        "campaign/pictures/assets/contact_sheet.js",
        "campaign/pictures/assets/preview_page.html.j2",
        "campaign/pictures/assets/preview_page.css",
        "campaign/pictures/assets/preview_page.js",
        "simulator/__main__.py",
    ):
        assert f"{package}/{needed}" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {package}
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the commands of an empty environment, once pip has installed the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", "venv", cwd=folder)
    commands = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    # This environment's pip: the one that comes with a Python may need minutes.
    pip = (sys.executable, "-m", "pip", "--python", commands / "python")
    run(*pip, "install", "-qq", "--no-compile", wheel, cwd=folder)
    return commands


def test_it_is_installed_where_pip_puts_things(installed: Path, tmp_path: Path) -> None:
    code = "import prefect_staticadslab as p; print(p.__version__, p.__file__)"
    assert str(installed.parent) in run(installed / "python", "-c", code, cwd=tmp_path)
    assert run(installed / "staticadslab", "--version", cwd=tmp_path).startswith("staticadslab ")
    assert "campaign" in run(installed / "staticadslab", "--help", cwd=tmp_path)


def test_installed_without_the_lock_a_campaign_runs(installed: Path, tmp_path: Path) -> None:
    told = run(
        *(installed / "staticadslab", "campaign", ROOT / "examples" / "campaign.csv"),
        *("results.csv", "--simulate"),
        cwd=tmp_path,
        home=tmp_path / "prefect",
    )
    assert told.startswith("25 of 25 rows completed")
    assert set(read_spreadsheet(str(tmp_path / "results.csv")).frame["status"]) == {"completed"}


def test_an_installed_package_deploys_and_serves_its_flows_from_an_empty_folder(
    installed: Path, prefect_server: dict[str, str], simulator: SimulatorServer, tmp_path: Path
) -> None:
    key = key_of(simulator)
    folder = tmp_path / "empty"
    folder.mkdir()
    api = {"PREFECT_API_URL": prefect_server["PREFECT_API_URL"], "PREFECT_HOME": str(tmp_path)}
    # A shell says where it is in PWD, and prefect.yaml takes it from there.
    environment = outside_environment() | api | {"PYTHONUNBUFFERED": "1", "PWD": str(folder)}

    def typed(*command: str, **more: str) -> str:
        program, *arguments = command
        done = run_program(installed / program, *arguments, cwd=folder, env=environment | more)
        assert done.status == 0, done.out + done.err
        return done.out

    registered = typed("prefect", "block", "register", "-m", "prefect_staticadslab")
    assert "Static Ads Lab Image Ad Job" in registered
    assert "Static Ads Lab Credentials" in registered
    typed("staticadslab", "blocks", "--overwrite", **key)
    typed("staticadslab", "deploy")
    typed("prefect", "work-pool", "create", "ads", "--type", "process", "--overwrite")
    typed("prefect", "--no-prompt", "deploy", "--all")
    shutil.copy(ROOT / "examples" / "shop_export.csv", folder / "shop.csv")

    @contextlib.contextmanager
    def started(
        command: str, *arguments: str, cwd: Path
    ) -> Iterator[tuple[subprocess.Popen[str], Path]]:
        log = tmp_path / f"{command}.log"
        with log.open("w", encoding="utf-8") as written:
            process = start_program(
                installed / command,
                *arguments,
                env=environment,
                cwd=cwd,
                stdout=written,
                stderr=written,
            )
            try:
                yield process, log
            finally:
                stop(process)

    def ask(output: str) -> None:
        given = ("--param", "spreadsheet=shop.csv", "--param", f"output={output}")
        typed("prefect", "deployment", "run", "campaign/campaign", *given)

    def is_completed(output: str) -> bool:
        table = folder / output
        return table.exists() and set(read_spreadsheet(str(table)).frame["status"]) == {"completed"}

    def until_completed(output: str, process: subprocess.Popen[str]) -> None:
        until(lambda: is_completed(output), process)

    # The worker is somewhere else: relative paths are those of the folder with the file.
    with started("prefect", "worker", "start", "--pool", "ads", cwd=tmp_path) as (process, _):
        ask("pool.csv")
        until_completed("pool.csv", process)
    with started("staticadslab", "serve", cwd=folder) as (process, log):
        until(lambda: "campaign/campaign" in log.read_text(encoding="utf-8"), process)
        ask("served.csv")
        until_completed("served.csv", process)
