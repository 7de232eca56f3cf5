"""Result tables of the version before: their keys are words in `error`, without columns."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.api.connection import hash_api_key
from prefect_staticadslab.api.retries import key_lock
from prefect_staticadslab.campaign.files.cells import Dialect, frame_of
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet, write_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.pipeline.adoption import STILL_ON_ITS_WAY
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.rows.ad_rows import read_rows
from prefect_staticadslab.campaign.table.idempotency import idempotency_key
from prefect_staticadslab.campaign.table.job_state import KEY_COLUMNS, RESULT_COLUMNS
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.campaign.shop import NAMES, SHOP, expanded
from tests.conftest import run_campaign, write_campaign

CAMPAIGN = "00ff00ff00ff00ff"
EARLIER_COLUMNS = tuple(name for name in RESULT_COLUMNS if name not in KEY_COLUMNS)
PROMPTS = ("pending", "submitting", "processing", "completed", "failed", "removed")


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_lock, "WORK_SECONDS", 0.1)


def sent_as(identity: str, asked_at: datetime) -> str:
    """What the version before wrote into `error`."""
    moment = asked_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    name = f"{CAMPAIGN}-{identity}-{hash_api_key(SIMULATOR_API_KEY)}"
    return f"Sent as {name} at {moment}; no answer is known. 503"


def earlier_table(folder: Path, ending: str, states: Mapping[str, Mapping[str, object]]) -> str:
    """A table of the version before with a row for each prompt, in these states."""
    spreadsheet = write_campaign(folder, *PROMPTS)
    given = read_spreadsheet(spreadsheet).frame
    lines = [
        [*line, *(states[prompt].get(column, "") for column in EARLIER_COLUMNS)]
        for prompt, line in zip(PROMPTS, given.itertuples(index=False, name=None), strict=True)
    ]
    output = str(folder / f"out{ending}")
    write_spreadsheet(output, frame_of([*given.columns, *EARLIER_COLUMNS], lines), Dialect())
    write_campaign(folder, *PROMPTS[:-1])
    return output


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".parquet"])
async def test_rows_in_each_state_are_gone_on_with(
    tmp_path: Path, ending: str, simulator: SimulatorServer, client: StaticAdsLabClient
) -> None:
    write_campaign(tmp_path, *PROMPTS)
    rows = Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "none.csv")).table.rows
    by_prompt = {row.request.prompt: row for row in rows}
    now = datetime.now(UTC)
    sent = by_prompt["submitting"]
    lost = await client.create_image_ad(
        sent.request, idempotency_key=idempotency_key(CAMPAIGN, sent.identity, 2)
    )
    running = await client.create_image_ad(by_prompt["processing"].request)
    gone = await client.create_image_ad(by_prompt["removed"].request)
    states: dict[str, dict[str, object]] = {
        "pending": {"status": "pending", "attempts": 0},
        "submitting": {
            "status": "submitting",
            "attempts": 2,
            "submitted_at": (now - timedelta(hours=2)).isoformat(timespec="seconds"),
            "error": sent_as(sent.identity, now - timedelta(hours=1)),
        },
        "processing": {
            "status": "processing",
            "image_ad_id": running.image_ad.id,
            "attempts": 1,
            "submitted_at": now.isoformat(timespec="seconds"),
        },
        "completed": {
            "status": "completed",
            "image_ad_id": "ia_old",
            "image_url": "http://127.0.0.1:9/old.png",
            "cost_usd": 1.0,
            "attempts": 1,
        },
        "failed": {"status": "failed", "error": "No.", "cost_usd": 0.0, "attempts": 1},
        "removed": {"status": "processing", "image_ad_id": gone.image_ad.id, "attempts": 1},
    }
    output = earlier_table(tmp_path, ending, states)
    before = len(simulator.api.jobs)

    campaign, _ = await run_campaign(str(tmp_path / "in.csv"), output, simulator.url)

    table = campaign.table
    ended = {row.request.prompt: s for row, s in zip(table.rows, table.states, strict=True)}
    assert {state.status for state in ended.values()} == {RowStatus.COMPLETED}
    assert ended["submitting"].job_id == lost.image_ad.id, "asked for with the key that it had"
    assert ended["submitting"].attempts == 2
    assert ended["processing"].job_id == running.image_ad.id
    assert ended["removed"].job_id == gone.image_ad.id
    assert ended["completed"].job_id == "ia_old"
    assert ended["failed"].attempts == 2
    assert len(simulator.api.jobs) == before + 2, "only what was pending and what had failed"
    columns = list(read_spreadsheet(output).frame.columns) if ending != ".parquet" else None
    assert columns is None or tuple(columns[-len(RESULT_COLUMNS) :]) == RESULT_COLUMNS


VERSION_BEFORE = tuple(name for name in RESULT_COLUMNS if name != "request_hash")


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".xlsx", ".parquet"])
def test_ids_and_prompts_that_were_written_over_the_users_words_are_the_same_rows(
    tmp_path: Path, ending: str
) -> None:
    """Tables of the version before have ids, names and prompts where she wrote what they are of."""
    row = {**NAMES, "price": "3.50", "design_template": "ad_format=Sale", "audience": "*"}
    given = [
        {**row, "prompt": "{{{audience}}}, {price}"},
        {**row, "audience": "Late", "prompt": "Plain"},
    ]
    spreadsheet = expanded(*given)
    new = spreadsheet.frame
    lines = new.assign(
        prompt=new["sent_prompt"],
        audience=new["sent_audience"],
        design_template=new["design_template_id"],
    ).drop(columns=["sent_prompt", "sent_audience"])
    states = [
        JobState(RowStatus.COMPLETED, f"ia_{number}", "https://cdn/1.png", attempts=1)
        for number in range(len(lines))
    ]
    states[1] = JobState(RowStatus.PROCESSING, "ia_1", attempts=1)
    states[2] = JobState(RowStatus.SUBMITTING, attempts=1, idempotency_key="ab" * 32)
    states[3] = JobState(RowStatus.FAILED, error="No.", attempts=1)
    cells = [
        [*line, *state.cells()[: len(VERSION_BEFORE)]]
        for line, state in zip(lines.itertuples(index=False, name=None), states, strict=True)
    ]
    output = str(tmp_path / f"out{ending}")
    write_spreadsheet(output, frame_of([*lines, *VERSION_BEFORE], cells), Dialect())

    copied = read_spreadsheet(output)
    taken = ImageAdTable.open(str(tmp_path / "next.csv"), expand(Brief.read(copied), SHOP))
    taken.take_over_earlier_jobs(copied, "out", again=False)
    assert taken.states == [*states[:3], JobState(), *states[4:]]
    assert [r.request for r in taken.rows] == [r.request for r in read_rows(spreadsheet)]
    for _ in range(2):
        table = ImageAdTable.open(output, spreadsheet)
        assert table.states == states
        assert table.totals().removed == 0
        table.save_now()
    written = read_spreadsheet(output).frame
    assert set(written["prompt"]) == {"{{{audience}}}, {price}", "Plain"}
    assert set(written["design_template"]) == {"ad_format=Sale"}
    assert set(written["sent_prompt"]) == set(lines["prompt"])

    fewer = expanded(given[1])
    for _ in range(2):
        table = ImageAdTable.open(output, fewer)
        assert [state.job_id for state in table.states[:2]] == ["ia_6", "ia_7"]
        table.save_now()
    kept = [s.job_id for r, s in zip(table.rows, table.states, strict=True) if r.removed]
    assert kept == ["ia_0", "ia_1", None, "ia_4", "ia_5"]


def test_a_key_in_words_is_the_key_in_its_column(tmp_path: Path) -> None:
    spreadsheet = write_campaign(tmp_path, *PROMPTS)
    identity = Campaign.open(spreadsheet, str(tmp_path / "x.csv")).table.rows[1].identity
    asked_at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    sent = {"status": "submitting", "attempts": 3, "error": sent_as(identity, asked_at)}
    states = {prompt: {"status": "pending"} for prompt in PROMPTS} | {"submitting": sent}
    table = Campaign.open(spreadsheet, earlier_table(tmp_path, ".csv", states)).table
    state = table.states[1]
    assert state.idempotency_key == idempotency_key(CAMPAIGN, identity, 3)
    assert state.api_key_hash == hash_api_key(SIMULATOR_API_KEY)
    assert (state.asked_at, state.error) == (asked_at, "503")
    table.save_now()
    written = read_spreadsheet(str(tmp_path / "out.csv")).frame.iloc[1]
    assert written["idempotency_key"] == state.idempotency_key
    assert written["api_key_hash"] == state.api_key_hash
    assert written["error"] == "Sent at 2026-05-01T12:00:00Z; no answer is known. 503"
    assert Campaign.open(spreadsheet, str(tmp_path / "out.csv")).table.states == table.states


def test_a_column_of_the_users_with_such_a_name_stays_hers(tmp_path: Path) -> None:
    states = {prompt: {"status": "pending"} for prompt in PROMPTS}
    output = earlier_table(tmp_path, ".csv", states)
    for file in (tmp_path / "in.csv", Path(output)):
        with file.open(newline="") as opened:
            header, *lines = list(csv.reader(opened))
        with file.open("w", newline="") as opened:
            csv.writer(opened).writerows(
                [["idempotency_key", *header], *([f"mine {i}", *x] for i, x in enumerate(lines))]
            )
    table = Campaign.open(str(tmp_path / "in.csv"), output).table
    table.save_now()
    written = read_spreadsheet(output).frame
    assert list(written["input_idempotency_key"]) == [f"mine {i}" for i in range(5)]
    assert set(written["idempotency_key"]) == {""}


@pytest.mark.parametrize(
    "nonsense", ["x", "AA" * 32, "aa" * 31, "aa" * 32 + "\r\nX-Evil: 1", "=1+1", "1.2E+15"]
)
def test_what_does_not_look_like_a_key_is_none_and_a_hash_another_keys(
    tmp_path: Path, nonsense: str
) -> None:
    spreadsheet = write_campaign(tmp_path, "a")
    campaign = Campaign.open(spreadsheet, str(tmp_path / "out.csv"))
    ((plan,),) = (chunk.jobs for chunk in campaign.chunks())
    attempt = Attempt(plan)
    attempt.mark(datetime.now(UTC), "aa" * 8)
    campaign.table.update(0, attempt.state)
    campaign.table.save_now()
    written = read_spreadsheet(str(tmp_path / "out.csv")).frame
    changed = written.assign(idempotency_key=nonsense, api_key_hash=nonsense)
    write_spreadsheet(str(tmp_path / "out.csv"), changed, Dialect())
    (state,) = Campaign.open(spreadsheet, str(tmp_path / "out.csv")).table.states
    assert state.status is RowStatus.SUBMITTING
    assert state.idempotency_key is None
    assert state.api_key_hash == nonsense
    assert Attempt(replace(plan, state=state)).idempotency_key == attempt.idempotency_key


@pytest.mark.parametrize("number", ["1.11111E+15", "1,11111E+15", "1111111111111110", "1.1e15"])
async def test_a_hash_that_became_a_number_lets_no_other_api_key_send(
    tmp_path: Path, number: str, client: StaticAdsLabClient
) -> None:
    """Some hashes have only digits, and a spreadsheet program rounds them."""
    spreadsheet, output = write_campaign(tmp_path, "a"), str(tmp_path / "out.csv")
    campaign = Campaign.open(spreadsheet, output)
    ((plan,),) = (chunk.jobs for chunk in campaign.chunks())
    attempt = Attempt(plan)
    attempt.mark(client.now(), "1" * 16)
    campaign.table.update(0, attempt.state)
    campaign.table.save_now()
    written = read_spreadsheet(output).frame
    write_spreadsheet(output, written.assign(api_key_hash=number), Dialect())
    campaign = Campaign.open(spreadsheet, output)
    await campaign.adopt([client])
    assert campaign.adoption.looked_for == 1
    assert campaign.adoption.held == {0: STILL_ON_ITS_WAY}
    again = Attempt(replace(plan, state=campaign.table.states[0]))
    again.mark(client.now(), client.api_key_hash)
    assert not again.decide_to_send(client.api_key_hash, is_stopped=False, reason=None)
