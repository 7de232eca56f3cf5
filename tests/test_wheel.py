"""The wheel, as our users' pip will install it tomorrow: without our lock, into nothing."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from tests.conftest import ROOT, outside_environment
from tests.processes import run_program

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
        "blocks/save.py",
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


def test_installed_without_the_lock_the_demo_runs(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(python, "-m", "pip", "install", "-qq", "--no-compile", wheel, cwd=tmp_path)
    code = "import prefect_staticadslab as p; print(p.__version__, p.__file__)"
    assert str(tmp_path) in run(python, "-c", code, cwd=tmp_path)
    told = run(
        *(python, "-m", "prefect_staticadslab.flows.campaign"),
        *(ROOT / "examples" / "campaign.csv", "results.csv", "--simulate"),
        cwd=tmp_path,
        home=tmp_path / "prefect",
    )
    assert told.startswith("25 of 25 rows completed")
    assert set(read_spreadsheet(str(tmp_path / "results.csv")).frame["status"]) == {"completed"}
