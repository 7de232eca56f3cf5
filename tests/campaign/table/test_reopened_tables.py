"""A result table by itself, without its spreadsheet, is read and written as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from tests.campaign.table.test_results import HEADER, completed, line, opened


@pytest.mark.parametrize("output", ["out.csv", "out.tsv", "out.xlsx", "out.parquet"])
def test_a_table_that_is_reopened_and_written_is_the_same(tmp_path: Path, output: str) -> None:
    header = "row_id;Status;Größe;" + HEADER.replace(",", ";")
    cells = "dt_1;brand_1;prod_1;aud_1"
    lines = [f'00{i};"sold;out";1,50;{cells};"two ""lines""\nof {i}"' for i in range(6)]
    place = tmp_path / "in.csv"
    place.write_text("\r\n".join([header, *lines]), encoding="utf-8-sig")
    table = Campaign.open(str(place), str(tmp_path / output)).table
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    table.update(0, replace(completed(1), submitted_at=now, completed_at=now))
    table.update(1, JobState(RowStatus.FAILED, "ia_2", error="No. (PIPELINE_ERROR)", attempts=2))
    sent = JobState(RowStatus.SUBMITTING, attempts=1, error="No answer.", asked_at=now)
    table.update(2, replace(sent, idempotency_key="a" * 64, api_key_hash="c" * 16))
    table.update(3, replace(completed(4), image_path="old/4.png"))
    table.update(4, JobState(RowStatus.PROCESSING, job_id="ia_5", attempts=1))
    table.save_now()
    place.write_text("\r\n".join([header, *lines[:2], lines[5]]), encoding="utf-8-sig")
    table = Campaign.open(str(place), str(tmp_path / output)).table
    assert table.totals().removed == 3
    table.save_now()
    before = read_spreadsheet(str(tmp_path / output))

    again = ImageAdTable.reopen(str(tmp_path / output))
    assert again.totals().removed == 3
    assert [r.identity for r in again.rows] == [r.identity for r in table.rows]
    assert again.states == table.states
    again.update(0, again.states[0])
    bytes_before = (tmp_path / output).read_bytes()
    again.save_now()
    after = read_spreadsheet(str(tmp_path / output))
    assert after.frame.equals(before.frame)
    assert after.dialect == before.dialect
    if output.endswith((".csv", ".tsv")):
        assert (tmp_path / output).read_bytes() == bytes_before


def test_what_a_campaign_wrote_meanwhile_stays_and_gets_the_pictures(tmp_path: Path) -> None:
    campaign = opened(tmp_path, "a", "b", "c")
    campaign.update(1, completed(2))
    campaign.save_now()
    reopened = ImageAdTable.reopen(str(tmp_path / "out.csv"))
    campaign = opened(tmp_path, "new", "c", "a", "b")
    campaign.update(0, JobState(RowStatus.PROCESSING, job_id="ia_9", attempts=1))
    campaign.update(2, replace(completed(1), image_path="pictures/1.png"))
    campaign.save_now()
    reopened.update(1, replace(completed(2), image_url="https://new/2.png", image_path="p/2.png"))
    reopened.save_now()
    written = ImageAdTable.reopen(str(tmp_path / "out.csv"))
    assert [r.request.prompt for r in written.rows] == ["new", "c", "a", "b"]
    assert [s.job_id for s in written.states] == ["ia_9", None, "ia_1", "ia_2"]
    assert [s.image_path for s in written.states] == [None, None, "pictures/1.png", "p/2.png"]
    assert written.states[3].image_url == "https://new/2.png"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.csv", None, "There is no result table"),
        ("in.csv", f"{HEADER}\n{line('a')}\n", "is no result table"),
        ("my.csv", "my,own\n1,2\n", "is no result table"),
        ("notes.txt", "a", "ends in one of"),
        ("empty.csv", "", "cannot be read: The file is empty"),
    ],
)
def test_what_is_no_result_table_is_not_reopened(
    tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(CampaignError, match=says):
        ImageAdTable.reopen(str(tmp_path / name))
    assert not (tmp_path / name).exists() or (tmp_path / name).read_text() == content
