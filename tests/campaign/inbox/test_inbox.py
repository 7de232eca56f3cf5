"""What an inbox's files are, and what is to be done with each: pure decisions, and real folders."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import CampaignError, StorageError
from prefect_staticadslab.campaign.files.date_patterns import PatternError
from prefect_staticadslab.campaign.files.folders import StoredFile, list_files
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.inbox.decisions import (
    Budget,
    Decision,
    Finished,
    Refused,
    Run,
    candidates,
    changed_names,
    decide,
    is_final,
    name_clashes,
    settling_seconds,
)
from prefect_staticadslab.campaign.inbox.notes import Note, read_note, read_notes, write_note
from prefect_staticadslab.campaign.inbox.scan import Inbox, ScanResult, note_end
from prefect_staticadslab.campaign.inbox.table_names import (
    DEFAULT_PATTERN,
    TableNames,
    is_spreadsheet_name,
)
from prefect_staticadslab.campaign.job_types.image_ads import ResultTable
from tests.conftest import write_campaign

TODAY = datetime(2026, 11, 25, 23, 59, tzinfo=UTC)
DAILY = "{name} {date}.{ending}"


def names_of(pattern: str = DEFAULT_PATTERN, *, beside: bool = True) -> TableNames:
    return TableNames.of(pattern, TODAY, beside=beside)


# Names


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
    assert names_of("{name}.{ending}", beside=False).new("a.xlsx") == "a.xlsx"


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
    made = TableNames(pattern, then).new(sheet)
    names = TableNames(pattern, now)
    assert names.is_table(made)
    assert names.earlier(sheet, ["other.csv", made]) == [made]
    files = [StoredFile(sheet), StoredFile(made)]
    assume(not names.is_table(sheet) and is_spreadsheet_name(sheet))
    assert candidates(files, names, beside=True) == ([StoredFile(sheet)], [])


@pytest.mark.parametrize("ending", ["xlsm", "xlsb", "xls", "ods", "XLS"])
def test_the_table_of_a_workbook_that_nobody_writes_is_an_xlsx(ending: str) -> None:
    names = names_of()
    sheet = f"summer.{ending}"
    assert names.new(sheet) == "summer-results.xlsx"
    assert names.earlier(sheet, ["summer-results.xlsx", f"summer-results.{ending}"]) == [
        "summer-results.xlsx"
    ]
    assert names.is_table("summer-results.xlsx")
    assert not names.is_table(sheet)


def test_a_table_whose_spreadsheet_is_gone_is_still_none() -> None:
    files = [StoredFile("a-results.csv"), StoredFile("b.csv"), StoredFile("b-results.csv")]
    assert candidates(files, names_of(), beside=True) == ([StoredFile("b.csv")], ["a-results.csv"])
    names = names_of("{name}.csv", beside=False)
    assert candidates(files, names, beside=False) == (sorted(files, key=lambda f: f.name), [])
    assert candidates(files, names_of(), beside=True, known_tables={"b.csv"}) == (
        [],
        ["a-results.csv", "b-results.csv"],
    )


def test_the_oldest_comes_first() -> None:
    old, new = (
        StoredFile(n, 1, TODAY - timedelta(days=d)) for n, d in (("z.csv", 2), ("a.csv", 1))
    )
    assert candidates([new, old], names_of(), beside=True)[0] == [old, new]


# Decisions

FRESH = Note("file:///in/a.csv", "a 2026-11-25.csv", "api")
TABLE = "a 2026-11-03.csv"
NOTED = Note("file:///in/a.csv", TABLE, "api", finished="f1")


@pytest.mark.parametrize(
    ("note", "fingerprint", "tables", "decision"),
    [
        (None, "f1", [], Run(FRESH)),
        (None, "f1", ["a 2026-10-01.csv", TABLE], Run(replace(FRESH, table=TABLE))),
        (replace(NOTED, finished=""), "f1", [TABLE], Run(replace(NOTED, finished=""))),
        (replace(NOTED, finished=""), "f1", [], Run(FRESH)),
        (NOTED, "f1", [TABLE], Finished(TABLE)),
        (NOTED, "f1", [], Finished(TABLE, is_gone=True)),
        (NOTED, "f2", [TABLE], Run(NOTED)),
        (replace(NOTED, api="simulator"), "f1", [], Run(FRESH)),
        (replace(NOTED, api="simulator"), "f2", [], Run(FRESH)),
        (replace(NOTED, api="simulator"), "f1", [TABLE], Run(replace(FRESH, table=TABLE))),
        (
            replace(NOTED, campaign="file:///before/a.csv"),
            "f2",
            [TABLE],
            Run(replace(NOTED, campaign="file:///before/a.csv")),
        ),
    ],
)
def test_what_is_to_be_done(
    note: Note | None, fingerprint: str, tables: list[str], decision: Decision
) -> None:
    assert decide("a.csv", FRESH, fingerprint, note, tables) == decision


@pytest.mark.parametrize(
    ("tables", "elsewhere", "says"),
    [([], False, "every row would be paid for again"), ([TABLE], True, "is the one of")],
)
def test_what_would_be_paid_for_again_or_mixed_up_is_refused(
    tables: list[str], elsewhere: bool, says: str
) -> None:
    decision = decide("a.csv", FRESH, "f2", NOTED, tables, original_exists=elsewhere)
    assert isinstance(decision, Refused)
    assert says in decision.reason


notes = st.none() | st.builds(
    Note, st.just("file:///in/a.csv"), st.just(TABLE), st.just("api"), st.sampled_from(["", "f1"])
)


@given(notes, st.sampled_from(["f1", "f2"]), st.booleans())
def test_no_new_table_is_begun_where_there_is_one_or_where_one_was_finished(
    note: Note | None, fingerprint: str, there: bool
) -> None:
    decision = decide("a.csv", FRESH, fingerprint, note, [TABLE] if there else [])
    if there or (note and note.finished):
        assert not (isinstance(decision, Run) and decision.table == FRESH.table)
    if isinstance(decision, Run):
        assert decision.note.campaign == FRESH.campaign


def test_spreadsheets_that_would_share_a_table_or_a_contact_sheet_clash() -> None:
    tables = {
        "summer.csv": "summer-results.csv",
        "summer.xlsx": "summer-results.xlsx",
        "Winter.csv": "Winter-results.csv",
        "winter.csv": "winter-results.csv",
        "spring.csv": "spring-results.csv",
    }
    found = name_clashes(tables)
    assert set(found) == set(tables) - {"spring.csv"}
    assert "as those of summer.xlsx" in found["summer.csv"].reason


DONE = JobState(RowStatus.COMPLETED, "ia_1", image_path="p/1.png")
FAILED = JobState(RowStatus.FAILED)


@pytest.mark.parametrize(
    ("rows", "with_pictures", "final"),
    [
        ([DONE, FAILED], True, True),
        ([DONE, replace(DONE, image_path=None)], False, True),
        ([DONE, replace(DONE, image_path=None)], True, False),
        ([DONE, JobState()], False, False),
        ([DONE, JobState(RowStatus.SUBMITTING)], False, False),
        ([DONE, JobState(RowStatus.PROCESSING, "ia_2")], False, False),
    ],
)
def test_a_campaign_is_final_once_nothing_is_left_to_do(
    rows: list[JobState], with_pictures: bool, final: bool
) -> None:
    assert is_final(rows, with_pictures=with_pictures) is final


def test_a_young_file_is_waited_for_and_a_clock_that_is_ahead_is_not_believed() -> None:
    def aged(*ages: float | None) -> float:
        files = [
            StoredFile("a", 1, None if age is None else TODAY - timedelta(seconds=age))
            for age in ages
        ]
        return settling_seconds(files, TODAY, 10)

    assert [aged(), aged(None), aged(10, 99), aged(7, 99), aged(-3600)] == [0, 0, 0, 3, 10]


def test_what_changes_between_two_looks_is_being_written() -> None:
    before = [StoredFile("same", 1, TODAY), StoredFile("grows", 1), StoredFile("gone", 1)]
    after = [StoredFile("same", 1, TODAY), StoredFile("grows", 2), StoredFile("new", 1)]
    assert changed_names(before, after) == {"grows", "new"}


amounts = st.decimals(0, 100, places=2)


@given(st.decimals(1, 100, places=2), st.lists(amounts))
def test_a_run_never_starts_more_than_it_may(limit: Decimal, costs: list[Decimal]) -> None:
    budget = Budget(limit)
    for cost in costs:
        if not budget.refusal_if_never(cost) and not budget.reason_not_now(cost):
            budget = budget.start(cost)
        assert Decimal(0) <= budget.started_usd <= limit
        assert (budget.refusal_if_never(cost) is not None) == (cost > limit)


def test_without_a_limit_everything_may_be_started() -> None:
    budget = Budget.of(math.inf).start(Decimal(1000))
    assert not budget.refusal_if_never(Decimal(10**6))
    assert not budget.reason_not_now(Decimal(10**6))


# Real folders


def opened(folder: Path | str, pattern: str = DEFAULT_PATTERN, results: str = "") -> Inbox:
    return Inbox.open(str(folder), results, pattern, TODAY, "https://api.example.com")


def spreadsheet(folder: Path, name: str, *prompts: str) -> Path:
    place = folder / name
    place.write_bytes(Path(write_campaign(folder, *prompts)).rename(place).read_bytes())
    return place


def table_of(box: Inbox, name: str, *states: JobState) -> ResultTable:
    """Writes the table of a spreadsheet that was run."""
    (waiting,) = [w for w in box.scan().waiting if w.name == name]
    table = ResultTable.open(waiting.output, read_spreadsheet(waiting.location))
    for position, state in enumerate(states):
        table.update(position, state)
    table.save_now()
    box.begin(waiting)
    note_end(box.results, name, waiting.finished_note, table, with_pictures=False)
    return table


def shown(found: ScanResult) -> dict[str, list[str]]:
    kinds = ("waiting", "finished", "refused", "unsettled", "tables")
    return {
        kind: [getattr(each, "name", each) for each in getattr(found, kind)]
        for kind in kinds
        if getattr(found, kind)
    }


def test_an_inbox_is_worked_off(tmp_path: Path) -> None:
    box = opened(tmp_path)
    assert shown(box.scan()) == {}
    place = spreadsheet(tmp_path, "a.csv", "x", "y")
    (waiting,) = box.scan().waiting
    assert waiting.output == str(tmp_path / "a-results.csv")
    assert waiting.note.campaign == place.as_uri()
    table_of(box, "a.csv", DONE)
    assert shown(box.scan()) == {"waiting": ["a.csv"]}
    table_of(box, "a.csv", DONE, FAILED)
    assert shown(box.scan()) == {"finished": ["a.csv"]}
    spreadsheet(tmp_path, "a.csv", "x", "z")
    assert shown(box.scan()) == {"waiting": ["a.csv"]}


def test_tables_are_never_taken_for_spreadsheets_whatever_they_are_called(tmp_path: Path) -> None:
    spreadsheet(tmp_path, "a.csv", "x")
    table_of(opened(tmp_path), "a.csv", DONE)
    table = tmp_path / "a-results.csv"
    (tmp_path / "other.csv").write_bytes(table.read_bytes())
    frame = read_spreadsheet(str(table)).frame
    frame[list(reversed(frame.columns))].to_csv(tmp_path / "sorted.csv", index=False)
    frame[["status"]].to_csv(tmp_path / "z-results.csv", index=False)
    found = shown(opened(tmp_path).scan())
    assert found["finished"] == ["a.csv"]
    assert found["tables"] == ["other.csv", "sorted.csv", "z-results.csv"]
    assert "waiting" not in found
    # Also if the pattern is another one by now.
    (tmp_path / "z-results.csv").unlink()
    found = shown(opened(tmp_path, DAILY).scan())
    assert "waiting" not in found


def test_a_day_later_the_table_of_the_day_before_is_gone_on_with(tmp_path: Path) -> None:
    spreadsheet(tmp_path, "a.csv", "x", "y")
    box = opened(tmp_path, DAILY)
    table_of(box, "a.csv", DONE)
    tomorrow = Inbox.open(str(tmp_path), "", DAILY, TODAY + timedelta(days=1), "https://api.x")
    for _ in range(2):
        (waiting,) = tomorrow.scan().waiting
        assert waiting.output == str(tmp_path / "a 2026-11-25.csv")
        assert waiting.note.campaign == (tmp_path / "a.csv").as_uri()
        # Without its note, it is known by its name.
        (tmp_path / ".inbox" / "a.csv.json").unlink(missing_ok=True)


def test_another_pattern_begins_no_new_table(tmp_path: Path) -> None:
    spreadsheet(tmp_path, "a.csv", "x")
    table_of(opened(tmp_path), "a.csv", DONE)
    assert shown(opened(tmp_path, DAILY).scan()) == {"finished": ["a.csv"]}
    spreadsheet(tmp_path, "a.csv", "y")
    (waiting,) = opened(tmp_path, DAILY).scan().waiting
    assert waiting.output == str(tmp_path / "a-results.csv")


def test_a_table_that_was_taken_away_is_not_made_again(tmp_path: Path) -> None:
    place = spreadsheet(tmp_path, "a.csv", "x")
    table_of(opened(tmp_path), "a.csv", DONE)
    (tmp_path / "a-results.csv").unlink()
    found = opened(tmp_path).scan()
    assert (found.finished, found.gone) == (("a.csv",), {"a.csv": "a-results.csv"})
    spreadsheet(tmp_path, "a.csv", "x", "y")
    assert "paid for again" in opened(tmp_path).scan().refused["a.csv"]
    place.rename(tmp_path / "b.csv")
    assert shown(opened(tmp_path).scan()) == {"waiting": ["b.csv"]}


def test_a_folder_that_was_moved_with_its_tables_is_the_same_campaign(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    place = spreadsheet(tmp_path / "before", "a.csv", "x", "y")
    table_of(opened(tmp_path / "before"), "a.csv", DONE)
    name = place.as_uri()
    (tmp_path / "before").rename(tmp_path / "after")
    (waiting,) = opened(tmp_path / "after").scan().waiting
    assert waiting.note.campaign == name
    # A copy of the folder is none.
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "a.csv").write_text("still there")
    assert "Its table would be" in opened(tmp_path / "after").scan().refused["a.csv"]


def test_two_inboxes_do_not_share_tables(tmp_path: Path) -> None:
    for name in ("one", "two", "out"):
        (tmp_path / name).mkdir()
    spreadsheet(tmp_path / "one", "a.csv", "x")
    spreadsheet(tmp_path / "two", "a.csv", "y")
    out = str(tmp_path / "out")
    table_of(opened(tmp_path / "one", "{name}.csv", out), "a.csv", DONE)
    found = opened(tmp_path / "two", "{name}.csv", out).scan()
    assert "that is the one of" in found.refused["a.csv"]
    assert shown(opened(tmp_path / "one", "{name}.csv", out).scan()) == {"finished": ["a.csv"]}


def test_the_newcomer_of_two_that_clash_is_refused(tmp_path: Path) -> None:
    box = opened(tmp_path, "{name} {date}.csv")
    spreadsheet(tmp_path, "a.csv", "x")
    table_of(box, "a.csv", DONE)
    spreadsheet(tmp_path, "a.tsv", "x")
    later = Inbox.open(
        str(tmp_path), "", "{name} {date}.csv", TODAY + timedelta(days=9), "https://api.example.com"
    )
    for each in (box, later):
        assert shown(each.scan()) == {"finished": ["a.csv"], "refused": ["a.tsv"]}


def test_a_spreadsheet_that_cannot_be_read_is_no_reason_to_stop(tmp_path: Path) -> None:
    spreadsheet(tmp_path, "a.csv", "x")
    (tmp_path / "b.csv").write_text("")
    (tmp_path / ".inbox").mkdir()
    for broken in ("[" * 100_000, "{"):
        (tmp_path / ".inbox" / "a.csv.json").write_text(broken)
        found = opened(tmp_path).scan()
        assert shown(found) == {"waiting": ["b.csv"], "refused": ["a.csv"]}
        assert "cannot be understood" in found.refused["a.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is a text")
def test_a_name_that_is_no_text_is_told_in_one_that_is(tmp_path: Path) -> None:
    spreadsheet(tmp_path, "a.csv", "x").rename(tmp_path / os.fsdecode(b"caf\xe9.csv"))
    spreadsheet(tmp_path, "b.csv", "x")
    found = opened(tmp_path).scan()
    assert shown(found) == {"waiting": ["b.csv"], "refused": ["caf?.csv"]}
    assert "Rename it" in found.refused["caf?.csv"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    spreadsheet(tmp_path, "a.csv", "x").chmod(0)
    assert "cannot be read" in opened(tmp_path).scan().refused["a.csv"]


def test_what_is_still_being_written_is_left(tmp_path: Path) -> None:
    spreadsheet(tmp_path, "a.csv", "x")
    box = opened(tmp_path)
    before = box.list_files()
    spreadsheet(tmp_path, "a.csv", "x", "and more")
    spreadsheet(tmp_path, "b.csv", "x")
    assert shown(box.scan(before)) == {"unsettled": ["a.csv", "b.csv"]}
    assert shown(box.scan(box.list_files())) == {"waiting": ["a.csv", "b.csv"]}


def test_folders_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="There is no folder"):
        opened(tmp_path / "none").list_files()
    with pytest.raises(StorageError, match="There is no folder"):
        opened(tmp_path, results=str(tmp_path / "none")).scan()
    assert shown(opened("memory://none/at/all").scan()) == {}
    with pytest.raises(CampaignError, match="no folder that can be listed"):
        opened("https://example.com/in")


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_bucket_is_listed_like_a_folder(slash: str) -> None:
    filesystem: Any = fsspec.filesystem("memory")
    filesystem.pipe_file("/listing/a.csv", b"12")
    filesystem.pipe_file("/listing/deeper/b.csv", b"12")
    (file,) = list_files(f"memory://listing{slash}")
    assert (file.name, file.size) == ("a.csv", 2)
    assert file.modified is not None
    assert abs(datetime.now(UTC) - file.modified) < timedelta(minutes=5)
    assert opened(f"memory://listing{slash}").beside


@pytest.mark.parametrize(
    "entry",
    [
        {"LastModified": TODAY},
        {"last_modified": TODAY.replace(tzinfo=None)},
        {"updated": "2026-11-25T23:59:00Z"},
        {"mtime": TODAY.timestamp()},
        {"mtime": "yesterday"},
        {},
    ],
)
def test_the_time_of_a_change_is_read_as_storages_tell_it(
    entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Filesystem:
        def ls(self, path: str, detail: bool) -> list[dict[str, Any]]:
            return [{"name": f"{path}/a.csv", "size": 1, "type": "file", **entry}]

    told: Callable[[str, str], Any] = lambda url, verb: (Filesystem(), "in")  # noqa: E731
    monkeypatch.setattr("prefect_staticadslab.campaign.files.storage.remote", told)
    (file,) = list_files("told://in")
    assert file.modified == (None if entry.get("mtime") == "yesterday" or not entry else TODAY)


def test_a_note_comes_back_as_it_was(tmp_path: Path) -> None:
    assert read_notes(str(tmp_path)) == {}
    write_note(str(tmp_path), "Größe.csv", NOTED)
    write_note(str(tmp_path), "Größe.csv", NOTED)
    notes = read_notes(str(tmp_path))
    assert read_note(notes["Größe.csv"]) == NOTED
    place = tmp_path / ".inbox" / "Größe.csv.json"
    for broken in ("[]", "1", '{"x": 1}', json.dumps({"campaign": "c"}), "\ufffd{"):
        place.write_text(broken)
        with pytest.raises(CampaignError, match="cannot be understood"):
            read_note(str(place))
