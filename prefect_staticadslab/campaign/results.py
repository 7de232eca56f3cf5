"""The result table, which is the campaign's record: what is known about each row, kept on disk."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import MAXYEAR, UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

import pandas as pd

from prefect_staticadslab.campaign import storage
from prefect_staticadslab.campaign.concurrency import in_background
from prefect_staticadslab.campaign.problems import CampaignError, SpreadsheetError
from prefect_staticadslab.campaign.rows import KNOWN_COLUMNS, CampaignRow, read_rows
from prefect_staticadslab.campaign.spreadsheet import (
    WRITABLE,
    Dialect,
    Spreadsheet,
    cell_text,
    encode_spreadsheet,
    normalized,
    read_spreadsheet,
)

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS: Final = 3.0
"""How often the table is written while things happen."""

CHECKPOINT_SHARE: Final = 0.05
"""The part of the time that writing the table may take; a long table is written less often."""

_EARLIEST_YEAR: Final = 2000
"""A date before it, or at the end of the calendar, is no date of an ad."""

INPUT_PREFIX: Final = "input_"

GONE: Final = "This row is no longer in the spreadsheet; its ad is kept."


class RowStatus(StrEnum):
    """Where a row stands."""

    PENDING = "pending"
    """Not sent yet."""
    SUBMITTING = "submitting"
    """Perhaps sent; whether the API has it, only the API knows."""
    PROCESSING = "processing"
    """The API has it and works on it; `image_ad_id` says where."""
    COMPLETED = "completed"
    """The picture is there."""
    FAILED = "failed"
    """The API refused it, or the job failed. It costs nothing."""


@dataclass(frozen=True)
class AdState:
    """What is known about one row's ad; the columns that the result table adds.

    Attributes:
        status: Where the row stands.
        image_ad_id: The ad's id, once the API has answered.
        image_url: The picture's URL, once completed.
        error: Why it failed, or what stands in its way.
        cost_usd: What it cost in USD: known once it completed, 0 if it failed.
        attempts: How many creates, each with a key of its own, were begun for this row.
        width, height: The picture's size in pixels.
        submitted_at, completed_at: When, in UTC.
        image_path: Where the picture was downloaded to.
    """

    status: RowStatus = RowStatus.PENDING
    image_ad_id: str | None = None
    image_url: str | None = None
    error: str | None = None
    cost_usd: Decimal | None = None
    attempts: int = 0
    width: int | None = None
    height: int | None = None
    submitted_at: datetime | None = None
    completed_at: datetime | None = None
    image_path: str | None = None

    def cells(self) -> tuple[Any, ...]:
        """The values of `RESULT_COLUMNS`."""
        return (
            str(self.status),
            self.image_ad_id,
            self.image_url,
            self.error,
            None if self.cost_usd is None else float(self.cost_usd),
            self.attempts,
            self.width,
            self.height,
            _timestamp(self.submitted_at),
            _timestamp(self.completed_at),
            self.image_path,
        )

    @classmethod
    def from_cells(cls, cells: Mapping[str, Any]) -> AdState:
        """What an earlier run wrote down. Cells that make no sense count as empty."""
        text = {name: cell_text(cells.get(name)).strip() for name in RESULT_COLUMNS}
        try:
            status = RowStatus(text["status"].casefold())
        except ValueError:
            status = RowStatus.PENDING
        return cls(
            status=status,
            image_ad_id=text["image_ad_id"] or None,
            image_url=text["image_url"] or None,
            error=text["error"] or None,
            cost_usd=_decimal(text["cost_usd"]),
            attempts=_integer(text["attempts"]) or 0,
            width=_integer(text["width"]),
            height=_integer(text["height"]),
            submitted_at=_moment(text["submitted_at"]),
            completed_at=_moment(text["completed_at"]),
            image_path=text["image_path"] or None,
        )


RESULT_COLUMNS: Final = (
    "status",
    "image_ad_id",
    "image_url",
    "error",
    "cost_usd",
    "attempts",
    "width",
    "height",
    "submitted_at",
    "completed_at",
    "image_path",
)


class OutputError(CampaignError):
    """The result table cannot be written where it should be. The message says why."""


@dataclass
class ResultTable:
    """A campaign's rows and what is known about each, in memory and at `location`.

    Attributes:
        location: Where the table is kept, or None for a campaign that keeps none.
        frame: The input's columns, renamed where a result column has the same name.
        dialect: How a text table is written.
        rows: The rows as requests, in the input's order.
        states: What is known about each row, in the same order.
        gone: Lines of an earlier run's table whose row is no longer in the input and that hold an
            ad; they stay in the table, after the others.
        resumed: Whether an earlier run's table was found.
    """

    location: str | None
    frame: pd.DataFrame
    dialect: Dialect
    rows: Sequence[CampaignRow]
    states: list[AdState]
    gone: pd.DataFrame | None = None
    resumed: bool = False

    def __post_init__(self) -> None:
        self._changed = False
        self._writing = asyncio.Lock()
        self._last_write_seconds = 0.0

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
        record = dict(
            zip(
                (row.identity for row in read_rows(earlier, unique_row_ids=False)),
                _states(earlier.frame),
                strict=True,
            )
        )
        for position, row in enumerate(self.rows):
            state = record.get(row.identity)
            if state is not None:
                self.states[position] = replace(state, error=None) if state.image_url else state
        wanted = {row.identity for row in self.rows}
        kept = [
            identity not in wanted
            and (state.image_ad_id is not None or state.status is RowStatus.SUBMITTING)
            for identity, state in record.items()
        ]
        if any(kept):
            self.gone = _aligned(earlier.frame[kept], [*self.frame.columns, *RESULT_COLUMNS])
            self.gone["error"] = GONE

    def update(self, position: int, state: AdState) -> None:
        """Notes what is now known about a row; it is on disk with the next checkpoint."""
        self.states[position] = state
        self._changed = True

    async def before_send(self, changes: Mapping[int, AdState]) -> None:
        """Notes what is about to be sent, and returns once that is on disk."""
        for position, state in changes.items():
            self.update(position, state)
        await self.save()

    async def save(self) -> None:
        """Writes the table, if anything changed since it was last written.

        Raises:
            StorageError: It cannot be written.
        """
        async with self._writing:
            if not self._changed or self.location is None:
                return
            self._changed = False
            frame = self.to_frame()
            started = time.perf_counter()
            try:
                await asyncio.to_thread(self._write, frame)
            except BaseException:
                self._changed = True
                raise
            self._last_write_seconds = time.perf_counter() - started

    def save_now(self) -> None:
        """Writes the table before anything else happens; for the start and the very end."""
        if self.location is not None:
            self._write(self.to_frame())
            self._changed = False

    def _write(self, frame: pd.DataFrame) -> None:
        assert self.location is not None  # noqa: S101
        ending = storage.suffix(self.location)
        storage.write_bytes(self.location, encode_spreadsheet(ending, frame, self.dialect))

    @asynccontextmanager
    async def checkpoints(self) -> AsyncIterator[None]:
        """Keeps the table on disk up to date while the body runs, and whatever ends the body."""

        try:
            async with in_background(self._keep_saved()):
                yield
        finally:
            self.save_now()

    async def _keep_saved(self) -> None:
        while True:
            pause = max(CHECKPOINT_SECONDS, self._last_write_seconds / CHECKPOINT_SHARE)
            await asyncio.sleep(pause)
            try:
                await self.save()
            except CampaignError as error:
                logger.warning("The table could not be saved, trying again: %s", error)

    def to_frame(self) -> pd.DataFrame:
        """The table: the input's columns, then `RESULT_COLUMNS`, a line per input row."""
        cells = zip(*(state.cells() for state in self.states), strict=True)
        added = {
            name: pd.Series(list(values), dtype=object, index=self.frame.index)
            for name, values in zip(RESULT_COLUMNS, cells, strict=True)
        }
        table = pd.concat([self.frame, pd.DataFrame(added, dtype=object)], axis=1)
        if self.gone is None:
            return table
        lines = [*table.to_numpy().tolist(), *self.gone.to_numpy().tolist()]
        return pd.DataFrame(lines, columns=table.columns, dtype=object)

    def counts(self) -> dict[RowStatus, int]:
        """How many rows have each status."""
        counts = dict.fromkeys(RowStatus, 0)
        for state in self.states:
            counts[state.status] += 1
        return counts

    def cost_usd(self) -> Decimal:
        """What the rows have cost so far, in USD."""
        return sum((s.cost_usd for s in self.states if s.cost_usd is not None), Decimal(0))


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


def _timestamp(moment: datetime | None) -> str | None:
    if moment is None or not _EARLIEST_YEAR <= moment.year < MAXYEAR:
        return None
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _integer(text: str) -> int | None:
    try:
        return int(float(text))
    except ValueError:
        return None


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
