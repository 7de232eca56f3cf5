"""Tables and other files that are open in Excel on Windows: told, waited for, and nothing is lost.

Windows refuses to replace a file that another program has open, and to read one that it keeps to
itself. These tests raise what it raises.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.api.retries import tries
from prefect_staticadslab.campaign.errors import OpenElsewhereError, StorageError
from prefect_staticadslab.campaign.files import local_files, storage
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.table import checkpoints
from prefect_staticadslab.simulator import SimulatorServer
from tests.campaign.table.test_results import completed, opened
from tests.conftest import run_campaign, write_campaign

ACCESS_DENIED, SHARING_VIOLATION, LOCK_VIOLATION = 5, 32, 33


def windows_error(number: int | None) -> PermissionError:
    error = PermissionError(errno.EACCES, "Access is denied")
    if number is not None:
        error.winerror = number  # type: ignore[attr-defined, unused-ignore]
    return error


class Excel:
    """Has files open, until it closes them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: dict[str, int | None] = {}
        self.refusals = 0
        self.on_refusal: Callable[[], None] = lambda: None
        replace, os_open = Path.replace, os.open

        def replaced(file: Path, target: Path) -> Path:
            self._refuse(Path(target))
            return replace(file, target)

        def opened(path: Path, *arguments: int) -> int:
            if "read " + Path(path).name in self.opened:
                self.refusals += 1
                raise windows_error(self.opened["read " + Path(path).name])
            return os_open(path, *arguments)

        monkeypatch.setattr(Path, "replace", replaced)
        monkeypatch.setattr(os, "open", opened)

    def _refuse(self, target: Path) -> None:
        if target.name in self.opened:
            self.refusals += 1
            self.on_refusal()
            raise windows_error(self.opened[target.name])

    def open(self, name: str, number: int = ACCESS_DENIED) -> None:
        self.opened[name] = number

    def open_alone(self, name: str, number: int | None = SHARING_VIOLATION) -> None:
        """Nobody else may even read it."""
        self.opened["read " + name] = number

    def close(self) -> None:
        self.opened.clear()


@pytest.fixture
def excel(monkeypatch: pytest.MonkeyPatch) -> Excel:
    return Excel(monkeypatch)


class Pauses(list[float]):
    """The pauses that were made, none of which takes any time; and what happens after some."""

    def __init__(self) -> None:
        super().__init__()
        self.after: dict[int, Callable[[], None]] = {}

    async def sleep(self, seconds: float) -> None:
        self.append(seconds)
        self.after.get(len(self), lambda: None)()
        await asyncio.sleep(0)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    made = Pauses()
    monkeypatch.setattr(checkpoints, "_sleep", made.sleep)
    monkeypatch.setattr(tries, "FIRST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(tries, "LONGEST_BACKOFF_SECONDS", 0.001)
    return made


# What is told


@pytest.mark.parametrize("number", [ACCESS_DENIED, SHARING_VIOLATION, LOCK_VIOLATION])
@pytest.mark.parametrize("name", ["results.xlsx", "results.csv", "results.html", "ads.zip"])
def test_a_file_that_is_open_elsewhere_is_told_as_that(
    tmp_path: Path, excel: Excel, number: int, name: str
) -> None:
    place = tmp_path / name
    storage.write_bytes(str(place), b"old")
    excel.open(name, number)
    with pytest.raises(OpenElsewhereError) as told:
        storage.write_bytes(str(place), b"new")
    assert str(told.value) == (
        f"{place} is open in another program, such as Excel, so it cannot be written. "
        "Close it there."
    )
    assert [f.name for f in tmp_path.iterdir()] == [name], "what was begun is left beside it"
    assert place.read_bytes() == b"old"


@pytest.mark.parametrize("number", [SHARING_VIOLATION, LOCK_VIOLATION])
def test_a_spreadsheet_that_is_kept_open_is_told_as_that(
    tmp_path: Path, excel: Excel, number: int
) -> None:
    place = write_campaign(tmp_path, "a")
    excel.open_alone("in.csv", number)
    with pytest.raises(OpenElsewhereError, match=r"in\.csv is open in .* so it cannot be read"):
        read_spreadsheet(place)


def test_windows_gives_no_number_when_a_file_is_opened(
    tmp_path: Path, excel: Excel, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write_campaign(tmp_path, "a")
    excel.open_alone("in.csv", None)
    with pytest.raises(StorageError, match="cannot be read") as told:
        read_spreadsheet(place)
    assert not isinstance(told.value, OpenElsewhereError)
    path = Path(place)
    monkeypatch.setattr(local_files, "_IS_WINDOWS", True)
    with pytest.raises(OpenElsewhereError):
        local_files.open_file(path)


def test_a_file_that_is_read_only_is_not_said_to_be_open(
    tmp_path: Path, excel: Excel, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "results.xlsx"
    place.write_bytes(b"old")
    excel.open("results.xlsx", ACCESS_DENIED)
    # Whoever runs the tests as root may write everything.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(StorageError, match="cannot be written: access is denied") as told:
        storage.write_bytes(str(place), b"new")
    assert not isinstance(told.value, OpenElsewhereError)


# What becomes of a run


async def test_an_open_table_is_told_once_and_waited_for(
    tmp_path: Path, excel: Excel, pauses: Pauses, caplog: pytest.LogCaptureFixture
) -> None:
    table = opened(tmp_path, "a")
    table.save_now()
    excel.open("out.csv")
    pauses.after[8] = excel.close
    with caplog.at_level(logging.WARNING):
        await table.before_send({0: JobState(RowStatus.SUBMITTING, attempts=1)})
    assert pauses == [1, 2, 4, 8, 15, 15, 15, 15]
    first, second = caplog.messages
    assert "out.csv is open in another program, such as Excel" in first
    assert "Until it is closed, no further ads are created" in first
    assert second.endswith("out.csv is closed, and saved again.")
    assert opened(tmp_path, "a").states[0].status is RowStatus.SUBMITTING


async def test_a_virus_scanner_that_looks_for_a_moment_is_not_worth_a_word(
    tmp_path: Path, excel: Excel, pauses: Pauses, caplog: pytest.LogCaptureFixture
) -> None:
    table = opened(tmp_path, "a")
    table.save_now()
    excel.open("out.csv")
    pauses.after[1] = excel.close
    await table.before_send({0: JobState(RowStatus.SUBMITTING, attempts=1)})
    assert pauses == [1]
    assert not caplog.messages


async def test_a_table_that_stays_open_is_waited_for_once_and_not_by_every_chunk(
    tmp_path: Path, excel: Excel, pauses: Pauses
) -> None:
    table = opened(tmp_path, "a", "b")
    table.save_now()
    excel.open("out.csv")
    sent = JobState(RowStatus.SUBMITTING, attempts=1)
    with pytest.raises(OpenElsewhereError):
        await table.before_send({0: sent})
    assert checkpoints.OPEN_SECONDS <= sum(pauses) < checkpoints.OPEN_SECONDS + 15
    count = len(pauses)
    with pytest.raises(OpenElsewhereError):
        await table.before_send({1: sent})
    assert len(pauses) == count
    # Once it was closed, the next time is waited for anew.
    excel.close()
    await table.save()
    excel.open("out.csv")
    pauses.after[count + 2] = excel.close
    await table.before_send({1: replaced_error(sent)})
    assert pauses[count:] == [1, 2]


def replaced_error(state: JobState) -> JobState:
    return JobState(state.status, attempts=state.attempts, error="again")


async def test_what_is_open_to_the_end_is_told_line_by_line(
    tmp_path: Path, excel: Excel, pauses: Pauses
) -> None:
    table = opened(tmp_path, "a", "b")
    table.save_now()
    told: list[str] = []
    async with table.checkpoints(told.append):
        excel.open("out.csv")
        table.update(0, completed(1))
    assert sum(pauses) >= checkpoints.OPEN_SECONDS
    (text,) = told
    assert "out.csv is open in another program" in text
    assert "2,completed,ia_1,https://cdn/1.png," in text
    assert "ia_1" in table.unsaved()
    assert [f.name for f in tmp_path.glob("out*")] == ["out.csv"], "nothing to mix up with it"


async def test_an_interruption_waits_for_nobody(
    tmp_path: Path, excel: Excel, pauses: Pauses
) -> None:
    table = opened(tmp_path, "a")
    table.save_now()
    told: list[str] = []

    async def run() -> None:
        async with table.checkpoints(told.append):
            excel.open("out.csv")
            table.update(0, completed(1))
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await run()
    assert sum(pauses) < checkpoints.OPEN_SECONDS
    assert "ia_1" in told[0]


async def test_a_campaign_creates_nothing_while_its_table_is_open_and_then_goes_on(
    tmp_path: Path, excel: Excel, pauses: Pauses, simulator: SimulatorServer
) -> None:
    place, output = write_campaign(tmp_path, "a", "b"), str(tmp_path / "out.csv")
    created: list[int] = []
    excel.on_refusal = lambda: created.append(len(simulator.api.jobs))

    def open_after_the_first_write(file: Path, target: Path) -> None:
        if target.name == "out.csv" and not excel.refusals:
            excel.open("out.csv")

    watch_writes(excel, open_after_the_first_write)
    pauses.after[5] = excel.close
    campaign, _ = await run_campaign(place, output, simulator.url)
    assert created
    assert set(created) == {0}
    assert [state.status for state in campaign.table.states] == [RowStatus.COMPLETED] * 2
    assert read_spreadsheet(output).frame["status"].tolist() == ["completed"] * 2


async def test_a_run_whose_table_stays_open_pays_for_nothing_that_the_next_one_pays_again(
    tmp_path: Path, excel: Excel, pauses: Pauses, simulator: SimulatorServer
) -> None:
    place, output = write_campaign(tmp_path, "a", "b"), str(tmp_path / "out.csv")
    writes: list[int] = []

    def open_after_the_marks(file: Path, target: Path) -> None:
        if target.name == "out.csv":
            writes.append(1)
            if len(writes) == 2:
                excel.open("out.csv")

    watch_writes(excel, open_after_the_marks)
    campaign, _ = await run_campaign(place, output, simulator.url)
    assert len(simulator.api.jobs) == 2
    assert read_spreadsheet(output).frame["status"].tolist() == ["submitting"] * 2
    assert campaign.table.unsaved().count("completed,ia_") == 2
    excel.close()
    await run_campaign(place, output, simulator.url)
    assert len(simulator.api.jobs) == 2
    assert read_spreadsheet(output).frame["status"].tolist() == ["completed"] * 2


def watch_writes(excel: Excel, then: Callable[[Path, Path], None]) -> None:
    """Has something happen after each file that is written."""
    written = Path.replace

    def watched(file: Path, target: Path) -> Path:
        result = written(file, target)
        then(file, Path(target))
        return result

    # Undone along with the fixture's own patch.
    Path.replace = watched  # type: ignore[method-assign, assignment]
