"""The result table, which is the campaign's record: what is known about each row, kept on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Self

from prefect_staticadslab.campaign.files import conditional_writes, locations, storage
from prefect_staticadslab.campaign.files.cells import FIRST_ROW, Dialect, Spreadsheet, frame_of
from prefect_staticadslab.campaign.files.spreadsheet import WRITABLE
from prefect_staticadslab.campaign.table.checkpoints import Checkpoints
from prefect_staticadslab.campaign.table.earlier_ads import EarlierAds, read_earlier_ads
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus, with_picture_of
from prefect_staticadslab.campaign.table.job_type import CampaignRow, JobType, Q
from prefect_staticadslab.campaign.table.layout import (
    header_of,
    joined,
    with_input_names,
    with_own_columns,
    without_results,
)
from prefect_staticadslab.campaign.table.other_runs import merge_states
from prefect_staticadslab.campaign.table.record_encoder import PictureOf, unsaved_lines
from prefect_staticadslab.campaign.table.table_on_disk import (
    Line,
    OutputError,
    check_amounts,
    check_location,
    lines_of,
    match_lines,
    read_earlier,
    table_parts,
    with_earlier_prompt,
    with_removed_note,
    without_removed_note,
    worth_keeping,
)
from prefect_staticadslab.campaign.table.totals import Totals

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class JobTable(Generic[Q]):
    """A campaign's rows and what is known about each, in memory and at `location`.

    Two runs of one campaign may write the same table: each takes in what the other wrote before it
    writes, so that neither's last word is lost.

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
        earlier_ads: What the spreadsheet says of ads that its rows have, if it is a result table.
        selected_by: The options that selected some of the rows for this run; "" for all rows.
        notes, hidden_rows: How the spreadsheet was read; see `Spreadsheet`.
    """

    job_type: JobType[Q]
    location: str | None
    frame: pd.DataFrame
    dialect: Dialect
    rows: list[CampaignRow[Q]]
    states: list[JobState]
    resumed: bool = False
    earlier_ads: EarlierAds | None = None
    selected_by: str = ""
    notes: tuple[str, ...] = ()
    hidden_rows: int = 0

    def __post_init__(self) -> None:
        self.header = header_of((), self.frame, list(self.job_type.columns))
        self._inputs = len(self.frame.columns)
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
                check_amounts(written, job_type, location)
                table._merge(written, by_content=True)
                table._elsewhere.clear()
            table._checkpoints.begin(version)
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
        version = conditional_writes.version(location)
        if version is None:
            where = locations.redacted_with_folder(location)
            raise OutputError(f"There is no result table at {where}.")
        storage.check_target(location)
        if storage.suffix(location) not in WRITABLE:
            raise OutputError(
                f"A result table ends in one of {', '.join(WRITABLE)}, not {location}."
            )
        written = read_earlier(location, job_type, is_to_be=False)
        check_amounts(written, job_type, location)
        frame, rows, states = table_parts(written, job_type)
        table = cls(job_type, location, frame, written.dialect, rows, states, resumed=True)
        table.header, table._is_reopened = list(written.header), True
        table._checkpoints.version = version
        return table

    def merge_from_disk(self, written: Spreadsheet) -> None:
        """Adds what another run wrote, where it knows more than this one."""
        (self._follow if self._is_reopened else self._merge)(written)

    def _follow(self, written: Spreadsheet) -> None:
        """Takes the table as another run wrote it, and what is known of the pictures from here."""
        ours = {s.job_id: s for s in self.states if s.job_id and s.is_completed}
        self.frame, self.rows, states = table_parts(written, self.job_type)
        self.header = list(written.header)
        self._checkpoints.saved_states = list(states)
        self.states = [with_picture_of(ours.get(state.job_id or ""), state) for state in states]

    def _merge(self, written: Spreadsheet, *, by_content: bool = False) -> None:
        """Adds what another run wrote down, where it knows more than this one.

        Args:
            by_content: Whether a row that is not in it may be one that asks for the same ad under
                another `row_id`: the column is new, or a spreadsheet program made `7` of `007`.
        """
        lines = lines_of(written, self.job_type)
        found, rest, respelled = match_lines(self.rows, lines, self.job_type, by_content=by_content)
        for position in respelled:
            self._go_on_with(position, found[position], written)
        for position, (_, _, state) in found.items():
            self._learn(position, state)
        kept = worth_keeping(rest)
        self._take_columns(
            written, {position: line for position, (line, _, _) in found.items()}, kept
        )
        for _, row, state in kept:
            self.rows.append(replace(row, number=len(self.rows) + FIRST_ROW, removed=True))
            self.states.append(with_removed_note(state))
            self._checkpoints.saved_states.append(with_removed_note(state))
            self._store_state(len(self.states) - 1, self.states[-1])

    def _go_on_with(self, position: int, line: Line[Q], written: Spreadsheet) -> None:
        """Makes a row the one that its ad was asked for with: that is what is in the picture."""
        self.frame = with_earlier_prompt(self.frame, position, written, line[0])
        self.rows[position] = replace(line[1], number=self.rows[position].number)
        state, request = self.states[position], line[1].request
        self.states[position] = replace(state, request_hash=self.job_type.hash_of(request))

    def _take_columns(
        self, written: Spreadsheet, lines: Mapping[int, int], kept: Sequence[Line[Q]]
    ) -> None:
        """Takes what people added to the table, and the rows that are kept, from the disk."""
        results = list(self.job_type.columns)
        self.frame = with_own_columns(
            self.frame,
            self._inputs,
            without_results(written, results),
            lines,
            kept=[line for line, _, _ in kept],
            is_read=self.job_type.is_read,
            removed={position for position, row in enumerate(self.rows) if row.removed},
        )
        self.header = header_of(written.header, self.frame, results)
        widths = {**dict(self.dialect.column_widths), **dict(written.dialect.column_widths)}
        self.dialect = replace(self.dialect, column_widths=tuple(widths.items()))

    def _learn(self, position: int, state: JobState) -> None:
        """Another run's word on a row."""
        ours, removed = self.states[position], self.rows[position].removed
        theirs = with_removed_note(state) if removed else without_removed_note(state)
        # Who wants the row knows best what became of it.
        merged = merge_states(theirs, ours) if removed else merge_states(ours, theirs)
        known = self._checkpoints.note_read(position, theirs, ours, merged)
        if known is not ours:  # which may be further than this run's own mark
            self._elsewhere[position] = theirs
        self._store_state(position, known)

    @property
    def current_rows(self) -> list[tuple[int, CampaignRow[Q], JobState]]:
        """The rows of the input: position, row and what is known about it."""
        known = enumerate(zip(self.rows, self.states, strict=True))
        return [(position, row, state) for position, (row, state) in known if not row.removed]

    def update(self, position: int, state: JobState) -> None:
        """Notes what is now known about a row; it is on disk with the next checkpoint."""
        owner = self._owner(position, state.job_id) if position in self._elsewhere else position
        if owner != position and self.states[owner].job_id == state.job_id:
            # Another run has given this ad to an equal row, and this one another ad.
            position, state = owner, replace(state, attempts=self.states[owner].attempts)
        state = with_removed_note(state) if self.rows[position].removed else state
        self._store_state(position, merge_states(state, self._elsewhere.get(position, state)))
        self._checkpoints.note_change()

    def take_over(self, spreadsheet: Spreadsheet, location: str, *, again: bool) -> None:
        """Takes what is known of ads from the spreadsheet; see `read_earlier_ads`."""
        self.earlier_ads, states = read_earlier_ads(
            self.current_rows, self.job_type, spreadsheet, location, again=again
        )
        for position, state in states.items():
            self._elsewhere.pop(position, None)
            self._store_state(position, state)
            self._checkpoints.note_change()

    def _store_state(self, position: int, state: JobState) -> None:
        request_hash = self.states[position].request_hash
        if state.request_hash != request_hash:
            state = replace(state, request_hash=request_hash)
        self.states[position] = state
        if state.job_id is not None:
            self._owners[state.job_id] = position

    def assign_job(self, position: int, image_ad_id: str) -> bool:
        """Whether an ad can be this row's: false if it is another's that is in the spreadsheet.

        A row that was removed gives its ad up: the API says that it was made with this row's key,
        so they are the same row, which somebody changed in the table.
        """
        if self._owner(position, image_ad_id) != position:
            return False
        owner = self._owners.get(image_ad_id, position)
        if owner != position and self.job_type.exclusive:
            self._store_state(owner, JobState(attempts=self.states[owner].attempts))
            self._elsewhere.pop(owner, None)
        return True

    def _owner(self, position: int, image_ad_id: str | None) -> int:
        """Which row of the spreadsheet an ad is known of; this one, if of no other."""
        owner = self._owners.get(image_ad_id or "", position)
        return position if self.rows[owner].removed or not self.job_type.exclusive else owner

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
        self._checkpoints.other_runs.note_own_marks(changes)
        for position, state in changes.items():
            # For what another run has an ad by now, nothing is begun.
            if position not in self._elsewhere or not self.states[position].has_ad:
                self.update(position, state)
        # What else is to be sent at this moment is written along with it.
        await asyncio.sleep(0)
        await self.save()
        return {position: self.states[position] for position in changes}

    async def look(self, positions: Collection[int]) -> Mapping[int, JobState]:
        """What other runs have written of these rows since the last look; see `Journal.look`."""
        news = await self._checkpoints.merge_news(positions)
        return {position: self.states[position] for position in news}

    async def save(self) -> None:
        """Writes the table, if anything that is known by now is not on disk yet. Raises
        `StorageError` if it cannot be written, also when tried again; `OutputError` if what is at
        `location` by now is no table of this program."""
        await self._checkpoints.save()

    def save_now(self) -> None:
        """Writes the table before anything else happens: at the start and the very end. Raises
        like `save`."""
        self._checkpoints.save_now()

    def save_with_pictures(self, picture_of: PictureOf) -> None:
        """Writes an .xlsx after the very end, with pictures. Raises like `save`."""
        self._checkpoints.save_with_pictures(picture_of)

    def checkpoints(self, tell: Callable[[str], None]) -> AbstractAsyncContextManager[None]:
        """Keeps the table on disk up to date while the body runs, and whatever ends the body.

        What could not be saved in the end is told, and `unsaved` says it again.
        """
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
        return joined(self.frame, self.states, self.job_type.columns, self.header)
