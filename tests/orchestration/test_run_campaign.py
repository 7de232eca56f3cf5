"""Campaigns in flows of one's own: rows of a DataFrame, dates in names, and Prefect's retries."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prefect import flow
from prefect.assets import Asset
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)
from prefect.client.schemas.objects import State

from prefect_staticadslab import CampaignResult, StaticAdsLabCredentials, run_campaign
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.date_patterns import moment_of
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.flows.campaign import campaign
from prefect_staticadslab.orchestration.command_link import begin_flow
from prefect_staticadslab.orchestration.reporting.artifacts import readable_key
from prefect_staticadslab.orchestration.reporting.assets import asset_key
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import simulated_ids, write_campaign
from tests.support.flow_runs import events_of, logs_of
from tests.support.gate import closed_gate

pytestmark = pytest.mark.usefixtures("prefect_server")


@flow
async def from_rows(
    rows: pd.DataFrame, output: str, credentials: StaticAdsLabCredentials, name: str = ""
) -> CampaignResult:
    return await run_campaign(rows, output, credentials, name=name)


def rows_of(*prompts: str) -> pd.DataFrame:
    return pd.DataFrame({**simulated_ids(), "price": range(len(prompts)), "prompt": prompts})


async def test_a_dataframe_is_a_campaign(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    output = str(tmp_path / "out.csv")
    result: Any = await from_rows(rows_of("For {price}", "SIMULATE_FAILURE"), output, credentials)
    frame = result.to_frame()
    assert result.state.is_failed()
    assert frame["status"].tolist() == ["completed", "failed"]
    assert frame["sent_prompt"].tolist() == ["For 0", "SIMULATE_FAILURE"]
    assert frame["image_url"][0].startswith(simulator.url)
    assert read_spreadsheet(output).frame["status"].tolist() == ["completed", "failed"]


async def test_a_frame_that_cannot_be_a_campaign_says_why(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    rows = rows_of("Iced").drop(columns="brand_id")
    result: Any = await from_rows(rows, str(tmp_path / "out.csv"), credentials)
    assert result.state.name == "Refused"
    with pytest.raises(CampaignError, match="brand_id is missing"):
        result.to_frame()


async def test_rows_without_an_output_want_a_name(credentials: StaticAdsLabCredentials) -> None:
    result: Any = await from_rows(rows_of("Iced"), "", credentials)
    assert "must end in one of" in (result.state.message or "")
    result = await from_rows(rows_of("Iced"), "", credentials, name="autumn")
    assert result.to_frame()["status"].tolist() == ["completed"]


async def test_the_date_in_an_output_is_the_day_that_the_run_was_scheduled_for(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    place = write_campaign(tmp_path, "a")
    state = await ran(campaign, place, str(tmp_path / "{date}.csv"), credentials)
    assert state.state_details.flow_run_id is not None
    async with get_client() as client:
        run = await client.read_flow_run(state.state_details.flow_run_id)
    assert run.expected_start_time is not None
    assert (tmp_path / f"{run.expected_start_time.date()}.csv").exists()
    wrong = await ran(campaign, place, str(tmp_path / "{dat}.csv"), credentials)
    assert "there is no {dat}" in (wrong.message or "")


async def ran(a_flow: Any, *arguments: Any, **options: Any) -> State[Any]:
    state = await a_flow(*arguments, return_state=True, **options)
    assert isinstance(state, State)
    return state


async def test_the_date_stays_the_same_when_the_flow_around_a_campaign_is_retried(
    tmp_path: Path, credentials: StaticAdsLabCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled: list[datetime] = []

    def noted(moment: datetime, time_zone: str) -> datetime:
        scheduled.append(moment)
        return moment_of(moment, time_zone)

    monkeypatch.setattr("prefect_staticadslab.orchestration.run_campaign.moment_of", noted)
    place = write_campaign(tmp_path, "a")

    @flow(retries=1, retry_delay_seconds=1)
    async def nightly() -> None:
        await campaign(place, str(tmp_path / "{date}.csv"), credentials)
        if len(scheduled) == 1:
            raise RuntimeError("something else of this flow")

    assert (await ran(nightly)).is_completed()
    assert len(scheduled) == 2
    assert scheduled[0] == scheduled[1]


async def test_a_flow_with_retries_goes_on_instead_of_beginning_again(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    retried = campaign.with_options(retries=2, retry_delay_seconds=0)
    place = write_campaign(tmp_path, "a", "SIMULATE_ONE_FAILURE", "b")
    state = await ran(retried, place, str(tmp_path / "out.csv"), credentials, attempts=1)
    assert state.is_completed(), state
    assert "2 were completed by an earlier run" in (state.message or "")
    assert len(simulator.api.jobs) == 4


async def test_the_last_try_of_a_flow_with_retries_ends_in_words(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    retried = campaign.with_options(retries=1, retry_delay_seconds=0)
    place = write_campaign(tmp_path, "a", "SIMULATE_FAILURE")
    state = await ran(retried, place, str(tmp_path / "out.csv"), credentials, attempts=1)
    assert (state.name, state.is_failed()) == ("Failed", True)
    assert (state.message or "").startswith("1 of 2 rows completed (1 failed)")
    assert len(simulator.api.jobs) == 3


async def test_what_only_people_can_mend_is_not_tried_again(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    retried = campaign.with_options(retries=3, retry_delay_seconds=60)
    place = write_campaign(tmp_path, "a\nbad,row")
    state = await ran(retried, place, str(tmp_path / "out.csv"), credentials)
    assert (state.name, state.is_failed()) == ("Refused", True)
    assert state.state_details.flow_run_id is not None
    async with get_client() as client:
        run = await client.read_flow_run(state.state_details.flow_run_id)
    assert (run.run_count, run.state_name) == (1, "Refused")


async def test_a_flow_of_ones_own_keeps_its_retries(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    tries: list[str] = []

    @flow(retries=2, retry_delay_seconds=0)
    async def mine() -> None:
        rows = rows_of("Iced").drop(columns="brand_id")
        result = await run_campaign(rows, str(tmp_path / "out.csv"), credentials)
        tries.append(str(result.state.name))
        if len(tries) < 3:
            raise RuntimeError("something else, which passes")

    assert (await ran(mine)).is_completed()
    assert tries == ["Refused"] * 3


async def test_an_api_that_cannot_be_reached_is_tried_again(tmp_path: Path) -> None:
    nowhere = StaticAdsLabCredentials.model_validate(
        {"api_key": "sal_live_x", "base_url": "http://127.0.0.1:9"}
    )
    retried = campaign.with_options(retries=1, retry_delay_seconds=0)
    state = await ran(retried, write_campaign(tmp_path, "a"), str(tmp_path / "out.csv"), nowhere)
    assert state.name == "Refused"
    assert state.state_details.flow_run_id is not None
    async with get_client() as client:
        run = await client.read_flow_run(state.state_details.flow_run_id)
    assert run.run_count == 2


async def test_the_artifacts_of_a_campaign_are_bounded_and_hold_no_markup(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    prompts = ["SIMULATE_FAILURE <script> ![x](javascript:x)", *map(str, range(149))]
    place = write_campaign(tmp_path, *prompts)
    output = str(tmp_path / "out.csv")
    state = await ran(campaign, place, output, credentials, attempts=1, max_spend_usd=150)
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    async with get_client() as client:
        found = await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        )
    kept = {(each.key or "").rpartition("-")[2]: each for each in found}
    assert set(kept) == {"progress", "summary", "table", "pictures"}
    assert len(found) == 4
    assert str(kept["progress"].data) == "100"
    assert "| 1 | The picture could not be composed. (PIPELINE\\_ERROR) | 2 |" in str(
        kept["summary"].data
    )
    table = str(kept["table"].data)
    assert table.count('"row"') == 100
    assert table.index('"failed"') < table.index('"completed"')
    pictures = str(kept["pictures"].data)
    assert pictures.count("<img ") == 24
    assert "The first 24 of 149 pictures" in pictures
    assert "<script" not in pictures + str(kept["summary"].data) + table
    assert "](" not in table
    assert sum(len(str(each.data)) for each in found) < 60_000


async def test_events_tell_how_a_campaign_goes_and_of_a_few_failed_rows(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    place = write_campaign(tmp_path, "a", *(f"SIMULATE_FAILURE {i}" for i in range(25)))
    output = str(tmp_path / "out.csv")
    state = await ran(campaign, place, output, credentials, attempts=1)
    events = await events_of(state, "staticadslab.")
    names = [event.event for event in events]
    assert names[0] == "staticadslab.campaign.started"
    assert names[-1] == "staticadslab.campaign.incomplete"
    assert names[1:-1] == ["staticadslab.image-ad.failed"] * 20
    ended = events[-1]
    assert ended.payload["table"] == output
    assert (ended.payload["completed"], ended.payload["failed"]) == (1, 25)
    assert ended.payload["cost_usd"] == 1
    assert ended.resource.id == events[0].resource.id
    assert ended.resource.id in [related.id for related in events[1].related]
    assert "PIPELINE_ERROR" in events[1].payload["error"]
    # Failed rows are in the log, too, up to the same number.
    told = await logs_of(state, "failed: The picture", at_least=20)
    assert len(told) == 20


async def test_the_table_is_an_asset_made_of_the_spreadsheet(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    place = write_campaign(tmp_path, "a")
    output = str(tmp_path / "out.csv")
    state = await ran(campaign, place, output, credentials)
    (made,) = await events_of(state, "prefect.asset.materialization.")
    assert made.resource.id == asset_key(output)
    assert made.payload["completed"] == 1
    assert asset_key(place) in [related.id for related in made.related]


@pytest.mark.parametrize(
    "location",
    ["simplecache::s3://ads/a b.csv", "S_3://ads/a.csv", "://a.csv", "/ads/\ud800.csv", ""],
)
def test_every_table_has_a_key_that_prefect_takes(location: str) -> None:
    Asset(key=asset_key(location))


async def test_thousands_of_mistakes_are_told_in_a_message_of_bounded_length(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    place = write_campaign(tmp_path, *map(str, range(2000)))
    table = Path(place).read_text().splitlines()
    wrong = [line.replace("dt_", f"no_{n}_", 1) for n, line in enumerate(table)]
    Path(place).write_text("\n".join([table[0], *wrong[1:]]))
    state = await ran(campaign, place, str(tmp_path / "out.csv"), credentials)
    message = state.message or ""
    assert state.name == "Refused"
    assert len(message) < 21_000
    first, *_, last = message.splitlines()
    assert first.startswith("Row 2, column design_template_id")
    assert int(last.split()[1]) + len(message.splitlines()) - 1 == 2000


async def test_a_run_that_is_interrupted_tells_how_far_it_came(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    place = write_campaign(tmp_path, *map(str, range(100)))
    output = str(tmp_path / "out.csv")
    with closed_gate(simulator, after=1) as gate:
        run = asyncio.create_task(ran(campaign, place, output, credentials, max_spend_usd=100))
        async with asyncio.timeout(600):
            while not simulator.api.jobs:
                await asyncio.sleep(0.05)
        run.cancel()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await run
    key = f"{readable_key('campaign', storage.canonical(output))}-summary"
    async with get_client() as client:
        (summary,) = await client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        )
    assert "The run was interrupted." in str(summary.data)
    created = set(simulator.api.jobs)
    assert set(read_spreadsheet(output).frame["image_ad_id"]) - {""} == created
    assert 0 < len(created) < 100


@flow
async def warned() -> None:
    begin_flow()
    logging.getLogger("prefect_staticadslab.campaign.pipeline.poller").warning(
        "Polling 3 jobs: away"
    )


async def test_what_the_package_warns_of_is_in_the_runs_log() -> None:
    for _ in range(2):
        state = await ran(warned)
    said = await logs_of(state, "Polling", at_least=1)
    assert said == ["Polling 3 jobs: away"]
