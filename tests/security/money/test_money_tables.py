"""What is in a result table neither lifts a limit nor keeps a run from saving."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from openpyxl import load_workbook
from PIL import Image

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.job_types.design_templates import TemplateBatch
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.table.job_type import RecordError
from prefect_staticadslab.campaign.table.limits import BudgetError
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.cli.commands.campaign import main
from tests.conftest import write_campaign

NO_COSTS = [
    "-100000",
    "-0.01",
    "nan",
    "sNaN",
    "inf",
    "-Infinity",
    "1e999",
    "1000.01",
    "abc",
    "1,0,0",
]
NO_COUNTS = ["-1", "1.5", "nan", "inf", "1e999", "1000001", "abc"]
NO_STATUSES = ["approved", "complete", "Fertig", "sent", "0", "x" * 100]
NONSENSE = [
    *(("cost_usd", value) for value in NO_COSTS),
    *(("attempts", value) for value in NO_COUNTS),
    *(("status", value) for value in NO_STATUSES),
]


def recorded(folder: Path, ending: str, *states: JobState) -> tuple[str, Path]:
    """A campaign of a row for each state, with its table. Returns where the two are."""
    place = write_campaign(folder, *(f"row {number}" for number in range(len(states))))
    output = folder / f"out{ending}"
    made = Campaign.open(place, str(output))
    for position, state in enumerate(states):
        made.table.update(position, state)
    made.table.save_now()
    return place, output


def change(output: Path, row: int, column: str, value: Any) -> None:
    """Writes a cell of a table, as anybody can. `row` is the number that Excel shows."""
    match output.suffix:
        case ".xlsx":
            book = load_workbook(output)
            (sheet,) = book.worksheets
            names = [cell.value for cell in sheet[1]]
            sheet.cell(row, names.index(column) + 1).value = value
            book.save(output)
        case ".parquet":
            frame = pd.read_parquet(output)
            frame.loc[row - 2, column] = value
            frame.to_parquet(output)
        case _:
            delimiter = "\t" if output.suffix == ".tsv" else ","
            lines = list(csv.reader(output.read_text().splitlines(), delimiter=delimiter))
            lines[row - 1][lines[0].index(column)] = str(value)
            with output.open("w", newline="") as file:
                csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(lines)


def done(number: int = 1, cost: str | None = "1") -> JobState:
    return JobState(
        RowStatus.COMPLETED,
        f"ia_{number}",
        f"http://127.0.0.1/{number}.png",
        cost_usd=None if cost is None else Decimal(cost),
        attempts=1,
    )


@pytest.fixture
def no_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, and an API that nobody answers for: whatever is refused here was refused by us."""
    monkeypatch.setenv("SAL_API_KEY", "sal_live_x")
    monkeypatch.setenv("SAL_BASE_URL", "http://127.0.0.1:9")


@pytest.mark.usefixtures("no_api")
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".xlsx"])
@pytest.mark.parametrize(("column", "value"), NONSENSE)
def test_a_status_or_an_amount_that_cannot_be_is_refused_with_row_and_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str, column: str, value: str
) -> None:
    place, output = recorded(tmp_path, ending, done(1), done(2), JobState())
    change(output, 3, column, value)
    before = output.read_bytes()
    assert main([place, str(output), "--max-spend-usd", "1"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "Nothing was created."
    assert told[1].startswith(f"Row 3, column {column}: {shortened(value)!r} is no ")
    assert output.name in told[1]
    assert output.read_bytes() == before


@pytest.mark.parametrize("value", [-100000, 1e300, True])
def test_a_number_of_a_workbook_is_no_better_than_its_text(tmp_path: Path, value: object) -> None:
    place, output = recorded(tmp_path, ".xlsx", done(), JobState())
    change(output, 2, "cost_usd", value)
    with pytest.raises(RecordError, match="Row 2, column cost_usd"):
        Campaign.open(place, str(output))


def test_a_negative_cost_in_a_parquet_table_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    place, output = recorded(tmp_path, ".parquet", done(), JobState())
    change(output, 2, "cost_usd", -100000.0)
    with pytest.raises(RecordError, match="Row 2, column cost_usd"):
        Campaign.open(place, str(output))


def test_rows_are_told_as_the_result_table_shows_them_and_all_at_once(tmp_path: Path) -> None:
    place, output = recorded(tmp_path, ".csv", *(done(number) for number in range(1, 7)))
    lines = output.read_text().splitlines()
    # Somebody sorted the table and left a line blank: its rows are others than the spreadsheet's.
    output.write_text("\n".join([lines[0], "", *reversed(lines[1:])]) + "\n")
    change(output, 8, "cost_usd", "-1")
    change(output, 4, "attempts", "many")
    change(output, 5, "status", "done")
    with pytest.raises(RecordError) as refused:
        Campaign.open(place, str(output))
    told = [(problem.row, problem.column) for problem in refused.value.problems]
    assert told == [(4, "attempts"), (5, "status"), (8, "cost_usd")]


def test_a_table_that_is_only_looked_at_is_checked_too(tmp_path: Path) -> None:
    _, output = recorded(tmp_path, ".csv", done())
    change(output, 2, "cost_usd", "-100000")
    with pytest.raises(RecordError, match="Row 2, column cost_usd"):
        ImageAdTable.reopen(str(output))


def test_tables_of_design_templates_and_revisions_are_checked_alike(tmp_path: Path) -> None:
    (tmp_path / "refs").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "refs" / "a.png")
    templates = str(tmp_path / "templates.csv")
    TemplateBatch.open(str(tmp_path / "refs"), templates).table.save_now()
    change(Path(templates), 2, "cost_usd", "-100000")
    with pytest.raises(RecordError, match="Row 2, column cost_usd"):
        TemplateBatch.open(str(tmp_path / "refs"), templates)

    changes, revised = tmp_path / "in.csv", tmp_path / "revised.csv"
    changes.write_text('image_ad_id,node_overrides\nia_1,"{""a"": {""characters"": ""b""}}"\n')
    Revisions.open(str(changes), str(revised)).table.save_now()
    change(revised, 2, "attempts", "nan")
    with pytest.raises(RecordError, match="Row 2, column attempts"):
        Revisions.open(str(changes), str(revised))
    change(revised, 2, "attempts", "0")
    change(revised, 2, "status", "approved")
    with pytest.raises(RecordError, match="Row 2, column status: 'approved' is no status"):
        Revisions.open(str(changes), str(revised))


@pytest.mark.parametrize("word", [*NO_STATUSES, "processing"])
def test_a_word_for_a_status_costs_no_ad_while_a_run_goes_on(tmp_path: Path, word: str) -> None:
    sent = JobState(
        RowStatus.SUBMITTING, attempts=1, idempotency_key="ab" * 32, api_key_hash="cd" * 8
    )
    place, output = recorded(tmp_path, ".csv", JobState(), JobState(), JobState())
    run, other = (Campaign.open(place, str(output)).table for _ in range(2))
    other.update(0, done(1))
    other.update(1, sent)
    other.save_now()
    for row in (2, 3):
        change(output, row, "status", word)
    run.save_now()
    assert run.states[0].has_ad
    assert [state.job_id for state in run.states] == ["ia_1", None, None]
    assert run.states[1:] == [sent, JobState()]
    assert Campaign.open(place, str(output)).table.states == run.states


def test_a_row_that_is_processing_without_an_id_keeps_its_key(tmp_path: Path) -> None:
    key = "ab" * 32
    sent = JobState(RowStatus.SUBMITTING, attempts=2, idempotency_key=key, api_key_hash="cd" * 8)
    place, output = recorded(tmp_path, ".csv", sent, JobState(attempts=1))
    for row in (2, 3):
        change(output, row, "status", "Processing")
    states = Campaign.open(place, str(output)).table.states
    assert states[0] == sent
    assert states[1] == JobState(RowStatus.SUBMITTING, attempts=1), "it may have been sent"


@pytest.mark.parametrize("cost", ["0", "", "0.01", "1e-999"])
def test_no_cost_in_a_table_lifts_the_limit(tmp_path: Path, cost: str) -> None:
    place, output = recorded(tmp_path, ".csv", done(1), done(2), JobState())
    for row in (2, 3):
        change(output, row, "cost_usd", cost)
    plan = Plan.of(Campaign.open(place, str(output)).table)
    assert plan.total_usd == 3
    with pytest.raises(BudgetError, match=r"up to 3\.00 USD, and the limit is 2\.99"):
        plan.check_budget(2.99)
    plan.check_budget(3)
    # What is shown as spent stays what the table says.
    assert plan.spent_usd <= Decimal("0.02")


def test_what_was_dearer_than_its_price_counts_as_the_table_says(tmp_path: Path) -> None:
    place, output = recorded(tmp_path, ".csv", done(1, "7.5"), JobState())
    plan = Plan.of(Campaign.open(place, str(output)).table)
    assert (plan.total_usd, plan.spent_usd) == (Decimal("8.5"), Decimal("7.5"))


def test_every_row_that_has_or_may_have_an_ad_counts_whatever_its_state(tmp_path: Path) -> None:
    states = [
        JobState(RowStatus.PROCESSING, "ia_1", attempts=1),
        JobState(RowStatus.SUBMITTING, attempts=1),
        JobState(RowStatus.FAILED, "ia_2", attempts=1, cost_usd=Decimal(0)),
        JobState(),
    ]
    place, output = recorded(tmp_path, ".csv", *states)
    assert Plan.of(Campaign.open(place, str(output)).table).total_usd == 4
    # Without their rows, what has an ad, or may have one, is still counted.
    Path(place).write_text("\n".join([*Path(place).read_text().splitlines()[:1], ""]))
    write_campaign(tmp_path, "another")
    assert Plan.of(Campaign.open(place, str(output)).table).total_usd == 1 + 1 + 1


def test_completed_revisions_count_like_new_editable_ads(tmp_path: Path) -> None:
    changes, revised = tmp_path / "in.csv", str(tmp_path / "revised.csv")
    change_of = '"{""a"": {""characters"": ""b""}}"'
    changes.write_text(f"image_ad_id,node_overrides\nia_1,{change_of}\nia_2,{change_of}\n")
    opened = Revisions.open(str(changes), revised)
    opened.table.update(0, done(1, None))
    plan = Plan.of(opened.table)
    assert plan.total_usd == 8
    assert plan.spent_usd == 0


def test_a_campaign_that_is_all_paid_for_can_still_be_collected(tmp_path: Path) -> None:
    place, output = recorded(tmp_path, ".csv", done(1), done(2))
    Plan.of(Campaign.open(place, str(output)).table).check_budget(0)


@pytest.mark.parametrize(("column", "value"), [("cost_usd", "-100000"), ("attempts", "1e999")])
@pytest.mark.parametrize("opened", ["for its campaign", "by itself"])
def test_what_another_run_writes_never_keeps_a_run_from_saving(
    tmp_path: Path, column: str, value: str, opened: str
) -> None:
    place, output = recorded(tmp_path, ".csv", done(1), JobState(RowStatus.PROCESSING, "ia_2"))
    table: JobTable[Any] = (
        Campaign.open(place, str(output)).table
        if opened == "for its campaign"
        else ImageAdTable.reopen(str(output))
    )
    change(output, 2, column, value)
    table.update(1, done(2))
    table.save_now()
    known = table.states[0]
    assert (known.status, known.job_id) == (RowStatus.COMPLETED, "ia_1")
    assert (known.cost_usd, known.attempts) in [(Decimal(1), 1), (None, 1), (Decimal(1), 0)]
    assert Plan.of(table).total_usd == 2
    assert value not in output.read_text()
    ImageAdTable.reopen(str(output))  # what is written is right again


def test_an_amount_error_is_a_row_error_like_any_other() -> None:
    assert issubclass(RecordError, SpreadsheetError)
