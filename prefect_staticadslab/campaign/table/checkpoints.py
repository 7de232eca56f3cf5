"""Writing the result table while things happen, never over what another run has written."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.api.retries.tries import retrying
from prefect_staticadslab.campaign.errors import CampaignError, OpenElsewhereError, StorageError
from prefect_staticadslab.campaign.files import conditional_writes, storage
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.files.conditional_writes import ChangedMeanwhileError
from prefect_staticadslab.campaign.files.locations import Location, redacted
from prefect_staticadslab.campaign.table.background import in_background
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.job_type import RecordedTable
from prefect_staticadslab.campaign.table.other_runs import OtherRuns
from prefect_staticadslab.campaign.table.record_encoder import PictureOf, RecordEncoder
from prefect_staticadslab.campaign.table.table_on_disk import read_earlier

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS: Final = 1.5
"""The least time between two regular writes of the table."""

CHECKPOINT_SHARE: Final = 0.05
"""The part of the time that writing the table may take; a long table is written less often."""

SAVE_TRIES: Final = 5
SAVE_SECONDS: Final = 20.0
"""How often, and for how long, a write is tried before it fails. A full disk is tried again for
about eight seconds; an object store's client has tried for longer each time before it says no."""

OPEN_SECONDS: Final = 600.0
"""How long a run waits for somebody who has the table open in Excel to close it."""

OPEN_PAUSE: Final = 1.0
LONGEST_OPEN_PAUSE: Final = 15.0
"""Seconds between two tries to write a table that is open, which grow from one to the other."""

FIRST_COLLISION_PAUSE: Final = 0.1
LONGEST_COLLISION_PAUSE: Final = 10.0
"""Seconds, at most, before the next try after another run wrote the table first. They double, to
well above a long table's write; a random part is waited, so that each run gets its turn."""

MOST_COLLISIONS: Final = 20
"""After being second so often, one time after another, a write fails, as with any other error."""

_sleep = asyncio.sleep


@dataclass(frozen=True)
class _Snapshot:
    """What is to be written, as it was at one moment; `number` counts snapshots from 1."""

    number: int
    frame: pd.DataFrame
    states: list[JobState]
    header: tuple[str, ...]
    column_widths: tuple[tuple[str, float], ...]


class Checkpoints:
    """Writes a table, and merges into it first what another run has written meanwhile.

    Attributes:
        version: Which version of the file was last read or written; None if there was none.
        saved_states: Each row's state as it is on disk, in the table's order.
        other_runs: Which rows this run marks, and what other runs were seen to write.
    """

    def __init__(self, table: RecordedTable) -> None:
        self._table = table
        self.version: str | None = None
        self.saved_states = list(table.states)
        self.other_runs = OtherRuns()
        self._changes = self._changes_on_disk = 0
        self._task_lock = asyncio.Lock()
        self._thread_lock = threading.Lock()  # the thread of a cancelled task goes on
        self._snapshots = self._reads_begun = self._last_finished_read = 0
        self._last_write_seconds = 0.0
        self._unconfirmed_content: bytes | None = None  # sent to a store that has not answered
        self._collisions = 0  # without a write between them
        self._open_seconds, self._open_pause = 0.0, OPEN_PAUSE  # waited so far, and the next wait
        self._encoder = RecordEncoder(
            storage.suffix(table.location or ""), table.dialect, table.job_type.columns
        )

    def begin(self, version: str | None) -> None:
        """Counts the table's states as saved in this version of the file; None if there is none.

        Raises:
            OutputError: It would become larger than what can be read again.
        """
        self.version, self.saved_states = version, list(self._table.states)
        self.other_runs = OtherRuns()
        self._encoder.check_size(self._table.frame)

    def note_change(self) -> None:
        """Notes that the table in memory has changed, so that the next save writes it."""
        self._changes += 1

    async def save(self) -> None:
        """Writes the table, if anything that was noted by now is not on disk yet.

        Returns once it is. What another run wrote is merged into the table first. A table that
        somebody has open is waited for, `OPEN_SECONDS` altogether until it is closed.

        Raises:
            StorageError: It cannot be written, also when tried again.
            OutputError: What is at its location by now is no table of this program.
        """
        wanted = self._changes
        async with self._task_lock:
            # Many may have waited for one write; what came after their own changes is not theirs.
            if self._changes_on_disk >= wanted or self._table.location is None:
                return
            while True:
                try:
                    await self._write()
                except OpenElsewhereError as error:
                    await self._wait_until_closed(error)
                else:
                    return

    async def _write(self) -> None:
        """Merges what other runs wrote, and writes the table; after an error it tries again.

        Raises like `save`, but an `OpenElsewhereError` after the first try.
        """
        started = time.perf_counter()
        async for attempt in retrying(_may_pass_soon, max_tries=SAVE_TRIES, seconds=SAVE_SECONDS):
            with attempt:
                changes, snapshot = self._changes, self._take_snapshot()
                while other := await asyncio.to_thread(self._write_or_read, snapshot):
                    self._merge(*other)
                    changes, snapshot = self._changes, self._take_snapshot()
        self._changes_on_disk = changes
        self.saved_states = snapshot.states
        self._last_write_seconds = time.perf_counter() - started
        if self._open_seconds > OPEN_PAUSE:
            logger.warning("%s is closed, and saved again.", redacted(self._table.location or ""))
        self._open_pause, self._open_seconds = OPEN_PAUSE, 0.0

    async def _wait_until_closed(self, error: OpenElsewhereError) -> None:
        """Waits a moment before the next try to write a table that somebody has open; warns once.

        Raises `error` again once it was waited for long enough. There is no warning of the first
        moment: virus scanners have what is new open, too.
        """
        if self._open_seconds >= OPEN_SECONDS:
            raise error
        if self._open_seconds == OPEN_PAUSE:
            logger.warning(
                "%s Until it is closed, no further ads are created; those under way go on, and "
                "nothing is lost.",
                error,
            )
        self._open_seconds += self._open_pause
        await _sleep(self._open_pause)
        self._open_pause = min(2 * self._open_pause, LONGEST_OPEN_PAUSE)

    async def merge_news(self, positions: Collection[int]) -> set[int]:
        """Merges what other runs have written since the table was last read or written.

        If they are to see that this run is alive, the next save writes, even without a change.

        Returns:
            Those of these rows that other runs have written; each write is told once.

        Raises:
            CampaignError: The table cannot be read.
        """
        wanted = self._reads_begun + 1
        async with self._task_lock:
            if self._last_finished_read < wanted:  # one read is for all who asked before it began
                self._reads_begun = read = self._reads_begun + 1
                if other := await asyncio.to_thread(self._read_if_changed):
                    self._merge(*other)
                self._last_finished_read = read
        self._changes += self.other_runs.pop_due_sign(time.monotonic())
        return self.other_runs.pop_news(positions)

    def note_read(
        self, position: int, theirs: JobState, ours: JobState, merged: JobState
    ) -> JobState:
        """Notes a row's state on disk, and returns the one to keep; see `OtherRuns.note_read`."""
        last, self.saved_states[position] = self.saved_states[position], theirs
        return self.other_runs.note_read(position, theirs, last, ours, merged)

    def save_now(self) -> None:
        """Merges what other runs wrote, and writes the table in this thread, changed or not.

        Raises like `save`, but waits for nobody who has the table open.
        """
        if self._table.location is None:
            return
        for attempt in retrying(StorageError, max_tries=SAVE_TRIES, seconds=SAVE_SECONDS):
            with attempt:
                changes, snapshot = self._changes, self._take_snapshot()
                while other := self._write_or_read(snapshot):
                    self._merge(*other)
                    changes, snapshot = self._changes, self._take_snapshot()
        self._changes_on_disk = changes
        self.saved_states = snapshot.states

    def save_with_pictures(self, picture_of: PictureOf) -> None:
        """Writes the table once more, with a picture in each row. Raises like `save_now`."""
        self._encoder.picture_of = picture_of
        self.save_now()

    @asynccontextmanager
    async def saving(
        self, unsaved: Callable[[], str], tell: Callable[[str], None]
    ) -> AsyncIterator[None]:
        """Writes the table regularly while the body runs, and once more whatever ends the body.

        Args:
            unsaved: Gives what is known and not on disk, as text; "" if nothing is.
            tell: Is called with the error and that text, if the table cannot be written in the end.
        """
        try:
            async with in_background(self._save_regularly()):
                yield
            with suppress(CampaignError):  # `save_now` raises it again
                await self.save()
        finally:
            # Not awaited: a loop that shuts down would cancel it.
            try:
                self.save_now()
            except CampaignError as error:
                tell("\nWhat could not be saved:\n".join(filter(None, [str(error), unsaved()])))

    async def _save_regularly(self) -> None:
        """Saves again and again until it is cancelled; an error is logged, and tried again."""
        while True:
            pause = max(CHECKPOINT_SECONDS, self._last_write_seconds / CHECKPOINT_SHARE)
            await asyncio.sleep(pause)
            try:
                await self.save()
            except OpenElsewhereError:  # logged while it was waited for
                await _sleep(LONGEST_OPEN_PAUSE)
            except CampaignError as error:
                logger.warning("The table could not be saved, trying again: %s", error)

    def _take_snapshot(self) -> _Snapshot:
        """What is to be written now. An earlier snapshot is no longer written after that."""
        self._snapshots += 1
        table = self._table
        header, widths = tuple(table.header), table.dialect.column_widths
        return _Snapshot(self._snapshots, table.frame, list(table.states), header, widths)

    def _merge(self, written: Spreadsheet, version: str) -> None:
        """Merges what is on disk into the table, and notes that this version of it is known."""
        # Both or neither: a version that counts as known and was never merged is overwritten.
        self._table.merge_from_disk(written)
        self.version = version

    def _write_or_read(self, snapshot: _Snapshot) -> tuple[Spreadsheet, str] | None:
        """Writes a snapshot; or only reads the table, if another run has written it since this one.

        A write that was cancelled goes on in its thread: the next one waits for it.

        Returns:
            What another run wrote, with its version, to be merged before the next try; None if the
            snapshot was written, or there is a later one, which is written in its place.

        Raises:
            StorageError: It cannot be written, or other runs are first again and again.
        """
        location = self._table.location
        assert location is not None  # noqa: S101
        with self._thread_lock:
            if snapshot.number < self._snapshots:
                return None
            with conditional_writes.write_lock(location):
                while True:
                    version = conditional_writes.version(location)
                    if version is not None and version != self.version:
                        if not self._was_written_here(location):
                            return read_earlier(location, self._table.job_type), version
                        self.version = version
                    try:
                        self._replace(location, snapshot, version)
                    except ChangedMeanwhileError as error:
                        self._pause_after_collision(error)
                    else:
                        return None

    def _read_if_changed(self) -> tuple[Spreadsheet, str] | None:
        """The table and its version as another run wrote them since this one; None if none did."""
        location = self._table.location
        with self._thread_lock:
            version = conditional_writes.version(location) if location else None
            if not location or version in (None, self.version) or self._was_written_here(location):
                return None
            return read_earlier(location, self._table.job_type), str(version)

    def _was_written_here(self, location: str) -> bool:
        """Whether a store has what this run sent last, although its answer was lost. Reads it."""
        content = self._unconfirmed_content
        if content is None or Location.typed(location).is_local:  # a disk's answer is not lost
            return False
        return storage.read_bytes(location) == content

    def _replace(self, location: str, snapshot: _Snapshot, version: str | None) -> None:
        """Writes a snapshot over this version of the file, and notes the new version.

        Raises:
            ChangedMeanwhileError: It is another version by now.
            StorageError: It cannot be written.
        """
        content = self._unconfirmed_content = self._encoder.encode(
            snapshot.frame, snapshot.states, snapshot.header, snapshot.column_widths
        )
        self.version = conditional_writes.write_if_unchanged(location, content, version)
        self._unconfirmed_content, self._collisions = None, 0

    def _pause_after_collision(self, error: ChangedMeanwhileError) -> None:
        """Waits in this thread, after another run wrote the table first.

        Raises:
            StorageError: Other runs were first too often, one time after another.
        """
        longest = min(FIRST_COLLISION_PAUSE * 2**self._collisions, LONGEST_COLLISION_PAUSE)
        self._collisions += 1
        if self._collisions > MOST_COLLISIONS:
            self._collisions = 0
            raise StorageError(
                f"{redacted(self._table.location or '')} cannot be written: other runs write it "
                "all the time. Let fewer run at once."
            ) from error
        time.sleep(random.uniform(0, longest))


def _may_pass_soon(error: Exception) -> bool:
    """Whether a write is worth another try within seconds."""
    # Who has a table open does not close it in seconds; `save` waits for that.
    return isinstance(error, StorageError) and not isinstance(error, OpenElsewhereError)
