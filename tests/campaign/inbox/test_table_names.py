"""Which files of an inbox are spreadsheets, and what their tables are called."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prefect_staticadslab.campaign.files.date_patterns import PatternError
from prefect_staticadslab.campaign.files.folders import StoredFile
from prefect_staticadslab.campaign.inbox.decisions import split_files
from prefect_staticadslab.campaign.inbox.table_names import (
    DEFAULT_PATTERN,
    TableNames,
    is_spreadsheet_name,
)

TODAY = datetime(2026, 11, 25, 23, 59, tzinfo=UTC)
DAILY = "{name} {date}.{ending}"


def names_of(pattern: str = DEFAULT_PATTERN, *, beside: bool = True) -> TableNames:
    return TableNames.of(pattern, TODAY, beside=beside)


@pytest.mark.parametrize(
    "name", ["a.csv", "A.CSV", "a.b.tsv", "Sommer Größe.xlsx", "~a.csv", "a.xls", "A.ODS", "a.xlsb"]
)
def test_these_may_be_spreadsheets(name: str) -> None:
    assert is_spreadsheet_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "~$a.xlsx",
        ".~lock.a.csv#",
        ".~lock.a.csv",
        ".a.csv",
        "._a.csv",
        ".a.csv.x7.tmp",
        "a.csv.tmp",
        "a.csv.crdownload",
        "a.xlsx.part",
        "a (Anna's conflicted copy 2026-11-25).csv",
        "a-results.html",
        "a.parquet",
        "a.xlsx.bak",
        "csv",
        ".csv",
        "a",
    ],
)
def test_these_are_none(name: str) -> None:
    assert not is_spreadsheet_name(name)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("results.csv", "lacks {name}"),
        ("{name}-results", "must end in {ending} or one of"),
        ("{name}.html", "must end in"),
        ("{name}.{ending}", "cannot be told from a table"),
        ("{name}.xlsx", "cannot be told from a table"),
        ("out/{name}.csv", "no name of a file"),
        ("{name}\\{date}.csv", "no name of a file"),
        (".{name}.csv", "no name of a file"),
        ("{name}-{dat}.csv", "there is no {dat}"),
        ("", "lacks {name}"),
    ],
)
def test_a_pattern_that_no_table_can_have_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(PatternError) as refused:
        names_of(pattern)
    assert says in str(refused.value)


def test_in_a_folder_of_their_own_tables_may_be_called_like_spreadsheets() -> None:
    assert names_of("{name}.{ending}", beside=False).new_table("a.xlsx") == "a.xlsx"


patterns = st.sampled_from(
    [DEFAULT_PATTERN, DAILY, "{date} {name}.{ending}", "{name}-{week}-{time}.xlsx", "r {name}.csv"]
)
stems = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1)
sheets = st.builds(lambda stem, end: stem + end, stems, st.sampled_from([".csv", ".tsv", ".XLSX"]))
moments = st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1))


@given(patterns, sheets, moments, moments)
def test_every_table_is_known_as_one_and_as_its_spreadsheets(
    pattern: str, sheet: str, then: datetime, now: datetime
) -> None:
    made = TableNames(pattern, then).new_table(sheet)
    names = TableNames(pattern, now)
    assert names.is_table(made)
    assert names.earlier_tables(sheet, ["other.csv", made]) == [made]
    files = [StoredFile(sheet), StoredFile(made)]
    assume(not names.is_table(sheet) and is_spreadsheet_name(sheet))
    assert split_files(files, names, beside=True) == ([StoredFile(sheet)], [])


@pytest.mark.parametrize("ending", ["xlsm", "xlsb", "xls", "ods", "XLS"])
def test_the_table_of_a_workbook_that_nobody_writes_is_an_xlsx(ending: str) -> None:
    names = names_of()
    sheet = f"summer.{ending}"
    assert names.new_table(sheet) == "summer-results.xlsx"
    assert names.earlier_tables(sheet, ["summer-results.xlsx", f"summer-results.{ending}"]) == [
        "summer-results.xlsx"
    ]
    assert names.is_table("summer-results.xlsx")
    assert not names.is_table(sheet)


def test_a_table_whose_spreadsheet_is_gone_is_still_none() -> None:
    files = [StoredFile("a-results.csv"), StoredFile("b.csv"), StoredFile("b-results.csv")]
    assert split_files(files, names_of(), beside=True) == ([StoredFile("b.csv")], ["a-results.csv"])
    names = names_of("{name}.csv", beside=False)
    assert split_files(files, names, beside=False) == (sorted(files, key=lambda f: f.name), [])
    assert split_files(files, names_of(), beside=True, known_tables={"b.csv"}) == (
        [],
        ["a-results.csv", "b-results.csv"],
    )


def test_the_oldest_comes_first() -> None:
    old, new = (
        StoredFile(n, 1, TODAY - timedelta(days=d)) for n, d in (("z.csv", 2), ("a.csv", 1))
    )
    assert split_files([new, old], names_of(), beside=True)[0] == [old, new]
