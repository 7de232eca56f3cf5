"""A row for which two runs each made an ad: whoever reads the log or the table hears of both."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.campaign.campaign import Prepared
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pipeline.adoption import adopt
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.runs.host import RUN_LOGGER, Host
from prefect_staticadslab.campaign.runs.run_reporter import RunReporter
from prefect_staticadslab.campaign.table.job_state import second_ads, with_second_ads
from tests.conftest import write_campaign


class BesideAnotherRun(Host[Any]):
    """Has the first row's ad, and hears that another run made one for it."""

    async def run_chunks(
        self, prepared: Prepared[Any], credentials: Mapping[str, Any], *_: Any
    ) -> list[ImageAdResult]:
        done = JobState(RowStatus.COMPLETED, "ia_1", "https://cdn.example/1.png", attempts=1)
        prepared.batch.table.update(0, with_second_ads(done, ["ia_2"]))
        return []


async def test_a_run_logs_the_second_ad_of_a_row_and_writes_it_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = str(tmp_path / "out.csv")
    campaign = Campaign.open(write_campaign(tmp_path, "a", "b"), output)
    prepared = Prepared(campaign, Plan.of(campaign.table))
    with caplog.at_level(logging.WARNING, RUN_LOGGER):
        await RunReporter(BesideAnotherRun(), prepared, lambda creates: 0.0).run(
            {}, attempts=1, timeout_seconds=1
        )
    said = "Two runs each made an ad for this row; the other one is ia_2."
    assert [record.getMessage() for record in caplog.records] == [f"Row 2: {said}"]
    assert said in Path(output).read_text()


async def test_a_second_ad_is_not_given_to_an_equal_row_as_well(
    tmp_path: Path, client: StaticAdsLabClient
) -> None:
    table = Campaign.open(write_campaign(tmp_path, "a", "a"), str(tmp_path / "out.csv")).table
    made = await client.create_image_ad(table.rows[0].request, idempotency_key="1" * 64)
    second = made.image_ad.id
    table.update(0, with_second_ads(JobState(RowStatus.PROCESSING, "ia_1", attempts=1), [second]))
    sent = JobState(RowStatus.SUBMITTING, attempts=1, api_key_hash=client.api_key_hash)
    table.update(1, sent)
    await adopt(client, table)
    assert [state.job_id for state in table.states] == ["ia_1", None]
    assert second_ads(table.states[0]) == [second]
