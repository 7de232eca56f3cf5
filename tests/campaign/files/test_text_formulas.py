"""Cells of a CSV that are formulas for a text, as shops export them: `="007"`."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_staticadslab.campaign.files.cells import Dialect
from prefect_staticadslab.campaign.files.spreadsheet import (
    WRITABLE,
    read_spreadsheet,
    write_spreadsheet,
)
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
from tests.campaign.shop import IDS

DONE = JobState(RowStatus.COMPLETED, "ia_1", "http://127.0.0.1/1.png", attempts=1)


def written(folder: Path, code: str, prompt: str = "Use code {code}", ending: str = ".csv") -> str:
    """A spreadsheet of one ad whose text is as it stands in the file, quotes doubled."""
    tab = "\t" if ending == ".tsv" else ","
    cells = [*IDS.values(), *(f'"{text.replace(chr(34), chr(34) * 2)}"' for text in (code, prompt))]
    place = folder / f"in{ending}"
    place.write_text(f"{tab.join([*IDS, 'code', 'prompt'])}\n{tab.join(cells)}\n")
    return str(place)


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('="00712"', "00712"),
        ('="a ""quoted"" one"', 'a "quoted" one'),
        ('="7,50"', "7,50"),
        ('="two\nlines"', "two\nlines"),
        ('="a"&"b"', '="a"&"b"'),
        ("=1+1", "=1+1"),
        ('="open', '="open'),
        (' ="007"', '="007"'),
    ],
)
def test_a_formula_for_a_text_is_filled_in_as_the_text(
    tmp_path: Path, ending: str, cell: str, text: str
) -> None:
    spreadsheet = written(tmp_path, cell, ending=ending)
    output = str(tmp_path / f"out{ending}")
    table = Campaign.open(spreadsheet, output).table
    assert [row.request.prompt for row in table.rows] == [f"Use code {text}"]
    table.save_now()
    doubled = cell.replace('"', '""')
    assert doubled in Path(output).read_text(), "as it went in"
    again = Campaign.open(spreadsheet, output).table
    assert [row.request.prompt for row in again.rows] == [f"Use code {text}"]


def test_an_empty_text_is_an_empty_cell(tmp_path: Path) -> None:
    table = Campaign.open(written(tmp_path, "x", '=""'), str(tmp_path / "out.csv")).table
    assert [row.request.prompt for row in table.rows] == [None]


@pytest.mark.parametrize("ending", WRITABLE)
@pytest.mark.parametrize("prompt", ["Use code {code}", "{code}", "Plain", '="Plain"'])
def test_what_was_made_of_the_formula_as_it_stood_is_not_paid_for_again(
    tmp_path: Path, prompt: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spreadsheet, output = written(tmp_path, '="00712"', prompt), str(tmp_path / f"out{ending}")
    with monkeypatch.context() as earlier:
        earlier.setattr(
            "prefect_staticadslab.campaign.files.formats.text.read_text_formula", lambda cell: cell
        )
        table = Campaign.open(spreadsheet, output).table
        table.update(0, DONE)
        table.save_now()
    for _ in range(2):
        table = Campaign.open(spreadsheet, output).table
        assert Plan.of(table).creates == 0
        assert [(row.removed, s.job_id) for _, row, s in table.current_rows] == [(False, "ia_1")]
        table.save_now()


@pytest.mark.parametrize("ending", WRITABLE)
def test_every_table_holds_the_text(tmp_path: Path, ending: str) -> None:
    frame = read_spreadsheet(written(tmp_path, '="00712"')).frame
    write_spreadsheet(str(tmp_path / f"out{ending}"), frame, Dialect())
    assert list(read_spreadsheet(str(tmp_path / f"out{ending}")).frame["code"]) == ["00712"]
