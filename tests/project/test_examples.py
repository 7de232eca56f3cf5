"""The example flows do what their page says."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from examples.ads_from_dataframe import weekly_ads
from examples.ads_to_database import campaign_into_database, save_ads
from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import ROOT, write_campaign
from tests.project.pages import Page

pytestmark = pytest.mark.usefixtures("prefect_server")


async def test_rows_of_a_dataframe_become_ads(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    output = str(tmp_path / "weekly.csv")
    state = await weekly_ads(
        str(ROOT / "examples" / "names.csv"), output, credentials, return_state=True
    )
    assert state.is_completed()
    table = pd.read_csv(output)
    assert table["sku"].tolist() == ["HR-001", "HR-004", "LS-003", "PP-002"]
    assert table["image_url"].notna().all()
    assert table["sent_prompt"][0] == "This week only: Morning Tide for 12.90 €"


async def test_a_campaign_that_runs_twice_is_in_the_database_once(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    spreadsheet = write_campaign(tmp_path, "Iced", "Hot")
    database = tmp_path / "ads.db"

    async def run() -> None:
        state = await campaign_into_database(
            spreadsheet,
            str(tmp_path / "results.csv"),
            credentials,
            database=f"sqlite:///{database}",
            return_state=True,
        )
        assert state.is_completed()

    await run()
    save_ads.fn(pd.read_csv(tmp_path / "results.csv"), f"sqlite:///{database}", "another")
    await run()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        saved = connection.execute(
            "SELECT campaign = 'another', prompt, status, cost_usd FROM image_ads"
        ).fetchall()
    of_each = [("Hot", "completed", 1.0), ("Iced", "completed", 1.0)]
    assert sorted(saved) == [(other, *ad) for other in (0, 1) for ad in of_each]
    assert len(simulator.api.jobs) == 2


@pytest.mark.parametrize("example", ["ads_from_dataframe", "ads_to_database"])
def test_the_page_shows_the_example_as_it_is(example: str) -> None:
    source = (ROOT / "examples" / f"{example}.py").read_text(encoding="utf-8")
    assert source in [fence.code for fence in Page("docs/compose.md").fenced("python")]
