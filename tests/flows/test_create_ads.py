"""Ads typed into a form: what is empty comes from the kit, and the flow run is the campaign."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact, State
from prefect.flow_engine import run_flow_async
from prefect.states import AwaitingRetry

from prefect_staticadslab import ImageAdJob, StaticAdsLabCredentials, TypedAd
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.flows.create_ads import create_ads
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import simulated_ids

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def kit(credentials: StaticAdsLabCredentials) -> ImageAdJob:
    return ImageAdJob(credentials=credentials, **simulated_ids())


async def run(kit: ImageAdJob, *ads: TypedAd, **options: Any) -> State[None]:
    state: Any = await create_ads(kit, list(ads), return_state=True, **options)
    assert isinstance(state, State)
    return state


async def artifacts_of(run_id: UUID | None) -> dict[str, Artifact]:
    """A run's artifacts, by the last part of their keys."""
    assert run_id is not None
    async with get_client() as client:
        found = await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        )
    return {(artifact.key or "").rpartition("-")[2]: artifact for artifact in found}


async def test_no_file_is_needed_and_the_table_is_an_artifact(
    kit: ImageAdJob, simulator: SimulatorServer
) -> None:
    await kit.asave("typed", overwrite=True)
    state = await run(
        kit, TypedAd(prompt="Iced"), TypedAd(prompt="Hot", ad_type="Editable, 4.00 USD")
    )
    assert state.is_completed()
    assert "2 of 2 ads completed, 5.00 USD" in (state.message or "")
    run_id = state.state_details.flow_run_id
    async with get_client() as client:
        assert run_id is not None
        assert (await client.read_flow_run(run_id)).name == "create 2 ads with typed"
    kept = await artifacts_of(run_id)
    assert set(kept) == {"progress", "summary", "table", "pictures"}
    assert kept["table"].key == "campaign-create-2-ads-with-typed-table"
    assert "Ad 1 · Iced" in str(kept["pictures"].data)
    rows = kept["table"].data
    for job in simulator.api.jobs:
        assert job in str(rows)


async def test_names_and_several_audiences_are_typed_as_in_a_spreadsheet(
    credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    kit = ImageAdJob(credentials=credentials)
    ad = TypedAd(
        brand="harbor roast",
        product="Cold Brew Kit",
        audience="*",
        design_template="ad_format=Sale; aspect_ratio=4:5",
        prompt="{product} for {audience}",
    )
    state = await run(kit, ad)
    assert state.is_completed(), state
    assert len(simulator.api.jobs) > 1


def _of(brand: str) -> TypedAd:
    return TypedAd(brand=brand, product="Cold Brew Kit", audience="Commuters", prompt="Hot")


async def test_what_is_typed_wrong_is_told_in_the_forms_words(
    kit: ImageAdJob, simulator: SimulatorServer
) -> None:
    state = await run(kit, TypedAd(prompt="Iced"), _of("Harbor Rost"))
    assert (state.name, state.is_failed()) == ("Refused", True)
    message = state.message or ""
    assert "Ad 2, Brand:" in message
    assert "Harbor Roast" in message
    assert "column" not in message
    assert simulator.api.counts["creates"] == 0


async def test_a_wrong_product_and_an_empty_audience_are_told_in_one_round(
    kit: ImageAdJob, simulator: SimulatorServer
) -> None:
    kit_of_all = kit.model_copy(update={"audience_id": ""})
    wrong = [TypedAd(product="Cold Brew Kid", prompt="Iced"), TypedAd(prompt="{prodct}")]
    state = await run(kit_of_all, *wrong)
    message = state.message or ""
    assert state.name == "Refused"
    assert "Ad 1, Product: There is no product 'Cold Brew Kid'" in message
    assert "Ads 1-2, Audience: is empty." in message
    assert "Ad 2, Prompt:" in message
    assert simulator.api.counts["creates"] == 0


async def test_no_ads_are_a_mistake_that_is_told(kit: ImageAdJob) -> None:
    state = await run(kit)
    assert (state.name, state.message) == (
        "Refused",
        "There are no ads to create. Add at least one.",
    )


async def test_a_named_output_is_a_table_like_any_campaigns(
    kit: ImageAdJob, tmp_path: Any, simulator: SimulatorServer
) -> None:
    output = str(tmp_path / "typed.csv")
    assert (await run(kit, TypedAd(prompt="Iced"), output=output)).is_completed()
    assert (await run(kit, TypedAd(prompt="Iced"), output=output)).is_completed()
    frame = read_spreadsheet(output).frame
    assert frame["prompt"].tolist() == ["Iced"]
    assert frame["image_ad_id"].tolist() == list(simulator.api.jobs)


async def test_more_ads_than_prefect_keeps_rows_want_an_output(
    kit: ImageAdJob, simulator: SimulatorServer
) -> None:
    state = await run(kit, *(TypedAd(prompt=str(number)) for number in range(101)))
    assert "Name an output" in (state.message or "")
    assert simulator.api.counts["creates"] == 0


async def test_two_runs_are_two_campaigns_and_a_retried_run_is_one(
    kit: ImageAdJob, simulator: SimulatorServer
) -> None:
    once = create_ads.with_options(retries=1, retry_delay_seconds=0)
    ads = [TypedAd(prompt="Iced"), TypedAd(prompt="SIMULATE_ONE_FAILURE")]
    state: Any = await once(kit, ads, attempts=1, return_state=True)
    assert state.is_completed(), state
    # The failed one was tried again, and the other was not created again.
    assert len(simulator.api.jobs) == 3
    assert (await run(kit, ads[0])).is_completed()
    assert len(simulator.api.jobs) == 4


async def test_a_run_that_is_retried_in_the_ui_tries_failed_ads_anew(
    kit: ImageAdJob, simulator: SimulatorServer
) -> None:
    ads = [TypedAd(prompt="Iced"), TypedAd(prompt="SIMULATE_ONE_FAILURE")]
    state = await run(kit, *ads, attempts=1)
    run_id = state.state_details.flow_run_id
    assert state.is_failed()
    assert "retry this run" in (state.message or "")
    assert run_id is not None
    async with get_client() as client:
        await client.set_flow_run_state(run_id, AwaitingRetry(), force=True)
        # What a runner in another process does.
        again: Any = await run_flow_async(
            create_ads,
            flow_run=await client.read_flow_run(run_id),
            parameters={"brand_kit": kit, "ads": ads, "attempts": 1},
            return_type="state",
        )
    assert again.is_completed(), again
    assert len(simulator.api.jobs) == 3


async def test_a_flow_that_is_retried_gets_the_ads_that_it_had_made_before(
    kit: ImageAdJob, simulator: SimulatorServer
) -> None:
    """Each of its tries has runs of this flow, and Prefect gives these ids of their own."""
    ads = [TypedAd(prompt="Iced"), TypedAd(prompt="SIMULATE_ONE_FAILURE")]

    @flow(retries=1, retry_delay_seconds=0)
    async def launch() -> None:
        state = await run(kit, *ads, attempts=1)
        other = await run(kit, ads[0])
        assert other.is_completed()
        assert state.is_completed()

    state: Any = await launch(return_state=True)
    assert state.is_completed(), state
    # Three ads, and one that failed.
    assert len(simulator.api.jobs) == 4


async def test_a_flow_that_is_retried_a_day_later_pays_nothing_again(
    kit: ImageAdJob, simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[State[None]] = []

    @flow(retries=1, retry_delay_seconds=0)
    async def launch() -> None:
        ends.append(await run(kit, TypedAd(prompt="SIMULATE_FAILURE"), attempts=1))
        monkeypatch.setattr(
            "prefect_staticadslab.orchestration.flow_retries.TRUSTED_LIFETIME", timedelta(0)
        )
        assert ends[-1].is_completed()

    await launch(return_state=True)
    assert [end.name for end in ends] == ["Failed", "Refused"]
    assert "was begun at" in (ends[-1].message or "")
    assert simulator.api.counts["creates"] == 1


@pytest.mark.parametrize("has_table", [False, True])
async def test_a_retry_that_is_refused_does_not_say_that_nothing_was_created(
    kit: ImageAdJob,
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    has_table: bool,
) -> None:
    output = str(tmp_path / "out.csv") if has_table else ""
    ends: list[State[None]] = []

    @flow(retries=1, retry_delay_seconds=0)
    async def launch() -> None:
        ends.append(await run(kit, TypedAd(prompt="a"), output=output))
        # By the next try, the form's kit has lost its brand.
        kit.brand_id = "brand_0000000000000000"
        assert len(ends) == 2

    await launch(return_state=True)
    assert [end.name for end in ends] == ["Completed", "Refused" if has_table else "Failed"]
    assert ("An earlier one of this run may have" in (ends[-1].message or "")) is not has_table
    assert simulator.api.counts["creates"] == 1
