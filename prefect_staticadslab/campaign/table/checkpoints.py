"""The result table on disk: written whole while things happen, never over another run's word."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from prefect_staticadslab.api.retries.tries import retrying
from prefect_staticadslab.campaign.errors import CampaignError, OpenElsewhereError, StorageError
from prefect_staticadslab.campaign.files import conditional_writes, storage
from prefect_staticadslab.campaign.files.cells import Dialect, Spreadsheet
from prefect_staticadslab.campaign.files.conditional_writes import ChangedMeanwhileError
from prefect_staticadslab.campaign.files.locations import Location, redacted
from prefect_staticadslab.campaign.table.background import in_background
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.job_type import JobType
from prefect_staticadslab.campaign.table.other_runs import OtherRuns
from prefect_staticadslab.campaign.table.record_encoder import PictureOf, RecordEncoder
from prefect_staticadslab.campaign.table.table_on_disk import read_earlier

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS: Final = 1.5
"""How often the table is written while things happen."""

CHECKPOINT_SHARE: Final = 0.05
"""The part of the time that writing the table may take; a long table is written less often."""

SAVE_TRIES: Final = 5
SAVE_SECONDS: Final = 20.0
"""Writes of the table before it is said to be impossible. A full disk is tried again for about
eight seconds; an object store's client has tried for longer each time before it says no."""

OPEN_SECONDS: Final = 600.0
"""How long a run waits for somebody who has the table open in Excel to close it."""

OPEN_PAUSE: Final = 1.0
LONGEST_OPEN_PAUSE: Final = 15.0
"""Seconds between two looks at a table that is open, which grow from one to the other."""

FIRST_COLLISION_PAUSE: Final = 0.1
LONGEST_COLLISION_PAUSE: Final = 10.0
"""Seconds, at most, before the next try after another run wrote the table first. They double, to
well above what a long table's write takes, and a random part of them is waited, so that of several
runs each gets its turn."""

MOST_COLLISIONS: Final = 20
"""How often others may be first before it is said; then it is tried as after any other error."""

_sleep = asyncio.sleep


class Recorded(Protocol):
    """A table that is kept on disk."""

    @property
    def job_type(self) -> JobType[Any]: ...
    @property
    def location(self) -> str | None: ...
    @property
    def dialect(self) -> Dialect: ...
    @property
    def frame(self) -> pd.DataFrame: ...
    @property
    def header(self) -> Sequence[str]: ...
    @property
    def states(self) -> Sequence[JobState]: ...

    def merge_from_disk(self, written: Spreadsheet) -> None:
        """Adds what another run wrote, where it knows more than this one."""


@dataclass(frozen=True)
class _Snapshot:
    number: int
    frame: pd.DataFrame
    states: list[JobState]
    header: tuple[str, ...]
    column_widths: tuple[tuple[str, float], ...]


class Checkpoints:
    """Writes a table, and merges into it first what another run has written meanwhile.

    Attributes:
        version: Which version of the file was last read or written; None if there was none.
        saved: What is known about each row on disk, in the table's order.
        other_runs: What other runs write of these rows.
    """

    def __init__(self, table: Recorded) -> None:
        self._table = table
        self.version: str | None = None
        self.saved = list(table.states)
        self.other_runs = OtherRuns()
        self._changes = 0
        self._written = 0
        self._writing = asyncio.Lock()
        self._exchanging = threading.Lock()
        self._snapshots = self._looks = self._looked = 0
        self._last_write_seconds = 0.0
        self._sent: bytes | None = None
        self._collisions = 0
        self._open_pause = OPEN_PAUSE
        self._open_seconds = 0.0
        self._encoder = RecordEncoder(
            storage.suffix(table.location or ""), table.dialect, table.job_type.columns
        )

    def begin(self, version: str | None) -> None:
        """Takes the table to be what this version of it says; None if there is none.

        Raises:
            OutputError: It would become larger than what can be read again.
        """
        self.version, self.saved = version, list(self._table.states)
        self.other_runs = OtherRuns()
        self._encoder.check_size(self._table.frame)

    def note_change(self) -> None:
        """Something is known that is not on disk yet."""
        self._changes += 1

    async def save(self) -> None:
        """Writes the table, if anything that is known by now is not written yet.

        A table that somebody has open is waited for, `OPEN_SECONDS` altogether until it is closed.

        Raises:
            StorageError: It cannot be written, also when tried again.
            OutputError: What is at its location by now is no table of this program.
        """
        wanted = self._changes
        async with self._writing:
            # Many may have waited for one write; what came after their own changes is not theirs.
            if self._written >= wanted or self._table.location is None:
                return
            while True:
                try:
                    await self._write()
                except OpenElsewhereError as error:
                    await self._wait_until_closed(error)
                else:
                    return

    async def _write(self) -> None:
        started = time.perf_counter()
        async for attempt in retrying(_may_pass_soon, max_tries=SAVE_TRIES, seconds=SAVE_SECONDS):
            with attempt:
                changes, snapshot = self._changes, self._take_snapshot()
                while elsewhere := await asyncio.to_thread(self._exchange, snapshot):
                    self._merge(*elsewhere)
                    changes, snapshot = self._changes, self._take_snapshot()
        self._written = changes
        self.saved = snapshot.states
        self._last_write_seconds = time.perf_counter() - started
        if self._open_seconds > OPEN_PAUSE:
            logger.warning("%s is closed, and saved again.", redacted(self._table.location or ""))
        self._open_pause, self._open_seconds = OPEN_PAUSE, 0.0

    async def _wait_until_closed(self, error: OpenElsewhereError) -> None:
        """Waits a moment before the next look at a table that is open.

        The first moment is not worth a word: virus scanners have what is new open, too.

        Raises:
            OpenElsewhereError: It was waited for long enough.
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

    async def look(self, positions: Collection[int]) -> set[int]:
        """Takes in what others have written, and says of which rows that is news. Raises
        `CampaignError` if it cannot be read."""
        wanted = self._looks + 1
        async with self._writing:
            if self._looked < wanted:  # one look is for all who asked before it began
                self._looks = look = self._looks + 1
                if elsewhere := await asyncio.to_thread(self._read_if_changed):
                    self._merge(*elsewhere)
                self._looked = look
        self._changes += self.other_runs.is_sign_due(time.monotonic())
        return self.other_runs.news_of(positions)

    def heard(self, position: int, theirs: JobState, ours: JobState, merged: JobState) -> JobState:
        """What to keep of a row that another run may have written; see `OtherRuns.heard`."""
        last, self.saved[position] = self.saved[position], theirs
        return self.other_runs.heard(position, theirs, last, ours, merged)

    def save_now(self) -> None:
        """Writes the table before anything else happens; for the start and the very end.

        Raises:
            StorageError: It cannot be written.
            OutputError: What is at its location by now is no table of this program.
        """
        if self._table.location is None:
            return
        for attempt in retrying(StorageError, max_tries=SAVE_TRIES, seconds=SAVE_SECONDS):
            with attempt:
                changes, snapshot = self._changes, self._take_snapshot()
                while elsewhere := self._exchange(snapshot):
                    self._merge(*elsewhere)
                    changes, snapshot = self._changes, self._take_snapshot()
        self._written = changes
        self.saved = snapshot.states

    def save_with_pictures(self, picture_of: PictureOf) -> None:
        """Writes the table once more, with a picture in each row. Raises like `save_now`."""
        self._encoder.picture_of = picture_of
        self.save_now()

    @asynccontextmanager
    async def kept(
        self, unsaved: Callable[[], str], tell: Callable[[str], None]
    ) -> AsyncIterator[None]:
        """Keeps the table on disk up to date while the body runs, and whatever ends the body.

        Args:
            unsaved: Says what is known and not on disk.
            tell: Is told that, if the table cannot be written in the end.
        """
        try:
            async with in_background(self._keep_saved()):
                yield
            with suppress(CampaignError):  # which is told below
                await self.save()
        finally:
            # Not awaited: a loop that shuts down would cancel that.
            try:
                self.save_now()
            except CampaignError as error:
                tell("\nWhat could not be saved:\n".join(filter(None, [str(error), unsaved()])))

    async def _keep_saved(self) -> None:
        while True:
            pause = max(CHECKPOINT_SECONDS, self._last_write_seconds / CHECKPOINT_SHARE)
            await asyncio.sleep(pause)
            try:
                await self.save()
            except OpenElsewhereError:  # it was told
                await _sleep(LONGEST_OPEN_PAUSE)
            except CampaignError as error:
                logger.warning("The table could not be saved, trying again: %s", error)

    def _take_snapshot(self) -> _Snapshot:
        self._snapshots += 1
        table = self._table
        return _Snapshot(
            self._snapshots,
            table.frame,
            list(table.states),
            tuple(table.header),
            table.dialect.column_widths,
        )

    def _merge(self, written: Spreadsheet, version: str) -> None:
        # Both or neither: a version that counts as known and was never merged is overwritten.
        self._table.merge_from_disk(written)
        self.version = version

    def _exchange(self, snapshot: _Snapshot) -> tuple[Spreadsheet, str] | None:
        """Writes the table. If another run wrote it since this one last did, returns that instead,
        and its version.

        A write that was cancelled goes on in its thread: the next one waits for it, or, if it has
        not begun by then, takes its place.

        Raises:
            StorageError: It cannot be written, or others are first again and again.
        """
        location = self._table.location
        assert location is not None  # noqa: S101
        with self._exchanging:
            if snapshot.number < self._snapshots:
                return None
            with conditional_writes.one_writer(location):
                while True:
                    version = conditional_writes.version(location)
                    if version is not None and version != self.version:
                        if not self._is_ours(location):
                            return read_earlier(location, self._table.job_type), version
                        self.version = version
                    try:
                        self._replace(location, snapshot, version)
                    except ChangedMeanwhileError as error:
                        self._pause_after_collision(error)
                    else:
                        return None

    def _read_if_changed(self) -> tuple[Spreadsheet, str] | None:
        location = self._table.location
        with self._exchanging:
            version = conditional_writes.version(location) if location else None
            if not location or version in (None, self.version) or self._is_ours(location):
                return None
            return read_earlier(location, self._table.job_type), str(version)

    def _is_ours(self, location: str) -> bool:
        """Whether what is there is what was sent last, although the store's answer was lost."""
        if self._sent is None or Location.typed(location).is_local:  # a disk's answer is not lost
            return False
        return storage.read_bytes(location) == self._sent

    def _replace(self, location: str, snapshot: _Snapshot, version: str | None) -> None:
        self._sent = self._encoder.encode(
            snapshot.frame, snapshot.states, snapshot.header, snapshot.column_widths
        )
        self.version = conditional_writes.replace(location, self._sent, version)
        self._sent, self._collisions = None, 0

    def _pause_after_collision(self, error: ChangedMeanwhileError) -> None:
        """Waits in this thread, after another run was first.

        Raises:
            StorageError: Others were first too often.
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
    # Who has a table open does not close it in seconds; `save` waits for that.
    return isinstance(error, StorageError) and not isinstance(error, OpenElsewhereError)
