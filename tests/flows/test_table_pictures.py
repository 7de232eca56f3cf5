"""Pictures in the rows of a result table, through the flows that write one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.cli.commands.campaign import main as campaign_main
from prefect_staticadslab.flows.campaign import campaign
from prefect_staticadslab.flows.download import download_images
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import write_campaign


def pictures_in(place: Path) -> list[int]:
    """The rows that have a picture, as a spreadsheet program numbers them."""
    sheet: Any = load_workbook(place).worksheets[0]
    return [image.anchor._from.row + 1 for image in sheet._images]


async def test_the_option_downloads_the_pictures_beside_the_table_and_puts_them_in(
    prefect_server: dict[str, str],
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    tmp_path: Path,
) -> None:
    place, output = write_campaign(tmp_path, "a", "b"), tmp_path / "out.xlsx"
    state: Any = await campaign(str(place), str(output), credentials, return_state=True)
    assert state.is_completed()
    assert pictures_in(output) == []
    options: Any = {"pictures_in_table": True, "return_state": True}
    state = await campaign(str(place), str(output), credentials, **options)
    assert state.is_completed()
    assert pictures_in(output) == [2, 3]
    assert len(list((tmp_path / "out-pictures").glob("*.png"))) == 2
    # A later run that downloads nothing keeps them, and so does one that downloads elsewhere.
    state = await campaign(str(place), str(output), credentials, return_state=True)
    assert "2 of 2 rows completed" in str(state.message)
    assert pictures_in(output) == [2, 3]
    folder = str(tmp_path / "elsewhere")
    state = await download_images(str(output), folder, return_state=True)
    assert state.is_completed()
    assert pictures_in(output) == [2, 3]
    assert len(simulator.api.jobs) == 2


def test_the_option_is_refused_for_a_table_that_has_no_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, output = str(write_campaign(tmp_path, "a")), str(tmp_path / "out.csv")
    assert campaign_main([place, output, "--pictures-in-table", "--simulate"]) == 2
    assert "Only an .xlsx has pictures in its rows" in capsys.readouterr().err
