"""The result table, which is the campaign's record: what is known about each row, kept on disk."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import pandas as pd

from prefect_staticadslab.api.retries import retrying
from prefect_staticadslab.campaign import storage
from prefect_staticadslab.campaign.concurrency import in_background
from prefect_staticadslab.campaign.problems import CampaignError, SpreadsheetError
from prefect_staticadslab.campaign.rows import KNOWN_COLUMNS, CampaignRow, read_rows
from prefect_staticadslab.campaign.spreadsheet import (
    FIRST_ROW,
    WRITABLE,
    Dialect,
    Spreadsheet,
    encode_spreadsheet,
    normalized,
    read_spreadsheet,
)
from prefect_staticadslab.campaign.states import RESULT_COLUMNS, AdState, RowStatus

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS: Final = 3.0
"""How often the table is written while things happen."""

CHECKPOINT_SHARE: Final = 0.05
"""The part of the time that writing the table may take; a long table is written less often."""

SAVE_ATTEMPTS: Final = 5
"""Writes of the table, over about eight seconds, before it is said to be impossible."""

INPUT_PREFIX: Final = "input_"

GONE: Final = "This row is no longer in the spreadsheet; its ad is kept."


class OutputError(CampaignError):
    """The result table cannot be written where it should be. The message says why."""


@dataclass
class ResultTable:
    """A campaign's rows and what is known about each, in memory and at `location`.

    Attributes:
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

    location: str | None
    frame: pd.DataFrame
    dialect: Dialect
    rows: list[CampaignRow]
    states: list[AdState]
    resumed: bool = False

    def __post_init__(self) -> None:
        self._changed = False
        self._writing = asyncio.Lock()
        self._last_write_seconds = 0.0
        self._saved: list[AdState] = list(self.states)

    @classmethod
    def open(cls, location: str | None, spreadsheet: Spreadsheet) -> ResultTable:
        """The table for a spreadsheet, with what an earlier run recorded at the same place.

        Raises:
            SpreadsheetError: A row is wrong; see `read_rows`.
            OutputError: There is something at `location` that is not this campaign's table, or
                no table can be there.
            StorageError: `location` cannot be read.
        """
        rows = read_rows(spreadsheet)
        table = cls(
            location=location,
            frame=_renamed(spreadsheet.frame),
            dialect=spreadsheet.dialect,
            rows=rows,
            states=[AdState() for _ in rows],
        )
        if location is not None:
            if storage.suffix(location) not in WRITABLE:
                raise OutputError(
                    f"The output {location} must end in one of: {', '.join(WRITABLE)}."
                )
            storage.check_folder(location)
            if storage.exists(location):
                table._resume(_read_earlier(location))
        return table

    def _resume(self, earlier: Spreadsheet) -> None:
        self.resumed = True
        recorded = {
            row.identity: (line, row, state)
            for line, (row, state) in enumerate(
                zip(read_rows(earlier, unique_row_ids=False), _states(earlier.frame), strict=True)
            )
        }
        for position, row in enumerate(self.rows):
            if row.identity in recorded:
                _, _, state = recorded.pop(row.identity)
                self.states[position] = _back(state)
        kept = [
            (line, row, state)
            for line, row, state in recorded.values()
            if state.image_ad_id is not None or state.status is RowStatus.SUBMITTING
        ]
        if kept:
            lines = earlier.frame.iloc[[line for line, _, _ in kept]]
            gone = _aligned(lines, list(self.frame.columns))
            self.frame = pd.concat([self.frame, gone], ignore_index=True)
        for _, row, state in kept:
            self.rows.append(replace(row, number=len(self.rows) + FIRST_ROW, gone=True))
            self.states.append(_marked(state))
        self._saved = list(self.states)

    @property
    def wanted(self) -> list[tuple[int, CampaignRow, AdState]]:
        """The rows of the input: position, row and what is known about it."""
        return [
            (position, row, state)
            for position, (row, state) in enumerate(zip(self.rows, self.states, strict=True))
            if not row.gone
        ]

    def update(self, position: int, state: AdState) -> None:
        """Notes what is now known about a row; it is on disk with the next checkpoint."""
        self.states[position] = _marked(state) if self.rows[position].gone else state
        self._changed = True

    async def before_send(self, changes: Mapping[int, AdState]) -> None:
        """Notes what is about to be sent, and returns once that is on disk.

        Raises:
            StorageError: It cannot be written.
        """
        for position, state in changes.items():
            self.update(position, state)
        await self.save()

    async def save(self) -> None:
        """Writes the table, if anything changed since it was last written.

        Raises:
            StorageError: It cannot be written, also when tried again.
        """
        async with self._writing:
            if not self._changed or self.location is None:
                return
            self._changed = False
            frame, states = self.to_frame(), list(self.states)
            started = time.perf_counter()
            try:
                async for attempt in retrying(storage.StorageError, attempts=SAVE_ATTEMPTS):
                    with attempt:
                        await asyncio.to_thread(self._write, frame)
            except BaseException:
                self._changed = True
                raise
            self._saved = states
            self._last_write_seconds = time.perf_counter() - started

    def save_now(self, attempts: int = 1) -> None:
        """Writes the table before anything else happens; for the start and the very end.

        Raises:
            StorageError: It cannot be written.
        """
        if self.location is None:
            return
        for attempt in retrying(storage.StorageError, attempts=attempts):
            with attempt:
                self._write(self.to_frame())
        self._saved = list(self.states)
        self._changed = False

    def _write(self, frame: pd.DataFrame) -> None:
        assert self.location is not None  # noqa: S101
        ending = storage.suffix(self.location)
        storage.write_bytes(self.location, encode_spreadsheet(ending, frame, self.dialect))

    @asynccontextmanager
    async def checkpoints(self, tell: Callable[[str], None]) -> AsyncIterator[None]:
        """Keeps the table on disk up to date while the body runs, and whatever ends the body.

        Args:
            tell: Is told what could not be saved, if the table cannot be written in the end;
                `unsaved` then says it again.
        """
        try:
            async with in_background(self._keep_saved()):
                yield
        finally:
            # Not awaited: a loop that shuts down would cancel that.
            try:
                self.save_now(attempts=SAVE_ATTEMPTS)
            except storage.StorageError as error:
                tell(f"{error}\nWhat could not be saved:\n{self.unsaved()}")

    async def _keep_saved(self) -> None:
        while True:
            pause = max(CHECKPOINT_SECONDS, self._last_write_seconds / CHECKPOINT_SHARE)
            await asyncio.sleep(pause)
            try:
                await self.save()
            except CampaignError as error:
                logger.warning("The table could not be saved, trying again: %s", error)

    def unsaved(self) -> str:
        """What is known and not on disk, as lines of CSV; an empty text if there is nothing."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for row, state, saved in zip(self.rows, self.states, self._saved, strict=True):
            if state != saved:
                writer.writerow(
                    [row.number, state.status, state.image_ad_id, state.image_url, state.error]
                )
        lines = text.getvalue()
        return f"row,status,image_ad_id,image_url,error\n{lines}".rstrip() if lines else ""

    def to_frame(self) -> pd.DataFrame:
        """The table: the input's columns, then `RESULT_COLUMNS`; a line for each of `rows`."""
        cells = zip(*(state.cells() for state in self.states), strict=True)
        added = {
            name: pd.Series(list(values), dtype=object, index=self.frame.index)
            for name, values in zip(RESULT_COLUMNS, cells, strict=True)
        }
        return pd.concat([self.frame, pd.DataFrame(added, dtype=object)], axis=1)

    def counts(self) -> dict[RowStatus, int]:
        """How many rows of the input have each status."""
        counts = dict.fromkeys(RowStatus, 0)
        for row, state in zip(self.rows, self.states, strict=True):
            counts[state.status] += not row.gone
        return counts

    def cost_usd(self) -> Decimal:
        """What all ads of the table have cost so far, in USD."""
        return sum((s.cost_usd for s in self.states if s.cost_usd is not None), Decimal(0))


def _marked(state: AdState) -> AdState:
    """The state of a row that is gone, which says so."""
    error = state.error or ""
    return state if error.startswith(GONE) else replace(state, error=f"{GONE} {error}".strip())


def _back(state: AdState) -> AdState:
    """The state of a row that is in the spreadsheet, perhaps again."""
    error = (state.error or "").removeprefix(GONE).strip()
    return replace(state, error=None if state.image_url else error or None)


def _renamed(frame: pd.DataFrame) -> pd.DataFrame:
    """The input's columns; one that is called like one of ours gets a prefix."""
    names = [str(name) for name in frame.columns]
    taken = set(names)
    for position, name in enumerate(names):
        if normalized(name) in RESULT_COLUMNS:
            renamed_to = f"{INPUT_PREFIX}{name}"
            while renamed_to in taken:
                renamed_to = f"{INPUT_PREFIX}{renamed_to}"
            names[position] = renamed_to
            taken.add(renamed_to)
    renamed = frame.copy(deep=False)
    renamed.columns = pd.Index(names, dtype=object)
    return renamed


def _read_earlier(location: str) -> Spreadsheet:
    """An earlier run's table, if that is what is at `location`."""
    try:
        earlier = read_spreadsheet(location, known_columns=KNOWN_COLUMNS)
        if tuple(map(str, earlier.frame.columns[-len(RESULT_COLUMNS) :])) == RESULT_COLUMNS:
            return earlier
    except SpreadsheetError:
        pass
    raise OutputError(
        f"{location} exists, and is not a result table of this program, so it is left alone. "
        "Choose another output, or move that file away."
    )


def _aligned(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A frame's lines under other columns: found by name, the nth of a name as its nth."""
    positions: dict[str, list[int]] = {}
    for position, name in enumerate(frame.columns):
        positions.setdefault(str(name), []).append(position)
    order = [positions[name].pop(0) if positions.get(name) else None for name in names]
    lines = [
        [None if position is None else line[position] for position in order]
        for line in frame.itertuples(index=False, name=None)
    ]
    return pd.DataFrame(lines, columns=pd.Index(list(names), dtype=object), dtype=object)


def _states(table: pd.DataFrame) -> list[AdState]:
    """The states in a result table, line by line."""
    results = table.iloc[:, -len(RESULT_COLUMNS) :]
    return [
        AdState.from_cells(dict(zip(RESULT_COLUMNS, line, strict=True)))
        for line in results.itertuples(index=False, name=None)
    ]
