"""The result table, which is the campaign's record: what is known about each row, kept on disk."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Generic, Self

import pandas as pd

from prefect_staticadslab.campaign.files import locations, storage
from prefect_staticadslab.campaign.files.cells import FIRST_ROW, Dialect, Spreadsheet
from prefect_staticadslab.campaign.files.formats.parquet import need_pyarrow
from prefect_staticadslab.campaign.files.spreadsheet import WRITABLE
from prefect_staticadslab.campaign.table.checkpoints import Checkpoints
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus, merge_states
from prefect_staticadslab.campaign.table.job_type import CampaignRow, JobType, Q
from prefect_staticadslab.campaign.table.merge import (
    OutputError,
    aligned,
    check_amounts,
    lines_of,
    read_earlier,
    reopened,
    rows_by_content,
    with_input_names,
    with_removed_note,
    without_removed_note,
    worth_keeping,
)
from prefect_staticadslab.campaign.table.record_encoder import joined
from prefect_staticadslab.campaign.table.record_size import check_size
from prefect_staticadslab.campaign.table.totals import Totals


@dataclass
class JobTable(Generic[Q]):
    """A campaign's rows and what is known about each, in memory and at `location`.

    Two runs of one campaign may write the same table: each takes in what the other wrote before it
    writes, so that neither's last word is lost.

    Attributes:
        job_type: Of what jobs it is.
        location: Where the table is kept, or None for a campaign that keeps none.
        frame: The input's columns, renamed where a result column has the same name; a line for
            each of `rows`.
        dialect: How a text table is written.
        rows: The rows as requests, in the input's order. After them come the rows of an earlier
            run that are no longer in the input and that have, or may have, an ad: they are kept
            and collected, and nothing is created for them.
        states: What is known about each row, in the same order.
        resumed: Whether an earlier run's table was found.
    """

    job_type: JobType[Q]
    location: str | None
    frame: pd.DataFrame
    dialect: Dialect
    rows: list[CampaignRow[Q]]
    states: list[JobState]
    resumed: bool = False

    def __post_init__(self) -> None:
        self._elsewhere: dict[int, JobState] = {}
        self._owners: dict[str, int] = {}
        self._is_reopened = False
        self._checkpoints = Checkpoints(self)

    @classmethod
    def open(cls, location: str | None, spreadsheet: Spreadsheet, job_type: JobType[Q]) -> Self:
        """The table for a spreadsheet, with what an earlier run recorded at the same place.

        Raises:
            SpreadsheetError: A row is wrong; see `read_rows`.
            AmountError: An amount of the earlier run's table cannot be.
            OutputError: There is something at `location` that is not this campaign's table, or
                no table can be there.
                It would become larger than what can be read again.
            StorageError: `location` cannot be read.
        """
        rows = job_type.read_rows(spreadsheet)
        table = cls(
            job_type=job_type,
            location=location,
            frame=with_input_names(spreadsheet.frame, job_type.columns),
            dialect=spreadsheet.dialect,
            rows=rows,
            states=[JobState() for _ in rows],
        )
        if location is not None:
            check_location(location)
            version = storage.version(location)
            if version is not None:
                table.resumed = True
                written = read_earlier(location, job_type)
                check_amounts(written, job_type, location)
                table._merge(written, by_content=True)
                table._checkpoints.saved = list(table.states)
                table._elsewhere.clear()
            table._checkpoints.version = version
            check_size(table.frame, len(job_type.columns), storage.suffix(location))
        return table

    @classmethod
    def reopen(cls, location: str, job_type: JobType[Q]) -> Self:
        """An earlier run's table by itself, for work on what it holds; nothing is to be created.

        What is known of each row is as it was written. If a campaign writes the table meanwhile,
        then that counts, with the picture's place and URL from here.

        Raises:
            OutputError: There is no result table at `location`.
            SpreadsheetError: A row of it can no longer be read, or holds an amount that cannot be.
            StorageError: `location` cannot be read.
        """
        version = storage.version(location)
        if version is None:
            where = locations.redacted_with_folder(location)
            raise OutputError(f"There is no result table at {where}.")
        storage.check_target(location)
        if storage.suffix(location) not in WRITABLE:
            raise OutputError(
                f"A result table ends in one of {', '.join(WRITABLE)}, not {location}."
            )
        names = tuple(job_type.columns)
        try:
            written = read_earlier(location, job_type)
        except OutputError:
            raise OutputError(
                f"{location} is no result table: its last columns must be "
                f"{names[0]}, …, {names[-1]}, as a campaign writes them."
            ) from None
        check_amounts(written, job_type, location)
        frame, rows, states = reopened(written, job_type)
        table = cls(job_type, location, frame, written.dialect, rows, states, resumed=True)
        table._checkpoints.version = version
        table._is_reopened = True
        return table

    def merge_from_disk(self, written: Spreadsheet) -> None:
        """Adds what another run wrote, where it knows more than this one."""
        if self._is_reopened:
            self._follow(written)
        else:
            self._merge(written)

    def _follow(self, written: Spreadsheet) -> None:
        """Takes the table as another run wrote it, and what is known of the pictures from here."""
        ours = {s.job_id: s for s in self.states if s.job_id and s.is_completed}
        self.frame, self.rows, states = reopened(written, self.job_type)
        self._checkpoints.saved = list(states)
        self.states = [
            replace(
                state,
                image_url=known.image_url,
                image_path=known.image_path or state.image_path,
            )
            if state.is_completed and (known := ours.get(state.job_id or ""))
            else state
            for state in states
        ]

    def _merge(self, written: Spreadsheet, *, by_content: bool = False) -> None:
        """Adds what another run wrote down, where it knows more than this one.

        Args:
            written: The table as it is at `location`.
            by_content: Whether a row that is not in it may be one that asks for the same ad under
                another `row_id`: the column is new, or a spreadsheet program made `7` of `007`.
        """
        recorded = {line[1].identity: line for line in lines_of(written, self.job_type)}
        unknown = []
        for position, row in enumerate(self.rows):
            if row.identity in recorded:
                _, _, state = recorded.pop(row.identity)
                self._learn(position, state)
            else:
                unknown.append(position)
        if by_content:
            same = rows_by_content(recorded.values())
            for position in unknown:
                if candidates := same.get(self.rows[position].request.model_dump_json()):
                    _, row, state = recorded.pop(candidates.pop().identity)
                    self._learn(position, state)
        kept = worth_keeping(list(recorded.values()))
        if kept:
            lines = written.frame.iloc[[line for line, _, _ in kept]]
            removed = aligned(lines, list(self.frame.columns))
            self.frame = pd.concat([self.frame, removed], ignore_index=True)
        for _, row, state in kept:
            self.rows.append(replace(row, number=len(self.rows) + FIRST_ROW, removed=True))
            self.states.append(with_removed_note(state))
            self._checkpoints.saved.append(with_removed_note(state))
            self._set(len(self.states) - 1, self.states[-1])

    def _learn(self, position: int, state: JobState) -> None:
        """Another run's word on a row."""
        ours, removed = self.states[position], self.rows[position].removed
        theirs = self._elsewhere[position] = (
            with_removed_note(state) if removed else without_removed_note(state)
        )
        # Who wants the row knows best what became of it.
        self._set(position, merge_states(theirs, ours) if removed else merge_states(ours, theirs))

    @property
    def current_rows(self) -> list[tuple[int, CampaignRow[Q], JobState]]:
        """The rows of the input: position, row and what is known about it."""
        return [
            (position, row, state)
            for position, (row, state) in enumerate(zip(self.rows, self.states, strict=True))
            if not row.removed
        ]

    def update(self, position: int, state: JobState) -> None:
        """Notes what is now known about a row; it is on disk with the next checkpoint."""
        state = with_removed_note(state) if self.rows[position].removed else state
        self._set(position, merge_states(state, self._elsewhere.get(position, state)))
        self._checkpoints.note_change()

    def _set(self, position: int, state: JobState) -> None:
        self.states[position] = state
        if state.job_id is not None:
            self._owners[state.job_id] = position

    def assign_job(self, position: int, image_ad_id: str) -> bool:
        """Whether an ad can be this row's: false if it is another's that is in the spreadsheet.

        A row that was removed gives its ad up: the API says that it was made with this row's key,
        so they are the same row, which somebody changed in the table.
        """
        owner = self._owners.get(image_ad_id, position)
        if owner == position or not self.job_type.exclusive:
            return True
        if not self.rows[owner].removed:
            return False
        self._set(owner, JobState(attempts=self.states[owner].attempts))
        self._elsewhere.pop(owner, None)
        return True

    def forget(self, position: int, reason: str) -> None:
        """Notes that a row that may have been sent never was: it can be sent with its key again.

        Args:
            position: Which row.
            reason: What to say of a row that was removed, for which nothing will be sent.
        """
        state = self.states[position]
        if self.rows[position].removed:
            state = replace(state.without_key(), status=RowStatus.FAILED, error=reason)
        else:
            state = JobState(attempts=max(0, state.attempts - 1))
        self._elsewhere.pop(position, None)
        self.update(position, state)

    async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
        """Notes what is about to be sent, and returns once that is on disk.

        Returns:
            What is known of these rows by then, also from another run that wrote the table.

        Raises:
            CampaignError: See `save`.
        """
        for position, state in changes.items():
            self.update(position, state)
        # What else is to be sent at this moment is written along with it.
        await asyncio.sleep(0)
        await self.save()
        return {position: self.states[position] for position in changes}

    async def save(self) -> None:
        """Writes the table, if anything that is known by now is not on disk yet.

        Raises:
            StorageError: It cannot be written, also when tried again.
            OutputError: What is at `location` by now is no table of this program.
        """
        await self._checkpoints.save()

    def save_now(self) -> None:
        """Writes the table before anything else happens; for the start and the very end.

        Raises:
            StorageError, OutputError: See `save`.
        """
        self._checkpoints.save_now()

    def checkpoints(self, tell: Callable[[str], None]) -> AbstractAsyncContextManager[None]:
        """Keeps the table on disk up to date while the body runs, and whatever ends the body.

        Args:
            tell: Is told what could not be saved, if the table cannot be written in the end;
                `unsaved` then says it again.
        """
        return self._checkpoints.kept(self.unsaved, tell)

    def unsaved(self) -> str:
        """The ads that are known and not on disk, as lines of CSV; "" if there are none."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for row, state, saved in zip(self.rows, self.states, self._checkpoints.saved, strict=True):
            if state != saved and state.job_id is not None:
                writer.writerow(
                    [row.number, state.status, state.job_id, state.image_url, state.error]
                )
        lines = text.getvalue()
        return f"row,status,image_ad_id,image_url,error\n{lines}".rstrip() if lines else ""

    def totals(self) -> Totals:
        """How many rows stand where, and what they cost."""
        return Totals.of(self.rows, self.states)

    def to_frame(self) -> pd.DataFrame:
        """The table as it is written: the input's columns, then the result's."""
        return joined(self.frame, self.states, self.job_type.columns)


def check_location(location: str) -> None:
    """Raises if no table can be written there, as far as that can be told.

    Raises:
        OutputError: There is no such format.
        SpreadsheetError: What the format needs is not installed.
        StorageError: There is no such folder, or nothing is written there; see
            `storage.check_target`.
    """
    if storage.suffix(location) not in WRITABLE:
        raise OutputError(f"The output {location} must end in one of: {', '.join(WRITABLE)}.")
    if storage.suffix(location) == ".parquet":
        need_pyarrow()
    storage.check_target(location)
