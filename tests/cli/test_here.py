"""Commands without a Prefect server: they run in their own process, and never import Prefect."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.cli import options
from prefect_staticadslab.cli.commands import (
    campaign,
    catalog,
    design_templates,
    download,
    inbox,
    revise,
    watch,
)
from prefect_staticadslab.cli.here import NOT_RECORDED
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import without_settings, write_campaign
from tests.processes import Ended, run

CODE = """
import importlib, json, sys
name, *arguments = sys.argv[1:]
status = 0
try:
    status = importlib.import_module(f"prefect_staticadslab.cli.commands.{name}").main(arguments)
except SystemExit as ended:
    status = ended.code or 0
loaded = [module for module in ("prefect", "httpx", "pandas") if module in sys.modules]
print(json.dumps([status, loaded]))
"""


def alone(folder: Path, simulator: SimulatorServer | None = None) -> dict[str, str]:
    """The environment of somebody who has never set Prefect up."""
    key = {"SAL_API_KEY": SIMULATOR_API_KEY}
    key["SAL_BASE_URL"] = simulator.url if simulator else "http://127.0.0.1:9"
    return {**without_settings(), "PREFECT_HOME": str(folder / "none"), **key}


def run_command(
    folder: Path, *arguments: str, simulator: SimulatorServer | None = None
) -> tuple[int, list[str], Ended]:
    """Runs a command in a process that has imported nothing before.

    Returns:
        Its exit status, which of the heavy modules it imported, and what it told.
    """
    ended = run("-c", CODE, *arguments, env=alone(folder, simulator), cwd=folder, cold=True)
    status, loaded = json.loads(ended.out.splitlines()[-1])
    return status, loaded, ended


def test_a_campaign_without_a_server_never_imports_prefect(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    place, output = write_campaign(tmp_path, "a", "b"), str(tmp_path / "out.csv")
    status, loaded, told = run_command(
        tmp_path, "campaign", place, output, "--download-images", "p", simulator=simulator
    )
    assert status == 0, told
    assert loaded == ["httpx", "pandas"]
    assert told.err.count(NOT_RECORDED) == 1
    assert "2 of 2 rows completed, 2.00 USD, " in told.out
    rows = read_spreadsheet(output).frame.to_dict("records")
    assert {row["image_ad_id"] for row in rows} == set(simulator.api.jobs)
    assert len(list((tmp_path / "p").glob("*.png"))) == 2
    assert (tmp_path / "out.html").exists()


def test_help_imports_nothing_that_takes_long(tmp_path: Path) -> None:
    status, loaded, told = run_command(tmp_path, "campaign", "--help")
    assert (status, loaded) == (0, [])
    assert "--prefect" in told.out


def test_a_spreadsheet_is_refused_before_anything_is_imported_that_asks_the_api(
    tmp_path: Path,
) -> None:
    place = tmp_path / "in.csv"
    place.write_text("design_template_id,brand_id,product_id,audience_id\ndt_1,,prod_1,aud_1\n")
    status, loaded, told = run_command(tmp_path, "campaign", str(place), "out.csv")
    assert (status, loaded) == (2, ["pandas"])
    assert told.err.startswith("Nothing was created.\nRow 2, column brand_id: ")
    assert NOT_RECORDED not in told.err


PROFILES = """
active = "ours"
[profiles.ours]
PREFECT_API_URL = "http://127.0.0.1:9/api"
[profiles.other]
PREFECT_LOGGING_LEVEL = "INFO"
"""

ASKS_BOTH = """
from prefect_staticadslab.cli.prefect_settings import has_prefect_api
import sys
found = has_prefect_api()
assert ("prefect" in sys.modules) == (sys.argv[1] == "asks"), "it imported Prefect"
from prefect.settings import PREFECT_API_URL
print([found, bool(PREFECT_API_URL.value())])
"""


@pytest.mark.parametrize(
    ("settings", "files", "expected"),
    [
        ({}, {}, False),
        ({"PREFECT_API_URL": "http://127.0.0.1:9/api"}, {}, True),
        ({}, {"home/profiles.toml": PROFILES}, True),
        ({"PREFECT_PROFILE": "other"}, {"home/profiles.toml": PROFILES}, False),
        ({"PREFECT_API_URL": ""}, {"home/profiles.toml": PROFILES}, False),
        ({}, {"prefect.toml": '[api]\nurl = "http://127.0.0.1:9/api"\n'}, True),
    ],
)
def test_whether_prefect_has_a_server_is_what_prefect_says(
    tmp_path: Path, settings: dict[str, str], files: dict[str, str], expected: bool
) -> None:
    (tmp_path / "home").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    environment = {**without_settings(), "PREFECT_HOME": str(tmp_path / "home"), **settings}
    asks = "asks" if "prefect.toml" in files else "reads"
    ended = run("-c", ASKS_BOTH, asks, env=environment, cwd=tmp_path, cold=True)
    assert ended.out.strip() == str([expected, expected]), ended.err


# In this process, as if there were no server


@pytest.fixture
def here(
    tmp_path: Path, simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], str]:
    """No server of Prefect's, and a key. Gives a function for places in a folder of its own."""
    monkeypatch.setattr(options, "has_prefect_api", lambda: False)
    monkeypatch.setenv("SAL_API_KEY", SIMULATOR_API_KEY)
    monkeypatch.setenv("SAL_BASE_URL", simulator.url)
    return lambda name: str(tmp_path / name)


def test_every_command_runs_here(
    tmp_path: Path, here: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    place, output = write_campaign(tmp_path, "a"), here("out.csv")
    assert campaign.main([place, output]) == 0
    assert download.main([output, here("pictures")]) == 0
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 1
    assert catalog.main([here("catalogue.xlsx")]) == 0
    ad = read_spreadsheet(output).frame.to_dict("records")[0]["image_ad_id"]
    assert watch.main([ad]) == 0
    changes = f'image_ad_id,node_overrides\n{ad},"{{""n"": {{""characters"": ""Sale""}}}}"\n'
    Path(here("changes.csv")).write_text(changes)
    assert revise.main([here("changes.csv"), here("revised.csv")]) == 2
    said = capsys.readouterr()
    assert f"Image ad {ad} is completed" in said.out
    assert "Nothing was changed.\n" in said.err
    assert said.err.count(NOT_RECORDED) == 5


def test_an_inbox_runs_here_and_finds_nothing_more_to_do(
    tmp_path: Path,
    here: Callable[[str], str],
    simulator: SimulatorServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Path(write_campaign(tmp_path, "a", "b")).rename(folder / "one.csv")
    (folder / "two.csv").write_text("design_template_id,brand_id\ndt_1,\n")
    arguments = [str(folder), "--settle-seconds", "0.01"]
    assert inbox.main(arguments) == 1
    said = capsys.readouterr()
    assert "1 completed, 1 not completed" in said.out
    assert len(simulator.api.jobs) == 2
    assert inbox.main(arguments) == 2  # what is left is the one with mistakes
    assert "1 finished before" in capsys.readouterr().err
    assert len(simulator.api.jobs) == 2


def test_reference_ads_become_templates_here(
    tmp_path: Path, here: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    (tmp_path / "ads").mkdir()
    Image.new("RGB", (400, 500), "teal").save(tmp_path / "ads" / "a.png")
    assert design_templates.main([here("ads"), here("templates.csv")]) == 0
    assert capsys.readouterr().out.startswith("1 of 1 rows completed, 0.25 USD")


def test_rows_that_fail_are_logged_and_end_with_1(
    tmp_path: Path, here: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    place = write_campaign(tmp_path, "a", "SIMULATE_FAILURE")
    assert campaign.main([place, here("out.csv"), "--attempts", "1"]) == 1
    said = capsys.readouterr()
    assert "| WARNING | Row 3 failed: " in said.err
    assert said.out.startswith("1 of 2 rows completed (1 failed), 1.00 USD")


def test_a_key_that_is_refused_ends_with_2(
    tmp_path: Path,
    here: Callable[[str], str],
    simulator: SimulatorServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    simulator.api.scopes.clear()
    assert campaign.main([write_campaign(tmp_path, "a"), here("out.csv")]) == 2
    assert "does not accept the key" in capsys.readouterr().err
    assert simulator.api.counts["creates"] == 0
