"""What people add to a result table, and write into it, is theirs: it outlives every run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.cells import Dialect, frame_of
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet, write_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.job_types.revision_rows import REVISION_JOBS
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.table.job_state import KEY_COLUMNS, REMOVED, RESULT_COLUMNS
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.campaign.table.table_on_disk import OutputError

HEADER = "design_template_id,brand_id,product_id,audience_id,prompt"
FORMATS = [".csv", ".tsv", ".xlsx", ".parquet"]


def line(prompt: str) -> str:
    return f"dt_1,brand_1,prod_1,aud_1,{prompt}"


def opened(folder: Path, *prompts: str, ending: str = ".csv") -> ImageAdTable:
    (folder / "in.csv").write_text("\n".join([HEADER, *map(line, prompts)]) + "\n")
    return Campaign.open(str(folder / "in.csv"), str(folder / f"out{ending}")).table


def completed(name: str) -> JobState:
    return JobState(RowStatus.COMPLETED, f"ia_{name}", f"https://cdn/{name}.png", attempts=1)


def made(folder: Path, *prompts: str, ending: str = ".csv") -> str:
    """A table of completed ads, each called by its prompt."""
    table = opened(folder, *prompts, ending=ending)
    for position, prompt in enumerate(prompts):
        table.update(position, completed(prompt))
    table.save_now()
    return str(folder / f"out{ending}")


def changed(output: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    """What somebody makes of a table in a spreadsheet program."""
    frame = change(read_spreadsheet(output).frame)
    write_spreadsheet(output, frame, Dialect())
    return frame


def with_column(
    place: int, name: str, values: list[object]
) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def add(frame: pd.DataFrame) -> pd.DataFrame:
        wider = frame.copy()
        wider.insert(place, name, pd.Series(values, dtype=object))
        return wider

    return add


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("place", [0, 3, 7, 19])
def test_an_added_column_stays_at_its_place_with_its_values(
    tmp_path: Path, ending: str, place: int
) -> None:
    output = made(tmp_path, "a", "b", "c", ending=ending)
    frame = changed(output, with_column(place, "Winner", ["first", "", "third"]))
    assert list(frame)[place] == "Winner"
    table = opened(tmp_path, "c", "new", "a", ending=ending)
    table.save_now()
    after = read_spreadsheet(output).frame
    assert list(after) == list(frame)
    assert [row.request.prompt for row in table.rows] == ["c", "new", "a", "b"]
    assert list(after["Winner"].fillna("")) == ["third", "", "first", ""]
    assert [state.job_id for state in table.states] == ["ia_c", None, "ia_a", "ia_b"]
    assert list(after["error"].fillna("")) == ["", "", "", REMOVED]


def test_result_columns_are_found_wherever_they_are_moved(tmp_path: Path) -> None:
    output = made(tmp_path, "a", "b")
    frame = changed(output, lambda frame: frame[sorted(map(str, frame), reverse=True)])
    table = opened(tmp_path, "a", "b", "c")
    table.save_now()
    assert [state.job_id for state in table.states] == ["ia_a", "ia_b", None]
    assert list(read_spreadsheet(output).frame) == list(frame)


def test_a_new_column_of_the_spreadsheet_comes_behind_what_it_follows_there(
    tmp_path: Path,
) -> None:
    output = made(tmp_path, "a")
    changed(output, with_column(5, "Notes", ["mine"]))
    (tmp_path / "in.csv").write_text(f"{HEADER},price\n{line('a')},3\n")
    Campaign.open(str(tmp_path / "in.csv"), output).table.save_now()
    frame = read_spreadsheet(output).frame
    assert list(frame)[4:8] == ["prompt", "price", "Notes", "status"]
    assert frame.iloc[0, 4:7].tolist() == ["a", "3", "mine"]


def test_a_deleted_column_of_the_input_comes_back_and_a_deleted_one_of_hers_does_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "in.csv").write_text(f"{HEADER},price\n{line('a')},3\n")
    output = str(tmp_path / "out.csv")
    Campaign.open(str(tmp_path / "in.csv"), output).table.save_now()
    changed(output, with_column(0, "Winner", ["x"]))
    Campaign.open(str(tmp_path / "in.csv"), output).table.save_now()
    changed(output, lambda frame: frame.drop(columns=["price", "Winner"]))
    Campaign.open(str(tmp_path / "in.csv"), output).table.save_now()
    frame = read_spreadsheet(output).frame
    assert list(frame) == [*HEADER.split(","), "price", *RESULT_COLUMNS]
    assert frame["price"].tolist() == ["3"]


@pytest.mark.parametrize("name", [name for name in RESULT_COLUMNS if name not in KEY_COLUMNS])
@pytest.mark.parametrize("new_name", [None, "Mine"])
def test_a_result_column_that_is_renamed_or_deleted_is_told(
    tmp_path: Path, name: str, new_name: str | None
) -> None:
    output = made(tmp_path, "a")
    changed(
        output,
        lambda frame: frame.rename(columns={name: new_name} if new_name else {}).drop(
            columns=[] if new_name else [name]
        ),
    )
    before = Path(output).read_bytes()
    with pytest.raises(OutputError, match=f"its column {name} was renamed or deleted"):
        opened(tmp_path, "a")
    with pytest.raises(OutputError, match=f"its column {name} was renamed or deleted"):
        ImageAdTable.reopen(output)
    assert Path(output).read_bytes() == before


def test_all_result_columns_that_are_gone_are_told_and_one_that_is_there_twice(
    tmp_path: Path,
) -> None:
    output = made(tmp_path, "a")
    whole = Path(output).read_text()
    changed(output, lambda frame: frame.drop(columns=["width", "error"]))
    with pytest.raises(OutputError, match="its columns error, width were renamed or deleted"):
        opened(tmp_path, "a")
    header, *lines = whole.splitlines()
    Path(output).write_text("\n".join([f"{header},status", *(f"{each},mine" for each in lines)]))
    with pytest.raises(OutputError, match="has two columns status"):
        opened(tmp_path, "a")


def test_keys_that_are_deleted_come_back_empty(tmp_path: Path) -> None:
    output = made(tmp_path, "a")
    changed(output, lambda frame: frame.drop(columns=list(KEY_COLUMNS)))
    table = opened(tmp_path, "a")
    table.save_now()
    assert table.states == [completed("a")]
    assert tuple(read_spreadsheet(output).frame)[-len(RESULT_COLUMNS) :] == RESULT_COLUMNS


def test_what_is_added_while_a_run_goes_on_is_taken_from_the_disk(tmp_path: Path) -> None:
    output = made(tmp_path, "a", "b")
    table = opened(tmp_path, "a", "b", "c")
    table.save_now()
    changed(output, with_column(0, "Winner", ["yes", "no", "c?"]))
    table.update(2, completed("c"))
    table.save_now()
    frame = read_spreadsheet(output).frame
    assert frame["Winner"].tolist() == ["yes", "no", "c?"]
    assert frame["image_ad_id"].tolist() == ["ia_a", "ia_b", "ia_c"]
    changed(output, lambda frame: frame.assign(Winner=["no", "yes", ""])[::-1])
    table.update(0, replace(completed("a"), image_path="a.png"))
    table.save_now()
    after = read_spreadsheet(output).frame
    assert after["Winner"].tolist() == ["no", "yes", ""]
    assert after["image_path"].tolist() == ["a.png", "", ""]


def test_two_runs_and_a_download_keep_what_is_added(tmp_path: Path) -> None:
    output = made(tmp_path, "a", "b")
    ours, download = opened(tmp_path, "a", "b"), ImageAdTable.reopen(output)
    changed(output, with_column(6, "Notes", ["one", "two"]))
    theirs = opened(tmp_path, "b", "a", "c")
    theirs.update(2, completed("c"))
    theirs.save_now()
    ours.update(0, replace(completed("a"), error="seen"))
    ours.save_now()
    download.update(0, replace(completed("a"), image_path="p/a.png"))
    download.save_now()
    frame = read_spreadsheet(output).frame.set_index("prompt")
    assert frame.loc[["a", "b", "c"], "Notes"].tolist() == ["one", "two", ""]
    assert list(frame)[5] == "Notes"
    assert frame.loc["a", "image_path"] == "p/a.png"
    assert frame.loc["c", "image_ad_id"] == "ia_c"


def test_what_is_edited_in_the_tables_own_input_columns_is_put_back(tmp_path: Path) -> None:
    """It is the spreadsheet that says what to make; nothing is paid for twice."""
    output = made(tmp_path, "a", "b", "b")
    changed(output, lambda frame: frame.assign(prompt=["b", "better", "b"], brand_id="brand_9"))
    table = opened(tmp_path, "a", "b", "b")
    assert sorted(str(state.job_id) for state in table.states) == ["ia_a", "ia_b", "ia_b"]
    assert table.states[0].job_id == "ia_a"
    assert Plan.of(table).creates == 0
    table.save_now()
    assert read_spreadsheet(output).frame["prompt"].tolist() == ["a", "b", "b"]


def test_a_column_that_means_something_is_no_part_of_a_row_that_does_not_have_it(
    tmp_path: Path,
) -> None:
    output = made(tmp_path, "a", "b")
    changed(output, with_column(0, "product_variant_id", ["pv_1", "pv_2"]))
    table = opened(tmp_path, "a", "b")
    assert table.states == [completed("a"), completed("b")]
    table.save_now()
    assert list(read_spreadsheet(output).frame) == [*HEADER.split(","), *RESULT_COLUMNS]


def test_tables_of_revisions_keep_what_is_added(tmp_path: Path) -> None:
    place = tmp_path / "changes.csv"
    place.write_text('image_ad_id,node_overrides\nia_1,"{""2"": {""characters"": ""x""}}"\n')
    output = str(tmp_path / "out.csv")
    Revisions.open(str(place), output).table.save_now()
    frame = changed(output, with_column(1, "Asked by", ["legal"]))
    table = Revisions.open(str(place), output).table
    table.save_now()
    assert table.resumed
    after = read_spreadsheet(output).frame
    assert (list(after), after["Asked by"].tolist()) == (list(frame), ["legal"])
    reopened = JobTable.reopen(output, REVISION_JOBS)
    assert reopened.to_frame()["Asked by"].tolist() == ["legal"]


names = st.sampled_from(
    ["Winner", "Notes", "Status ", "", "brand", "Prompt 2", "input_status", "ß"]
)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=5)
values = texts.filter(lambda text: text == text.strip())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(names, st.floats(0, 1), values), max_size=4, unique_by=lambda x: x[0]),
    st.permutations("abc"),
    st.lists(st.sampled_from("abcd"), min_size=1, unique=True),
    st.sampled_from(FORMATS),
    st.randoms(use_true_random=False),
)
def test_whatever_is_added_anywhere_survives_with_its_row(
    added: list[tuple[str, float, str]],
    order: list[str],
    then: list[str],
    ending: str,
    random: Any,
) -> None:
    # A column of a Parquet file has a name.
    assume(ending != ".parquet" or all(name for name, _, _ in added))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        output = made(folder, *"abc", ending=ending)
        frame = read_spreadsheet(output, ragged=True).frame
        header = list(map(str, frame))
        if random.random() < 0.5:
            random.shuffle(header)
        lines = frame[header].set_index("prompt", drop=False).loc[order]
        cells = [list(row) for row in lines.itertuples(index=False, name=None)]
        for column, share, value in added:
            place = int(share * len(header))
            header.insert(place, column)
            for prompt, row in zip(order, cells, strict=True):
                row.insert(place, f"{value}{prompt}")
        write_spreadsheet(output, frame_of(header, cells), Dialect())
        for _ in range(2):
            table = opened(folder, *then, ending=ending)
            table.save_now()
        after = read_spreadsheet(output, ragged=True).frame
        assert list(after) == header
        by_prompt = after.set_index("prompt", drop=False)
        assert sorted(by_prompt.index) == sorted({*"abc", *then})
        for column, _, value in added:
            for prompt in "abc":
                assert by_prompt.loc[prompt, column] == f"{value}{prompt}"
            assert "d" not in then or by_prompt.loc["d", column] in ("", None)
        known = {
            row.request.prompt: s.job_id for row, s in zip(table.rows, table.states, strict=True)
        }
        assert known == {**{p: f"ia_{p}" for p in "abc"}, **({"d": None} if "d" in then else {})}


@pytest.mark.parametrize("again", [False, True])
def test_a_table_that_cannot_be_a_spreadsheet_any_more_is_told(tmp_path: Path, again: bool) -> None:
    output = made(tmp_path, "a")
    changed(output, lambda frame: frame.drop(columns=["status"]))
    with pytest.raises(CampaignError, match="nobody can say which rows have an ad"):
        Campaign.open(output, str(tmp_path / "next.csv"), again=again)
