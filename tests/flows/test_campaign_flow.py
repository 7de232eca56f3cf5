"""The campaign flow on a real Prefect server: states, artifacts, and a key that never shows."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    TaskRunFilter,
)
from prefect.client.schemas.objects import Artifact, State

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.flows.campaign import campaign
from prefect_staticadslab.orchestration.reporting.artifacts import readable_key
from prefect_staticadslab.simulator import SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import READ_ONLY_API_KEY
from tests.conftest import ROOT, write_campaign

pytestmark = pytest.mark.usefixtures("prefect_server")


def contents(folder: Path) -> list[str]:
    return [f.read_text(errors="replace") for f in folder.rglob("*") if f.is_file()]


async def run(
    spreadsheet: str, output: Path, credentials: StaticAdsLabCredentials, **options: Any
) -> State[None]:
    state: Any = await campaign(spreadsheet, str(output), credentials, return_state=True, **options)
    return cast(State[None], state)


async def test_the_example_campaign_completes(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    example = str(ROOT / "examples" / "campaign.csv")
    state = await run(example, tmp_path / "out.csv", credentials)
    assert state.is_completed()
    assert "25 of 25 rows completed, 25.00 USD" in (state.message or "")
    before, after = read_spreadsheet(example).frame, read_spreadsheet(str(tmp_path / "out.csv"))
    assert after.frame[list(before.columns)].equals(before)
    assert set(after.frame["status"]) == {"completed"}
    assert set(after.frame["image_ad_id"]) == set(simulator.api.jobs)
    assert len(simulator.api.jobs) == 25


async def test_a_file_that_is_not_there_is_told_with_the_folder_that_it_was_looked_for_in(
    tmp_path: Path, credentials: StaticAdsLabCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = await run("none.csv", tmp_path / "out.csv", credentials)
    assert (state.name, state.message) == ("Refused", f"There is no file none.csv in {tmp_path}.")


async def test_a_shops_export_comes_out_cell_for_cell(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    example = str(ROOT / "examples" / "shop_export.csv")
    assert (await run(example, tmp_path / "out.csv", credentials)).is_completed()
    before = read_spreadsheet(example)
    after = read_spreadsheet(str(tmp_path / "out.csv"))
    columns = ["input_Status" if name == "Status" else name for name in before.frame.columns]
    assert after.frame[columns].to_numpy().tolist() == before.frame.to_numpy().tolist()
    assert after.dialect == before.dialect


async def test_failed_rows_fail_the_run_with_everything_recorded(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    place = write_campaign(tmp_path, "a", "SIMULATE_FAILURE", "b", "SIMULATE_FAILURE <b>|*x*")
    output = tmp_path / "out.csv"
    state = await run(place, output, credentials, attempts=1)
    assert state.is_failed()
    assert "2 of 4 rows completed (2 failed), 2.00 USD" in (state.message or "")
    assert str(output) in (state.message or "")
    frame = read_spreadsheet(str(output)).frame
    assert frame["status"].tolist() == ["completed", "failed", "completed", "failed"]
    assert "PIPELINE_ERROR" in frame["error"][1]

    async with get_client() as client:
        key = f"{readable_key('campaign', storage.canonical(str(output)))}-summary"
        (artifact,) = await client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        )
    text = str(artifact.data)
    assert "| Completed | 2 |" in text
    assert "| Failed | 2 |" in text
    assert "| 2 |" in text
    assert "| 3, 5 |" in text
    assert "2.00 USD" in text


async def test_the_same_call_again_goes_on_where_it_stopped(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    place = write_campaign(tmp_path, "a", "SIMULATE_ONE_FAILURE", "c")
    output = tmp_path / "out.csv"
    assert (await run(place, output, credentials, attempts=1)).is_failed()
    state = await run(place, output, credentials, attempts=1)
    assert state.is_completed()
    assert "2 were completed by an earlier run" in (state.message or "")
    assert len(simulator.api.jobs) == 4


async def test_creates_that_the_api_answers_from_an_earlier_run_are_counted(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    place = write_campaign(tmp_path, "a", "b")
    for _ in range(2):
        state = await run(place, tmp_path / "out.csv", credentials)
        (tmp_path / "out.csv").unlink()
    assert "2 creates were answered from an earlier run." in (state.message or "")
    assert len(simulator.api.jobs) == 2


async def test_without_waiting_a_run_ends_once_all_is_created(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    place = write_campaign(tmp_path, "a", "b")
    state = await run(place, tmp_path / "out.xlsx", credentials, wait=False)
    assert state.is_completed()
    assert state.name == "Created"
    assert "0 of 2 rows completed (2 processing)" in (state.message or "")
    assert "2 rows are rendering; the next run collects them." in (state.message or "")
    assert (await run(place, tmp_path / "out.xlsx", credentials)).is_completed()
    assert len(simulator.api.jobs) == 2


async def test_one_task_run_per_hundred_rows(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    place = write_campaign(tmp_path, *map(str, range(250)))
    state = await run(place, tmp_path / "out.csv", credentials, max_spend_usd=250)
    assert state.is_completed()
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    async with get_client() as client:
        runs = await client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id])),
            task_run_filter=TaskRunFilter(),
        )
    chunks = [r for r in runs if r.name.startswith("generate-image-ads")]
    assert [r.state_name for r in chunks] == ["Completed"] * 3


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        (["a\nbad,row"], {}, "Row 3: has 2 cells"),
        ([], {}, "no rows"),
        (["a", "b"], {"max_spend_usd": 1.5}, "costs up to 2.00 USD"),
    ],
)
async def test_what_is_wrong_is_told_and_nothing_is_sent(
    tmp_path: Path,
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    rows: list[str],
    options: dict[str, Any],
    says: str,
) -> None:
    place = write_campaign(tmp_path, *rows)
    state = await run(place, tmp_path / "out.csv", credentials, **options)
    assert (state.is_failed(), state.name) == (True, "Refused")
    assert says in (state.message or "")
    assert simulator.api.counts["creates"] == 0
    assert not (tmp_path / "out.csv").exists()


async def test_a_key_without_the_scope_is_refused_by_its_name(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    credentials = StaticAdsLabCredentials.model_validate(
        {"api_key": READ_ONLY_API_KEY, "base_url": simulator.url}
    )
    state = await run(write_campaign(tmp_path, "a"), tmp_path / "out.csv", credentials)
    assert state.name == "Refused"
    assert "image_ads:write" in (state.message or "")
    assert simulator.api.counts["creates"] == 0


async def test_a_dry_run_creates_nothing(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    place = write_campaign(tmp_path, "a", "b")
    state = await run(place, tmp_path / "out.csv", credentials, dry_run=True)
    assert state.is_completed()
    assert state.message == (
        "Dry run: 2 ads would be created, for up to 2.00 USD. Nothing was created."
    )
    assert not (tmp_path / "out.csv").exists()
    assert simulator.api.counts["creates"] == 0
    assert simulator.api.counts["requests"] == 5


async def artifact_of(output: Path, part: str) -> Artifact:
    """The latest of a campaign's artifacts of this kind."""
    key = f"{readable_key('campaign', storage.canonical(str(output)))}-{part}"
    async with get_client() as client:
        found = await client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        )
    return max(found, key=lambda artifact: artifact.created or datetime.min.replace(tzinfo=UTC))


async def test_a_dry_run_keeps_the_ads_as_they_would_be(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    place = write_campaign(tmp_path, "Iced <b>tea</b> | *now*", "", *map(str, range(140)))
    output = tmp_path / "out.csv"
    await run(place, output, credentials, dry_run=True, first=130, max_spend_usd=130)
    kept = await artifact_of(output, "plan")
    assert (kept.description or "").startswith("130 ads to create for up to 130.00 USD: out.csv")
    text = str(kept.data)
    assert "- 12 more wait for a run without --first." in text
    assert "- 1 row has no prompt: row 3." in text
    assert "| Harbor Roast | 130 | 130.00 |" in text
    first = next(line for line in text.splitlines() if "Iced" in line)
    assert first.startswith('| <a href="http')
    assert r"| Iced &lt;b&gt;tea&lt;/b&gt; \| \*now\* |" in first
    assert "The first 100 of 130 ads." in text
    assert sum(" · " in line for line in text.splitlines()) == 100


async def test_a_preview_is_written_before_anything_is_created(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    place = write_campaign(tmp_path, "a", "b")
    output, page = tmp_path / "out.csv", tmp_path / "plan-{year}.html"
    state = await run(place, output, credentials, dry_run=True, preview=str(page))
    assert state.is_completed()
    (written,) = tmp_path.glob("plan-2*.html")
    text = written.read_text()
    assert "2 ads, up to 2.00 USD" in text
    assert "data:image/jpeg;base64," in text
    written.write_text("<h1>My own</h1>")
    state = await run(place, output, credentials, preview=str(page))
    assert state.name == "Refused"
    assert "no preview of this program" in (state.message or "")
    assert simulator.api.counts["creates"] == 0


async def test_some_rows_first_and_then_all_of_them(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    place, output = write_campaign(tmp_path, *"abcde"), tmp_path / "out.csv"
    state = await run(place, output, credentials, rows="3-4", max_spend_usd=2)
    assert state.is_completed()
    assert (state.message or "").startswith("2 of 2 selected rows completed, 2.00 USD, ")
    assert "; 3 more wait for a run without --rows\n" in (state.message or "")
    rows = read_spreadsheet(str(output)).frame
    assert rows["prompt"].tolist() == list("abcde")
    assert rows["status"].tolist() == ["pending", "completed", "completed", "pending", "pending"]
    assert "| Not selected | 3 |" in str((await artifact_of(output, "summary")).data)
    state = await run(place, output, credentials, first=3)
    assert (state.message or "").startswith("3 of 3 selected rows completed, 3.00 USD in all, 1.00")
    state = await run(place, output, credentials)
    assert (state.message or "").startswith("5 of 5 rows completed, 5.00 USD in all, 2.00 of it")
    assert len(simulator.api.jobs) == 5


async def test_a_selected_row_that_fails_fails_the_run(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    place = write_campaign(tmp_path, "a", "SIMULATE_FAILURE", "SIMULATE_FAILURE")
    state = await run(place, tmp_path / "out.csv", credentials, rows="3", attempts=2)
    assert state.is_failed()
    assert "0 of 1 selected rows completed (1 failed)" in (state.message or "")
    assert len(simulator.api.jobs) == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rows": "2,9"}, "Row 9 is not in the spreadsheet"),
        ({"rows": "two"}, "neither a row nor a range"),
        ({"rows": "4-2"}, "reversed"),
        ({"first": -1}, "must be 1 or more"),
        ({"preview": "plan.pdf"}, "must end in .html"),
    ],
)
async def test_a_selection_that_cannot_be_is_refused(
    tmp_path: Path,
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    options: dict[str, Any],
    says: str,
) -> None:
    place = write_campaign(tmp_path, "a", "b")
    state = await run(place, tmp_path / "out.csv", credentials, **options)
    assert state.name == "Refused"
    assert says in (state.message or "")
    assert simulator.api.counts["creates"] == 0


async def test_the_key_shows_nowhere(
    tmp_path: Path, simulator: SimulatorServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in logs, nor in what was written, nor in anything that Prefect's server was told."""
    caplog.set_level(logging.DEBUG)
    secret = "sal_live_THESECRET"
    simulator.api.scopes[secret] = list(simulator.api.scopes[READ_ONLY_API_KEY])
    simulator.api.scopes[secret].append("image_ads:write")
    credentials = StaticAdsLabCredentials.model_validate(
        {"api_key": secret, "base_url": simulator.url}
    )
    place = write_campaign(tmp_path, "a", "SIMULATE_FAILURE")
    pictures = tmp_path / "pictures"
    state = await run(
        place, tmp_path / "out.csv", credentials, download_images=str(pictures), attempts=1
    )
    told = [caplog.text, repr(state), state.message or ""]
    told += contents(tmp_path)
    assert len(told) > 6
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    async with get_client() as client:
        flow_run = await client.read_flow_run(run_id)
        told.append(flow_run.model_dump_json())
        told += [json.dumps(flow_run.parameters, default=str)]
        told += [a.model_dump_json() for a in await client.read_artifacts()]
        told += [r.model_dump_json() for r in await client.read_task_runs()]
        told += [entry.message for entry in await client.read_logs(LogFilter())]
    assert any("already completed" in text for text in told)
    assert not [text[:200] for text in told if "THESECRET" in text]
