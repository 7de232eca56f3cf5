"""The result table: columns, resumption, and what it leaves alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.table.job_state import REMOVED, RESULT_COLUMNS
from prefect_staticadslab.campaign.table.table_on_disk import OutputError

HEADER = "design_template_id,brand_id,product_id,audience_id,prompt"


def line(prompt: str, extra: str = "") -> str:
    return f"dt_1,brand_1,prod_1,aud_1,{prompt}{extra}"


def write_input(folder: Path, *prompts: str) -> str:
    file = folder / "in.csv"
    file.write_text("\n".join([HEADER, *map(line, prompts)]) + "\n")
    return str(file)


def opened(folder: Path, *prompts: str, output: str = "out.csv") -> ImageAdTable:
    return Campaign.open(write_input(folder, *prompts), str(folder / output)).table


def completed(number: int) -> JobState:
    return JobState(
        status=RowStatus.COMPLETED,
        job_id=f"ia_{number}",
        image_url=f"https://cdn/{number}.png",
        cost_usd=Decimal(1),
        attempts=1,
        width=1080,
        height=1350,
    )


@pytest.mark.parametrize("output", ["out.csv", "out.tsv", "out.xlsx", "out.parquet"])
def test_a_table_is_resumed_in_every_format(tmp_path: Path, output: str) -> None:
    table = opened(tmp_path, "a", "b", "c", output=output)
    table.update(0, completed(1))
    table.update(1, JobState(RowStatus.PROCESSING, job_id="ia_2", attempts=2))
    table.save_now()

    again = opened(tmp_path, "a", "b", "c", output=output)
    assert again.resumed
    assert again.states == table.states

    names = list(read_spreadsheet(str(tmp_path / output)).frame.columns)
    assert names == [*HEADER.split(","), *RESULT_COLUMNS]


def test_states_follow_their_rows_wherever_these_go(tmp_path: Path) -> None:
    table = opened(tmp_path, "a", "b", "b")
    for position in range(3):
        table.update(position, completed(position))
    table.save_now()
    again = opened(tmp_path, "new", "b", "a", "b")
    assert [s.job_id for s in again.states] == [None, "ia_1", "ia_0", "ia_2"]


def test_an_ad_whose_row_is_gone_stays_after_the_others_and_comes_back(tmp_path: Path) -> None:
    table = opened(tmp_path, "a", "b")
    table.update(0, completed(1))
    table.update(1, completed(2))
    table.save_now()

    edited = opened(tmp_path, "a but better", "b")
    edited.save_now()
    frame = read_spreadsheet(str(tmp_path / "out.csv"), known_columns=frozenset()).frame
    assert frame["prompt"].tolist() == ["a but better", "b", "a"]
    assert frame["image_ad_id"].tolist() == ["", "ia_2", "ia_1"]
    assert frame["error"].tolist() == ["", "", REMOVED]

    back = opened(tmp_path, "a", "b")
    assert back.states[0] == completed(1)
    assert not any(row.removed for row in back.rows)


def test_a_column_that_is_called_like_ours_gets_a_prefix(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(
        f"{HEADER},Status,image_url\n{line('a', ',active,https://shop/1.png')}\n"
    )
    table = Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv")).table
    table.save_now()
    frame = read_spreadsheet(str(tmp_path / "out.csv")).frame
    assert frame["input_Status"].tolist() == ["active"]
    assert frame["input_image_url"].tolist() == ["https://shop/1.png"]
    assert frame["status"].tolist() == ["pending"]
    assert Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv")).table.resumed


def test_a_row_with_a_row_id_can_be_edited_again_and_again(tmp_path: Path) -> None:
    for number, prompt in enumerate(["a", "b", "c"]):
        (tmp_path / "in.csv").write_text(f"row_id,{HEADER}\n1,{line(prompt)}\n")
        table = Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv")).table
        assert table.states[0].job_id is None
        table.update(0, completed(number))
        table.save_now()
    ads = read_spreadsheet(str(tmp_path / "out.csv")).frame["image_ad_id"].tolist()
    assert (ads[0], sorted(ads[1:])) == ("ia_2", ["ia_0", "ia_1"])


def test_our_own_table_can_be_an_input_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "0.csv").write_text(f"{HEADER},,\n{line('a', ',x,y')}\n")
    for number in range(3):
        for _ in range(2):
            table = Campaign.open(
                str(tmp_path / f"{number}.csv"), str(tmp_path / f"{number + 1}.csv")
            ).table
            table.save_now()
    header = (tmp_path / "3.csv").read_text().splitlines()[0].split(",")
    assert header == [*HEADER.split(","), "", "", *RESULT_COLUMNS]


@pytest.mark.parametrize("output", ["out.csv", "out.tsv", "out.xlsx", "out.parquet"])
def test_no_format_makes_a_row_another_one(tmp_path: Path, output: str) -> None:
    """Or it would be paid for again once its key has expired."""
    prompts = [
        "crlf\r\nx",
        "cr\rx",
        "bell\x07",
        "vt\x0bx",
        "=1+1",
        " spaces ",
        "_x0041_",
        "x\u2028y",
    ]
    quoted = ['"' + prompt + '"' for prompt in prompts]
    (tmp_path / "in.csv").write_bytes("\n".join([HEADER, *map(line, quoted)]).encode())
    for _ in range(2):
        table = Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / output)).table
        if not table.resumed:
            for position in range(len(prompts)):
                table.update(position, completed(position))
            table.save_now()
    assert table.states == [completed(position) for position in range(len(prompts))]
    assert not any(row.removed for row in table.rows)


def test_a_cell_that_an_xlsx_would_cut_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="Row 2, column prompt: has 40,000 characters"):
        opened(tmp_path, "x" * 40_000, output="out.xlsx").save_now()


def test_a_date_that_is_none_costs_no_ad(tmp_path: Path) -> None:
    table = opened(tmp_path, "a")
    long_ago = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    table.update(0, replace(completed(1), completed_at=long_ago))
    table.save_now()
    assert opened(tmp_path, "a").states == [completed(1)]


@pytest.mark.parametrize(
    "content", ["", "a,b\n1,2\n", "status,image_ad_id\npending,\n", f"{HEADER}\n{line('x')}\n"]
)
def test_what_is_not_our_table_is_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "out.csv").write_text(content)
    with pytest.raises(OutputError, match="left alone"):
        opened(tmp_path, "a")
    assert (tmp_path / "out.csv").read_text() == content


def test_an_output_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"must end in one of: \.csv"):
        opened(tmp_path, "a", output="out.pdf")
    with pytest.raises(OutputError, match="the spreadsheet itself"):
        opened(tmp_path, "a", output="../" + tmp_path.name + "/in.csv")
    with pytest.raises(CampaignError, match="There is no folder"):
        opened(tmp_path, "a", output="none/out.csv")


def test_a_simulators_table_does_not_pass_for_real(tmp_path: Path) -> None:
    table = opened(tmp_path, "a")
    simulated = JobState(RowStatus.COMPLETED, "ia_1", "http://127.0.0.1:1/p.png")
    table.update(0, simulated)
    table.save_now()
    place = str(tmp_path / "in.csv"), str(tmp_path / "out.csv")
    with pytest.raises(OutputError, match="made with a simulator"):
        Campaign.open(*place, base_url="https://api.staticadslab.com")
    assert Campaign.open(*place, base_url="http://127.0.0.1:2").table.resumed


async def test_a_checkpoint_is_on_disk_before_anything_is_sent(tmp_path: Path) -> None:
    table = opened(tmp_path, "a", "b")
    await table.before_send({1: JobState(RowStatus.SUBMITTING, attempts=1)})
    assert opened(tmp_path, "a", "b").states[1].status is RowStatus.SUBMITTING


async def test_the_table_is_saved_whatever_ends_the_run(tmp_path: Path) -> None:
    table = opened(tmp_path, "a")

    async def run() -> None:
        async with table.checkpoints(print):
            table.update(0, completed(1))
            raise KeyError

    with pytest.raises(KeyError):
        await run()
    assert opened(tmp_path, "a").states == [completed(1)]


states = st.builds(
    JobState,
    status=st.sampled_from(RowStatus),
    job_id=st.none() | st.from_regex(r"ia_[a-z0-9]{1,8}", fullmatch=True),
    image_url=st.none() | st.just("https://cdn/1.png"),
    error=st.none() | st.sampled_from(["no, never", 'a "quoted"\nreason', "ö"]),
    cost_usd=st.none() | st.sampled_from([Decimal(0), Decimal(1), Decimal("0.25"), Decimal(4)]),
    attempts=st.integers(0, 9),
    width=st.none() | st.integers(1, 9000),
    height=st.none() | st.integers(1, 9000),
    submitted_at=st.none()
    | st.datetimes(datetime(2000, 1, 2), datetime(9998, 1, 1)).map(
        lambda d: d.replace(microsecond=0, tzinfo=UTC)
    ),
).filter(lambda state: state.job_id is not None or state.status is not RowStatus.PROCESSING)


@given(states)
def test_a_state_survives_its_cells(state: JobState) -> None:
    back = JobState.from_cells(dict(zip(RESULT_COLUMNS, state.cells(), strict=True)))
    assert back == state


async def test_marks_that_come_together_are_one_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = opened(tmp_path, *"abcdefghij")
    table.save_now()
    writes: list[int] = []
    write_bytes = storage.write_bytes

    def counted(location: str, content: bytes) -> str:
        writes.append(content.count(b"submitting"))
        return write_bytes(location, content)

    monkeypatch.setattr(storage, "write_bytes", counted)
    mark = JobState(RowStatus.SUBMITTING, attempts=1)

    async def keep_answering() -> None:
        while True:
            table.update(9, JobState(error="still something new"))
            await asyncio.sleep(0)

    answering = asyncio.create_task(keep_answering())
    await asyncio.gather(*(table.before_send({i: mark}) for i in range(8)))
    answering.cancel()
    # Each is on disk, and nobody wrote once more because of what came after his own mark.
    assert writes == [8]


def test_what_another_run_wrote_is_taken_in_even_if_a_checkpoint_was_cancelled(
    tmp_path: Path,
) -> None:
    ours = opened(tmp_path, "a", "b")
    ours.save_now()
    theirs = opened(tmp_path, "a", "b")
    theirs.update(0, completed(1))
    theirs.save_now()
    # The checkpoint's thread read their table, and its task was cancelled before it took that in.
    assert ours._checkpoints._write_or_read(ours._checkpoints._take_snapshot()) is not None
    ours.update(1, completed(2))
    ours.save_now()
    states = opened(tmp_path, "a", "b").states
    assert [state.job_id for state in states] == ["ia_1", "ia_2"]
