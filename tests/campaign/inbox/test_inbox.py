"""Folders that are inboxes, looked through again and again, and what becomes of their files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest

from prefect_staticadslab import JobState
from prefect_staticadslab.campaign.errors import CampaignError, StorageError
from prefect_staticadslab.campaign.files.folders import list_files
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.inbox.notes import note_locations, read_note, write_note
from prefect_staticadslab.campaign.inbox.scan import Inbox, ScanResult, write_end_note
from prefect_staticadslab.campaign.inbox.table_names import DEFAULT_PATTERN
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from tests.campaign.inbox.test_decisions import DONE, FAILED, NOTED
from tests.campaign.inbox.test_table_names import DAILY, TODAY
from tests.conftest import write_campaign


def opened(folder: Path | str, pattern: str = DEFAULT_PATTERN, results: str = "") -> Inbox:
    return Inbox.open(str(folder), results, pattern, TODAY, "https://api.example.com")


def spreadsheet(folder: Path, name: str, *prompts: str) -> Path:
    place = folder / name
    place.write_bytes(Path(write_campaign(folder, *prompts)).rename(place).read_bytes())
    return place


def table_of(box: Inbox, name: str, *states: JobState) -> ImageAdTable:
    """Writes the table of a spreadsheet that was run."""
    (waiting,) = [w for w in box.scan().waiting if w.name == name]
    table = ImageAdTable.open(waiting.output, read_spreadsheet(waiting.location))
    for position, state in enumerate(states):
        table.update(position, state)
    table.save_now()
    box.begin(waiting)
    write_end_note(box.results, name, waiting.finished_note, table, with_pictures=False)
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
    monkeypatch.setattr("prefect_staticadslab.campaign.files.storage.open_filesystem", told)
    (file,) = list_files("told://in")
    assert file.modified == (None if entry.get("mtime") == "yesterday" or not entry else TODAY)


def test_a_note_comes_back_as_it_was(tmp_path: Path) -> None:
    assert note_locations(str(tmp_path)) == {}
    write_note(str(tmp_path), "Größe.csv", NOTED)
    write_note(str(tmp_path), "Größe.csv", NOTED)
    notes = note_locations(str(tmp_path))
    assert read_note(notes["Größe.csv"]) == NOTED
    place = tmp_path / ".inbox" / "Größe.csv.json"
    for broken in ("[]", "1", '{"x": 1}', json.dumps({"campaign": "c"}), "\ufffd{"):
        place.write_text(broken)
        with pytest.raises(CampaignError, match=r"cannot be understood.* rename it so first"):
            read_note(str(place))
