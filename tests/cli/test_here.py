"""Commands without a Prefect server: they run in their own process, and never import Prefect."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from prefect_staticadslab.campaign.files.cells import frame_of
from prefect_staticadslab.campaign.files.formats.xlsx_writer import encode_xlsx
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
from prefect_staticadslab.cli.console import _ignoring_closed_pipe
from prefect_staticadslab.cli.here import NOT_RECORDED
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.cli.light import LightPython
from tests.conftest import set_key, without_settings, write_campaign
from tests.support.processes import PATIENCE_SECONDS, Ended, run, start

CODE = """
import importlib, json, sys
name, *arguments = sys.argv[1:]
status = 0
try:
    status = importlib.import_module(f"prefect_staticadslab.cli.commands.{name}").main(arguments)
except SystemExit as ended:
    status = ended.code or 0
heavy = ("prefect", "httpx", "pandas", "numpy", "pyarrow")
loaded = [module for module in heavy if module in sys.modules]
print(json.dumps([status, loaded]))
"""


def alone(folder: Path, simulator: SimulatorServer | None = None) -> dict[str, str]:
    """The environment of somebody who has never set Prefect up."""
    key = {"SAL_API_KEY": SIMULATOR_API_KEY}
    key["SAL_BASE_URL"] = simulator.url if simulator else "http://127.0.0.1:9"
    return {**without_settings(), "PREFECT_HOME": str(folder / "none"), **key}


RunCommand = Callable[..., tuple[int, list[str], Ended]]


@pytest.fixture(scope="module")
def light() -> Iterator[LightPython]:
    made = LightPython()
    yield made
    made.close()


@pytest.fixture
def run_command(light: LightPython, tmp_path_factory: pytest.TempPathFactory) -> RunCommand:
    """Runs a command, with these settings, in a process that has imported nothing heavy before.

    Gives its exit status, which of the heavy modules it imported, and what it told.
    """

    def run_it(
        folder: Path,
        *arguments: str,
        simulator: SimulatorServer | None = None,
        settings: Mapping[str, str] = {},
    ) -> tuple[int, list[str], Ended]:
        env = {**alone(folder, simulator), **settings}
        told = tmp_path_factory.mktemp("told")
        ended = light.run(CODE, *arguments, env=env, cwd=folder, told=told)
        status, loaded = json.loads(ended.out.splitlines()[-1])
        return status, loaded, ended

    return run_it


def as_workbook(text_file: Path) -> None:
    """Writes a text table as an .xlsx beside it."""
    with text_file.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    text_file.with_suffix(".xlsx").write_bytes(encode_xlsx(frame_of(header, lines)))


def test_a_campaign_without_a_server_never_imports_prefect(
    tmp_path: Path, simulator: SimulatorServer, run_command: RunCommand
) -> None:
    place, output = write_campaign(tmp_path, "a", "b"), str(tmp_path / "out.csv")
    status, loaded, told = run_command(
        tmp_path, "campaign", place, output, "--download-images", "p", simulator=simulator
    )
    assert status == 0, told
    assert "prefect" not in loaded
    assert told.err.count(NOT_RECORDED) == 1
    assert "2 of 2 rows completed, 2.00 USD, " in told.out
    rows = read_spreadsheet(output).frame.to_dict("records")
    assert {row["image_ad_id"] for row in rows} == set(simulator.api.jobs)
    assert len(list((tmp_path / "p").glob("*.png"))) == 2
    assert (tmp_path / "out.html").exists()


def test_help_imports_nothing_that_takes_long(tmp_path: Path, run_command: RunCommand) -> None:
    status, loaded, told = run_command(tmp_path, "campaign", "--help")
    assert (status, loaded) == (0, [])
    assert "--prefect" in told.out


IDS = "design_template_id,brand_id,product_id,audience_id"

BAD_TABLES = {
    "a bad cell": (f"{IDS}\ndt_1,,prod_1,aud_1\n", "Row 2, column brand_id: is empty."),
    "a bad cell beside a name": (
        "design_template_id,brand,product_id,audience_id,editable\ndt_1,Harbor,prod_1,aud_1,?\n",
        "Row 2, column editable: ",
    ),
    "a column that is nearly one": (f"{IDS},promt\ndt_1,b,c,d,e\n", "Row 1: 'promt' is not read."),
    "no header": ("dt_1,brand_1,prod_1,aud_1\n" * 2, "Row 1: The column design_template_id is mis"),
}
"""What a campaign is refused for, and the start of what is told."""


@pytest.mark.parametrize("bad", BAD_TABLES)
@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_spreadsheet_is_refused_before_anything_is_imported_that_only_a_run_needs(
    bad: str, ending: str, tmp_path: Path, run_command: RunCommand
) -> None:
    text, reason = BAD_TABLES[bad]
    (tmp_path / "in.csv").write_text(text)
    if ending == ".xlsx":
        as_workbook(tmp_path / "in.csv")
    status, loaded, told = run_command(tmp_path, "campaign", f"in{ending}", "out.csv")
    assert (status, loaded) == (2, []), told
    assert told.err.startswith(f"Nothing was created.\n{reason}")
    assert NOT_RECORDED not in told.err


@pytest.mark.parametrize("prefect", ["a server of Prefect's", "a saved block", "--prefect"])
@pytest.mark.parametrize("bad", BAD_TABLES)
def test_so_it_is_where_the_run_would_be_prefects(
    bad: str, prefect: str, tmp_path: Path, run_command: RunCommand
) -> None:
    text, reason = BAD_TABLES[bad]
    (tmp_path / "in.csv").write_text(text)
    options = {"a saved block": ["--credentials", "ours"], "--prefect": ["--prefect"]}
    server = {"PREFECT_API_URL": "http://127.0.0.1:9/api"} if prefect.endswith("Prefect's") else {}
    status, loaded, told = run_command(
        tmp_path, "campaign", "in.csv", "out.csv", *options.get(prefect, []), settings=server
    )
    assert (status, loaded) == (2, []), told
    assert told.err.startswith(f"Nothing was created.\n{reason}")


OTHER_COMMANDS = {
    "revise": ("revise in.csv out.csv", "image_ad_id,prompt\nia_,Warmer\n"),
    "design templates": ("design_templates in.csv out.csv", "note\nNo picture\n"),
    "ads of a brand kit": ("create_ads kit out.csv --ads in.csv", "no JSON"),
    "an inbox that is not there": ("inbox nowhere", ""),
    "pictures of no table": ("download in.csv pictures", f"{IDS}\ndt_1,brand_1,prod_1,aud_1\n"),
    "additions to the catalogue": ("catalog out.xlsx --create in.csv", "kind,price\nbrand,1\n"),
}
"""Commands, and what they are refused for."""


@pytest.mark.parametrize("what", OTHER_COMMANDS)
def test_other_commands_refuse_what_they_read_before_they_import_more(
    what: str, tmp_path: Path, run_command: RunCommand
) -> None:
    command, text = OTHER_COMMANDS[what]
    (tmp_path / "in.csv").write_text(text)
    status, loaded, told = run_command(tmp_path, *command.split())
    assert (status, loaded) == (2, []), told
    assert "in.csv" in told.err or "Row " in told.err or "nowhere" in told.err
    assert not (tmp_path / "out.csv").exists()


PROFILES = """
active = "ours"
[profiles.ours]
PREFECT_API_URL = "http://127.0.0.1:9/api"
[profiles.other]
PREFECT_LOGGING_LEVEL = "INFO"
"""

ASKS_US = """
from prefect_staticadslab.cli.prefect_settings import has_prefect_api
import sys
found = has_prefect_api()
print([found, "prefect" in sys.modules])
"""

ASKS_PREFECT = "from prefect.settings import PREFECT_API_URL; print(bool(PREFECT_API_URL.value()))"


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
    tmp_path: Path,
    light: LightPython,
    settings: dict[str, str],
    files: dict[str, str],
    expected: bool,
) -> None:
    (tmp_path / "home").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    environment = {**without_settings(), "PREFECT_HOME": str(tmp_path / "home"), **settings}
    (tmp_path / "told").mkdir()
    ended = light.run(ASKS_US, env=environment, cwd=tmp_path, told=tmp_path / "told")
    # It asks Prefect where another file than the profiles may say so.
    assert ended.out.strip() == str([expected, "prefect.toml" in files]), ended.err
    ended = run("-c", ASKS_PREFECT, env=environment, cwd=tmp_path)
    assert ended.out.strip() == str(expected), ended.err


# In this process, as if there were no server


@pytest.fixture
def here(
    tmp_path: Path, simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], str]:
    """No server of Prefect's, and a key. Gives a function for places in a folder of its own."""
    monkeypatch.setattr(options, "has_prefect_api", lambda: False)
    set_key(monkeypatch, simulator)
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


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_campaign_goes_on_when_nobody_reads_what_it_says(
    tmp_path: Path, simulator: SimulatorServer, more: tuple[str, ...]
) -> None:
    reads, writes = os.pipe()
    with os.fdopen(writes, "w") as pipe:
        arguments = ["campaign", write_campaign(tmp_path, "a", "b"), str(tmp_path / "out.csv")]
        process = start(
            *("-m", "prefect_staticadslab", *arguments, *more),
            env=alone(tmp_path, simulator),
            stdout=pipe,
            stderr=pipe,
        )
    os.close(reads)
    assert process.wait(PATIENCE_SECONDS) == 0
    assert simulator.api.counts["creates"] == (0 if more else 2)
    assert more or list(read_spreadsheet(str(tmp_path / "out.csv")).frame["status"]) == (
        ["completed"] * 2
    )


def test_what_an_encoding_lacks_is_escaped_and_ends_nothing(tmp_path: Path) -> None:
    place = tmp_path / "log.txt"
    with place.open("w", encoding="cp1252") as log, _ignoring_closed_pipe(log) as out:
        print("für 広告", file=out)
    assert place.read_bytes().rstrip() == b"f\xfcr \\u5e83\\u544a"
