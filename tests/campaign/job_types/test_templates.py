"""Design templates from reference ads: what is taken for one, what is refused, and what is made."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from prefect_staticadslab import JobState, StaticAdsLabClient
from prefect_staticadslab.campaign.errors import CampaignError, SpreadsheetError
from prefect_staticadslab.campaign.job_types.design_templates import (
    HELD,
    MAY_BE_AT_WORK,
    REMOVED_AND_HELD,
    TemplateBatch,
)
from prefect_staticadslab.campaign.job_types.references import References
from prefect_staticadslab.campaign.pipeline.adoption import STILL_ON_ITS_WAY
from prefect_staticadslab.campaign.pipeline.batch import mark_chunk
from prefect_staticadslab.campaign.pipeline.submit import send
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.campaign.table.limits import BudgetError
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import run_batch, sent_at


def picture(color: str = "teal", size: tuple[int, int] = (80, 100), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, kind)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "references"
    made.mkdir()
    (made / "b.jpg").write_bytes(picture("navy", kind="JPEG"))
    (made / "a.png").write_bytes(picture("teal"))
    (made / "notes.txt").write_text("Not a picture")
    (made / ".DS_Store").write_bytes(b"\x00")
    return made


async def run(batch: TemplateBatch, url: str) -> TemplateBatch:
    """What the flow does, without Prefect."""
    await run_batch(batch, url)
    return batch


# What is a reference


def test_a_folders_pictures_are_references_in_the_order_of_their_names(folder: Path) -> None:
    references = References.read(str(folder))
    assert list(references.spreadsheet.frame["reference"]) == ["a.png", "b.jpg"]
    assert references.ignored == ("notes.txt",)


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="There is no picture in the folder"):
        References.read(str(tmp_path))


def test_a_spreadsheets_paths_start_at_its_own_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "~c.png").write_bytes(picture("red"))
    (folder / "refs.csv").write_text("sku,Reference\n1,a.png\n2,more/~c.png\n", encoding="utf-8")
    batch = TemplateBatch.open(str(folder / "refs.csv"), str(tmp_path / "out.csv"))
    assert [row.request.reference.text for row in batch.table.rows] == [
        str(folder / "a.png"),
        str(folder / "more" / "~c.png"),
    ]


def test_a_spreadsheet_without_references_is_told(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("sku,name\n1,x\n")
    with pytest.raises(SpreadsheetError, match="There is no column with reference ads"):
        TemplateBatch.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"))


def test_what_is_no_picture_is_told_with_its_row_before_anything_is_sent(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "broken.png").write_bytes(picture()[:60])
    (folder / "large.png").write_bytes(picture() + bytes(15 * 1024 * 1024))
    (folder / "refs.csv").write_text(
        "reference\na.png\nnotes.txt\nbroken.png\nlarge.png\nmissing.png\n"
    )
    with pytest.raises(SpreadsheetError) as refused:
        TemplateBatch.open(str(folder / "refs.csv"), str(tmp_path / "out.csv"))
    assert str(refused.value).splitlines() == [
        f"Row 3: {folder}/notes.txt is no PNG, JPEG, WebP or GIF.",
        f"Row 4: {folder}/broken.png is a broken image (OSError).",
        f"Row 5: {folder}/large.png has more than 15 MB, the most that the API takes.",
        f"Row 6: There is no file {folder}/missing.png.",
    ]


def test_what_they_cost_is_counted_in_the_budget(folder: Path, tmp_path: Path) -> None:
    plan = Plan.of(TemplateBatch.open(str(folder), str(tmp_path / "out.csv")).table)
    assert "2 × 0.25 USD = 0.50 USD" in plan.describe()
    plan.check_budget(0.5)
    with pytest.raises(BudgetError, match=r"up to 0\.50 USD, and the limit is 0\.49"):
        plan.check_budget(0.49)


# Against the simulator


async def test_templates_are_made_and_a_second_run_makes_none(
    folder: Path, tmp_path: Path, simulator: SimulatorServer, client: StaticAdsLabClient
) -> None:
    output = str(tmp_path / "out.csv")
    batch = await run(TemplateBatch.open(str(folder), output), simulator.url)
    assert [state.status for state in batch.table.states] == [RowStatus.COMPLETED] * 2
    for state in batch.table.states:
        template = await client.get_design_template(state.job_id or "")
        assert template.is_completed
        assert (state.image_url, state.facts["aspect_ratio"]) == (template.preview_url, "4:5")
        assert {"industry", "ad_format"} <= state.facts.keys()
    (folder / "c.gif").write_bytes(picture("red", kind="GIF"))
    again = await run(TemplateBatch.open(str(folder), output), simulator.url)
    ended = [[s.cells() for s in run.table.states[:2]] for run in (batch, again)]
    assert ended[0] == ended[1]
    assert again.table.states[2].is_completed
    header, *lines = (tmp_path / "out.csv").read_text().splitlines()
    assert header.startswith(
        "reference,design_template_id,status,preview_url,aspect_ratio,industry,ad_format,error,"
    )
    assert len(lines) == 3


async def test_a_template_that_fails_is_free_and_tried_again(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    (tmp_path / "a.png").write_bytes(picture() + b"SIMULATE_FAILURE")
    batch = await run(TemplateBatch.open(str(tmp_path), str(tmp_path / "o.csv")), simulator.url)
    (state,) = batch.table.states
    assert (state.status, state.attempts, state.cost_usd) == (
        RowStatus.FAILED,
        2,
        Decimal(0),
    )


@pytest.mark.parametrize("renamed", [False, True])
async def test_a_create_that_was_not_answered_is_asked_for_with_the_same_key(
    renamed: bool,
    folder: Path,
    tmp_path: Path,
    simulator: SimulatorServer,
    client: StaticAdsLabClient,
) -> None:
    output = str(tmp_path / "out.csv")
    batch = TemplateBatch.open(str(folder), output)
    (chunk,) = batch.chunks()
    marked = await mark_chunk(
        batch.table, type(chunk)(client.api_key_hash, chunk.jobs), datetime.now(UTC)
    )

    plan = marked.jobs[0]
    key = plan.state.idempotency_key or ""
    sent = await send(client, plan.request, idempotency_key=key, on_send=lambda: None)
    if renamed:
        (folder / "a.png").rename(folder / "z.jpeg")
        (folder / "b.jpg").rename(folder / "a.png")
    again = await run(TemplateBatch.open(str(folder), output), simulator.url)
    assert again.table.states[1 if renamed else 0].job_id == sent.job.id
    assert all(state.is_completed for state in again.table.states)
    assert len(simulator.api.templates) == 2


async def test_of_equal_pictures_with_several_names_each_is_made_once(
    folder: Path, tmp_path: Path, simulator: SimulatorServer, client: StaticAdsLabClient
) -> None:
    (folder / "b.jpg").write_bytes((folder / "a.png").read_bytes())
    output = str(tmp_path / "out.csv")
    batch = TemplateBatch.open(str(folder), output)
    (chunk,) = batch.chunks()
    marked = await mark_chunk(
        batch.table, type(chunk)(client.api_key_hash, chunk.jobs), datetime.now(UTC)
    )
    sent = [
        await send(
            client,
            plan.request,
            idempotency_key=plan.state.idempotency_key or "",
            on_send=lambda: None,
        )
        for plan in marked.jobs
    ]
    # Which of them comes first, and so has which key, goes by their names.
    (folder / "0.png").write_bytes((folder / "a.png").read_bytes())
    again = await run(TemplateBatch.open(str(folder), output), simulator.url)
    assert {made.job.id for made in sent} < {state.job_id for state in again.table.states}
    assert len(simulator.api.templates) == 3


KEY_HASH = "22dd" * 4


def test_a_row_whose_key_has_expired_is_left_to_people(folder: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "out.csv")
    batch = TemplateBatch.open(str(folder), output)
    now = datetime.now(UTC)
    day = timedelta(days=1)
    for position, asked in enumerate((now - day, now)):
        sent = sent_at(asked, KEY_HASH)
        facts = batch.table.states[position].facts
        batch.table.update(position, replace(sent, facts=facts))
    batch.table.save_now()
    again = TemplateBatch.open(str(folder), output)
    again.hold_expired(now, {KEY_HASH})
    assert [ad.position for chunk in again.chunks() for ad in chunk.jobs] == [1]
    assert "nobody can say" in (again.table.states[0].error or "")
    again.hold_expired(now, {"another key"})
    assert again.chunks() == []


@pytest.mark.parametrize(
    "sent",
    [
        replace(sent_at(datetime.now(UTC), KEY_HASH), idempotency_key=None),
        replace(sent_at(datetime.now(UTC), KEY_HASH), submitted_at=None),
    ],
    ids=["key", "age"],
)
def test_a_row_whose_key_or_its_age_nobody_knows_is_left_to_people(
    folder: Path, tmp_path: Path, sent: JobState
) -> None:
    """A key that is derived anew is another one in a table that was moved."""
    output = str(tmp_path / "out.csv")
    batch = TemplateBatch.open(str(folder), output)
    batch.table.update(0, replace(sent, facts=batch.table.states[0].facts))
    batch.table.save_now()
    moved = str(Path(output).rename(tmp_path / "moved.csv"))
    again = TemplateBatch.open(str(folder), moved)
    again.hold_expired(datetime.now(UTC), {KEY_HASH})
    assert list(again.adoption.held) == [0]
    assert [ad.position for chunk in again.chunks() for ad in chunk.jobs] == [1]


async def test_a_reference_is_known_by_what_it_shows(
    folder: Path, tmp_path: Path, simulator: SimulatorServer
) -> None:
    output = str(tmp_path / "out.csv")
    await run(TemplateBatch.open(str(folder), output), simulator.url)
    (folder / "a.png").rename(folder / "renamed.png")
    (folder / "refs.csv").write_text("reference\nrenamed.png\nb.jpg\n")
    for source in (folder, folder / "refs.csv", folder):
        batch = await run(TemplateBatch.open(str(source), output), simulator.url)
        assert len(simulator.api.templates) == 2
        assert all(state.is_completed for _, _, state in batch.table.current_rows)
    (folder / "b.jpg").write_bytes(picture("black", kind="JPEG"))
    again = await run(TemplateBatch.open(str(folder), output), simulator.url)
    assert len(simulator.api.templates) == 3
    assert again.table.totals().removed == 1
    # The table itself names the pictures, too.
    (folder / "copy.csv").write_bytes((tmp_path / "out.csv").read_bytes())
    assert len(TemplateBatch.open(str(folder / "refs.csv"), output).table.current_rows) == 2


MINUTE, TWO_HOURS, DAY = timedelta(minutes=1), timedelta(hours=2), timedelta(days=1)


@pytest.mark.parametrize(
    ("age", "changes", "is_removed", "told"),
    [
        (MINUTE, {}, False, None),
        (MINUTE, {"api_key_hash": None}, False, None),
        # Whoever sent it may be at work, so nobody is told to have another one made.
        (MINUTE, {"api_key_hash": "33ee" * 4}, False, STILL_ON_ITS_WAY),
        (MINUTE, {"api_key_hash": "33ee" * 4}, True, MAY_BE_AT_WORK),
        (MINUTE, {}, True, MAY_BE_AT_WORK),
        (MINUTE, {"submitted_at": datetime(2026, 5, 1, tzinfo=UTC)}, False, MAY_BE_AT_WORK),
        # As taken over from a table whose keys were deleted.
        (MINUTE, {"submitted_at": None, "idempotency_key": None}, False, MAY_BE_AT_WORK),
        (MINUTE, {"submitted_at": None, "asked_at": None, "idempotency_key": None}, False, HELD),
        (TWO_HOURS, {}, False, None),
        (TWO_HOURS, {"api_key_hash": "33ee" * 4}, False, HELD),
        (TWO_HOURS, {}, True, REMOVED_AND_HELD),
        (DAY, {}, False, HELD),
        (DAY, {}, True, REMOVED_AND_HELD),
    ],
)
def test_what_is_told_of_a_row_that_cannot_be_sent_again(
    age: timedelta,
    changes: dict[str, Any],
    is_removed: bool,
    told: str | None,
    folder: Path,
    tmp_path: Path,
) -> None:
    output, now = str(tmp_path / "out.csv"), datetime(2026, 5, 3, tzinfo=UTC)
    batch = TemplateBatch.open(str(folder), output)
    sent = replace(sent_at(now - age, KEY_HASH), facts=batch.table.states[0].facts, **changes)
    batch.table.update(0, sent)
    batch.table.save_now()
    if is_removed:
        (folder / "a.png").unlink()
    again = TemplateBatch.open(str(folder), output)
    again.hold_expired(now, {KEY_HASH})
    position = 1 if is_removed else 0
    assert again.adoption.held == ({position: told} if told else {})
    assert told is None or (again.table.states[position].error or "").endswith(told)
    assert (position in [ad.position for c in again.chunks() for ad in c.jobs]) is (told is None)
