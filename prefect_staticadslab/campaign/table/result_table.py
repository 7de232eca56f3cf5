"""The result table, which is the campaign's record: what is known about each row, kept on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Self

from prefect_staticadslab.campaign.files import conditional_writes
from prefect_staticadslab.campaign.files.cells import FIRST_ROW, Dialect, Spreadsheet, frame_of
from prefect_staticadslab.campaign.table.checkpoints import Checkpoints
from prefect_staticadslab.campaign.table.earlier_jobs import EarlierJobs, read_earlier_jobs
from prefect_staticadslab.campaign.table.job_state import (
    JobState,
    RowStatus,
    with_picture_of,
    with_removed_note,
    without_removed_note,
)
from prefect_staticadslab.campaign.table.job_type import CampaignRow, JobType, Q, check_record
from prefect_staticadslab.campaign.table.layout import (
    join_results,
    table_header,
    with_added_columns,
    with_input_names,
    without_result_columns,
)
from prefect_staticadslab.campaign.table.other_runs import merge_states
from prefect_staticadslab.campaign.table.record_encoder import PictureOf, unsaved_lines
from prefect_staticadslab.campaign.table.table_on_disk import (
    Line,
    check_location,
    lines_of,
    lines_to_keep,
    lost_sheets_notes,
    match_lines,
    read_earlier,
    read_existing,
    table_parts,
    with_earlier_prompt,
)
from prefect_staticadslab.campaign.table.totals import Totals

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class JobTable(Generic[Q]):
    """A campaign's rows and what is known about each, in memory and at `location`.

    Two runs of one campaign may write the same table: each merges what the other wrote before it
    writes, so that nothing that either knows is lost.

    Attributes:
        job_type: Of what jobs it is.
        location: Where the table is kept, or None for a campaign that keeps none.
        frame: The input's columns, renamed where a result column has the same name, then those
            that somebody added to the table; a line for each of `rows`.
        dialect: How a text table is written.
        rows: The rows as requests, in the input's order. After them come the rows of an earlier
            run that are no longer in the input and that have, or may have, an ad: they are kept
            and collected, and nothing is created for them.
        states: What is known about each row, in the same order.
        resumed: Whether an earlier run's table was found.
        earlier_jobs: What the spreadsheet says of its rows' jobs, if it is a result table.
        selected_by: The options that selected some of the rows for this run; "" for all rows.
        notes, hidden_rows: How the spreadsheet, and what was found, were read; see `Spreadsheet`.
        header: The names of all columns, in the order in which they are written.
    """

    job_type: JobType[Q]
    location: str | None
    frame: pd.DataFrame
    dialect: Dialect
    rows: list[CampaignRow[Q]]
    states: list[JobState]
    resumed: bool = False
    earlier_jobs: EarlierJobs | None = None
    selected_by: str = ""
    notes: tuple[str, ...] = ()
    hidden_rows: int = 0

    def __post_init__(self) -> None:
        self.header = table_header((), self.frame, list(self.job_type.columns))
        self._input_columns = len(self.frame.columns)
        # What another run wrote of a row since this one began, by the row's position.
        self._other_run_states: dict[int, JobState] = {}
        self._owners: dict[str, int] = {}  # each job's row, by the job's id
        self._is_reopened = False
        self._checkpoints = Checkpoints(self)

    @classmethod
    def open(cls, location: str | None, spreadsheet: Spreadsheet, job_type: JobType[Q]) -> Self:
        """The table for a spreadsheet, merged with what an earlier run wrote at `location`, which
        is only read.

        Raises:
            SpreadsheetError: A row is wrong; see `read_rows`.
            RecordError: A status, an amount or a row of the earlier run's table cannot be.
            OutputError: There is something at `location` that is not this campaign's table, no
                table can be there, or it would become larger than what can be read again.
            StorageError: `location` cannot be read.
        """
        rows = job_type.read_rows(spreadsheet)
        header = with_input_names(spreadsheet.header, job_type.columns)
        table = cls(
            job_type=job_type,
            location=location,
            frame=frame_of(header, spreadsheet.lines),
            dialect=spreadsheet.dialect,
            rows=rows,
            notes=spreadsheet.notes,
            hidden_rows=spreadsheet.hidden_rows,
            states=[JobState(request_hash=job_type.hash_of(row.request)) for row in rows],
        )
        if location is not None:
            check_location(location)
            version = conditional_writes.version(location)
            if version is not None:
                table.resumed = True
                written = read_earlier(location, job_type)
                check_record(written, job_type, location)
                table.notes += lost_sheets_notes(written, location)
                table._merge_lines(written)
                table._other_run_states.clear()
            table._checkpoints.begin(version)
        return table

    @classmethod
    def reopen(cls, location: str, job_type: JobType[Q]) -> Self:
        """An earlier run's table without its spreadsheet; nothing is to be created from it.

        If a campaign writes the table meanwhile, the next save takes all from there but the
        pictures' paths and URLs.

        Raises:
            OutputError: There is no result table at `location`.
            RecordError: A row of it can no longer be read, or holds what cannot be.
            StorageError: `location` cannot be read.
        """
        written, version = read_existing(location, job_type)
        frame, rows, states = table_parts(written, job_type, location)
        table = cls(job_type, location, frame, written.dialect, rows, states, resumed=True)
        table.header, table._is_reopened = list(written.header), True
        table._checkpoints.version = version
        return table

    def merge_from_disk(self, written: Spreadsheet) -> None:
        """Brings what another run wrote into the table; a reopened table is replaced by it."""
        (self._replace_all if self._is_reopened else self._merge_lines)(written)

    def _replace_all(self, written: Spreadsheet) -> None:
        """Replaces rows, states and columns by those on disk, but for paths and URLs of pictures
        that are known here."""
        ours = {s.job_id: s for s in self.states if s.job_id and s.is_completed}
        self.frame, self.rows, states = table_parts(written, self.job_type, self.location)
        self.header = list(written.header)
        self._checkpoints.saved_states = list(states)
        self.states = [with_picture_of(ours.get(state.job_id or ""), state) for state in states]

    def _merge_lines(self, written: Spreadsheet) -> None:
        """Merges a table on disk into this one: states, columns, and rows that were removed."""
        lines = lines_of(written, self.job_type, self.location)
        known = list(zip(self.states, self._checkpoints.saved_states, strict=True))
        found, rest, respelled = match_lines(self.rows, known, lines, self.job_type)
        for position in respelled:
            self._take_request(position, found[position], written)
        for position, (_, _, state) in found.items():
            self._merge_state(position, state)
        kept = lines_to_keep(rest)
        self._merge_columns(written, found, kept)
        self._append_removed(kept)

    def _take_request(self, position: int, line: Line[Q], written: Spreadsheet) -> None:
        """Gives a row the request that its line on disk has, and its prompt: its ad was made so."""
        self._checkpoints.other_runs.note_other_words(position)
        self.frame = with_earlier_prompt(self.frame, position, written, line[0])
        row, state, request = self.rows[position], self.states[position], line[1].request
        self.rows[position] = replace(line[1], number=row.number, postponed=row.postponed)
        self.states[position] = replace(state, request_hash=self.job_type.hash_of(request))

    def _merge_columns(
        self, written: Spreadsheet, found: Mapping[int, Line[Q]], kept: Sequence[Line[Q]]
    ) -> None:
        """Takes the columns that people added on disk, their order and widths, and adds to `frame`
        the lines in `kept`. `found` says which line on disk is which row's, by position."""
        results = list(self.job_type.columns)
        self.frame = with_added_columns(
            self.frame,
            self._input_columns,
            without_result_columns(written, results),
            {position: line for position, (line, _, _) in found.items()},
            kept=[line for line, _, _ in kept],
            is_read=self.job_type.is_read,
            removed={position for position, row in enumerate(self.rows) if row.removed},
        )
        self.header = table_header(written.header, self.frame, results)
        widths = {**dict(self.dialect.column_widths), **dict(written.dialect.column_widths)}
        self.dialect = replace(self.dialect, column_widths=tuple(widths.items()))

    def _append_removed(self, lines: Sequence[Line[Q]]) -> None:
        """Appends rows on disk that are no longer in the spreadsheet; their errors say so."""
        for _, row, state in lines:
            self.rows.append(replace(row, number=len(self.rows) + FIRST_ROW, removed=True))
            self.states.append(with_removed_note(state))
            self._checkpoints.saved_states.append(with_removed_note(state))
            self._store_state(len(self.states) - 1, self.states[-1])

    def _merge_state(self, position: int, state: JobState) -> None:
        """Merges a row's state on disk, `state`, with what is known of it here."""
        ours, removed = self.states[position], self.rows[position].removed
        theirs = with_removed_note(state) if removed else without_removed_note(state)
        # The run that has the row in its spreadsheet knows best what became of it.
        merged = merge_states(theirs, ours) if removed else merge_states(ours, theirs)
        known = self._checkpoints.note_read(position, theirs, ours, merged)
        if known is not ours:  # which may be further than this run's own mark
            self._other_run_states[position] = theirs
        self._store_state(position, known)

    @property
    def current_rows(self) -> list[tuple[int, CampaignRow[Q], JobState]]:
        """The rows that are in the spreadsheet: position, row, and what is known about it."""
        known = enumerate(zip(self.rows, self.states, strict=True))
        return [(position, row, state) for position, (row, state) in known if not row.removed]

    def update(self, position: int, state: JobState) -> None:
        """Stores a row's new state, merged with what another run wrote of it; the next save writes
        it. If another run gave its job to another row, it is stored as that row's instead."""
        others = self._other_run_states
        owner = self._owner(state.job_id, default=position) if position in others else position
        is_another_rows = owner != position and not self.rows[owner].removed
        if is_another_rows and self.states[owner].job_id == state.job_id:
            # Another run has given this ad to an equal row, and this one another ad.
            position, state = owner, replace(state, attempts=self.states[owner].attempts)
        state = with_removed_note(state) if self.rows[position].removed else state
        self._store_state(position, merge_states(state, others.get(position, state)))
        self._checkpoints.note_change()

    def take_over_earlier_jobs(
        self, spreadsheet: Spreadsheet, location: str, *, again: bool
    ) -> None:
        """Takes over ads from a spreadsheet that is itself a result table: replaces the states of
        these rows, and sets `earlier_jobs`; see `read_earlier_jobs`."""
        self.earlier_jobs, states = read_earlier_jobs(
            self.current_rows, self.job_type, spreadsheet, location, again=again
        )
        for position, state in states.items():
            self._other_run_states.pop(position, None)
            self._store_state(position, state)
            self._checkpoints.note_change()

    def _store_state(self, position: int, state: JobState) -> None:
        """Replaces a row's state in memory, but for its `request_hash`; its job is then its own."""
        request_hash = self.states[position].request_hash
        if state.request_hash != request_hash:
            state = replace(state, request_hash=request_hash)
        self.states[position] = state
        if state.job_id is not None:
            self._owners[state.job_id] = position

    def assign_job(self, position: int, image_ad_id: str) -> bool:
        """Whether a job can be this row's: false if it is another's that is in the spreadsheet.

        A row that was removed gives its job up, and loses its state: the API says that the job was
        made with this row's key, so they are the same row, which somebody changed in the table.
        """
        owner = self._owner(image_ad_id, default=position)
        if owner != position and not self.rows[owner].removed:
            return False
        if owner != position:
            self._store_state(owner, JobState(attempts=self.states[owner].attempts))
            self._other_run_states.pop(owner, None)
            self._checkpoints.other_runs.note_own_decision(owner)
        return True

    def _owner(self, job_id: str | None, *, default: int) -> int:
        """The position of the row that has a job; `default` if none has, or rows may share it."""
        is_exclusive = self.job_type.exclusive
        return self._owners.get(job_id or "", default) if is_exclusive else default

    def note_never_created(self, position: int, reason: str, *, was_tried: bool = False) -> None:
        """Notes that a row that may have been sent has no ad: it is pending, and its key can be
        used unless it `was_tried`. A row that was removed fails with `reason`."""
        state = self.states[position]
        if self.rows[position].removed:
            state = replace(state.without_key(), status=RowStatus.FAILED, error=reason)
        else:
            state = JobState(attempts=max(0, state.attempts - (not was_tried)))
        self._other_run_states.pop(position, None)
        self._checkpoints.other_runs.note_own_decision(position)
        self.update(position, state)

    async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
        """Updates rows that are about to be sent, and returns once that is on disk.

        Returns:
            The states of these rows by then, also from another run; see `OtherRuns.state_to_send`.

        Raises:
            CampaignError: See `save`.
        """
        runs = self._checkpoints.other_runs
        for position in runs.note_own_marks(changes):
            # A row that another run has an ad for by now is left as it is.
            if position not in self._other_run_states or not self.states[position].has_ad:
                self.update(position, changes[position])
        # What else is to be sent at this moment is written along with it.
        await asyncio.sleep(0)
        await self.save()
        return {p: runs.state_to_send(p, self.states[p]) for p in changes}

    async def look(self, positions: Collection[int]) -> Mapping[int, JobState]:
        """Merges what other runs have written, and returns the states of those of these rows that
        they wrote since this was last asked. Raises `CampaignError` if it cannot be read."""
        news = await self._checkpoints.merge_news(positions)
        return {position: self.states[position] for position in news}

    async def save(self) -> None:
        """Writes the table, if what is known by now is not all on disk; see `Checkpoints.save`."""
        await self._checkpoints.save()

    def save_now(self) -> None:
        """Writes the table in this thread, changed or not: at the start and the very end. Raises
        like `save`."""
        self._checkpoints.save_now()

    def save_with_pictures(self, picture_of: PictureOf) -> None:
        """Writes an .xlsx with pictures, now and from now on. Raises like `save`."""
        self._checkpoints.save_with_pictures(picture_of)

    def checkpoints(self, tell: Callable[[str], None]) -> AbstractAsyncContextManager[None]:
        """Writes the table regularly while the body runs, and once more whatever ends the body.
        `tell` is called with what could not be saved in the end; `unsaved` gives it again."""
        return self._checkpoints.saving(self.unsaved, tell)

    def unsaved(self) -> str:
        """The ads that are known and not on disk, as lines of CSV; "" if there are none."""
        numbers = [row.number for row in self.rows]
        return unsaved_lines(numbers, self.states, self._checkpoints.saved_states)

    def totals(self) -> Totals:
        """How many rows stand where, and what they cost."""
        return Totals.of(self.rows, self.states)

    def to_frame(self) -> pd.DataFrame:
        """The table as it is written."""
        return join_results(self.frame, self.states, self.job_type.columns, self.header)
