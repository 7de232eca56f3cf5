"""What tables of paid jobs have in common, and what sets their kinds apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from prefect_staticadslab.campaign.errors import (
    SPREADSHEET_WORDS,
    Problem,
    SpreadsheetError,
    Words,
)
from prefect_staticadslab.campaign.files import locations, storage
from prefect_staticadslab.campaign.files.cells import (
    Dialect,
    Spreadsheet,
    cell_text,
    column_key,
    shortened,
)
from prefect_staticadslab.campaign.table.idempotency import request_hash
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus, status_of
from prefect_staticadslab.campaign.table.layout import result_cells
from prefect_staticadslab.campaign.table.limits import (
    MAX_ATTEMPTS,
    MAX_COST_USD,
    attempts_of,
    cost_of,
)

if TYPE_CHECKING:
    import pandas as pd


class JobRequest(Protocol):
    """What a row asks for: an image ad, a design template, or a revision."""

    @property
    def job_name(self) -> str:
        """What people call such a job where its price is told, such as `design template`."""

    @property
    def price_usd(self) -> Decimal:
        """What it may cost, in USD."""

    def model_dump_json(self) -> str:
        """All of it as text: equal requests have equal texts."""


Q = TypeVar("Q", bound=JobRequest)
Q_co = TypeVar("Q_co", bound=JobRequest, covariant=True)


@dataclass(frozen=True)
class CampaignRow(Generic[Q_co]):
    """One row that can be sent.

    Attributes:
        number: The row's number as a spreadsheet program shows it.
        request: The job that it asks for.
        identity: What makes it the same row in the next run: its `row_id` if it has one, else its
            occurrence number among equal rows, together with all that is sent. So rows may be
            moved, added and removed between runs, two equal rows are two jobs, and a row whose
            request was changed is a new one.
        removed: Whether it is only in the result table, and no longer in the spreadsheet.
        prompt_cell: The cell that its prompt was read from; it knows what it was filled in from.
        postponed: Whether it was not selected, so that it waits for a later run.
    """

    number: int
    request: Q_co
    identity: str
    removed: bool = False
    prompt_cell: Any = field(default=None, compare=False, repr=False)
    postponed: bool = False

    @property
    def may_create(self) -> bool:
        """Whether this run may create a job for it."""
        return not (self.removed or self.postponed)


class ReadRows(Protocol[Q]):
    """Reads a spreadsheet's rows as requests."""

    def __call__(
        self, spreadsheet: Spreadsheet, *, unique_row_ids: bool = True
    ) -> list[CampaignRow[Q]]:
        """The rows as requests; see `ad_rows.read_rows`, which reads those of image ads.

        Raises:
            SpreadsheetError: Rows are wrong, or have the same `row_id`, if these must be unique.
        """


def _find_none(
    rows: Mapping[int, CampaignRow[Any]], earlier: Sequence[CampaignRow[Any]]
) -> dict[int, int]:
    """`JobType.find_respelled` of job types whose rows hold nothing that is written in two ways."""
    return {}


def _as_json(request: JobRequest) -> str:
    """`JobType.content` of job types whose requests are always written in the same way."""
    return request.model_dump_json()


def _unchanged(state: JobState, request: JobRequest) -> JobState:
    """`JobType.add_from_request` of job types whose tables hold all of a state."""
    return state


@dataclass(frozen=True)
class JobType(Generic[Q]):
    """A kind of result table.

    Attributes:
        name: What such a table is to people and to Prefect: in artifacts' keys and events' names.
        columns: The result columns in their order, and what of a row's state each of them holds: a
            field of `JobState`, or one of its facts.
        known_columns: The names by which such a spreadsheet's header is found, in lower case.
        read_rows: Reads a spreadsheet's rows.
        add_from_request: A state that was read, with what only the row's request says.
        exclusive: Whether no two rows can have the same job.
        find_respelled: Finds rows that ask for what earlier ones asked for, but for how a program
            writes a number or a date: gives the earlier row's place for a row's position.
        read_columns: The names of the columns that rows are read from, in lower case; empty if
            they are `known_columns`.
        content: All that a request asks for, as a text that no later version writes differently.
    """

    name: str
    columns: Mapping[str, str]
    known_columns: frozenset[str]
    read_rows: ReadRows[Q]
    add_from_request: Callable[[JobState, Q], JobState] = _unchanged
    exclusive: bool = True
    find_respelled: Callable[
        [Mapping[int, CampaignRow[Q]], Sequence[CampaignRow[Q]]], dict[int, int]
    ] = _find_none
    read_columns: frozenset[str] = frozenset()
    content: Callable[[Q], str] = _as_json

    def is_read(self, column: str) -> bool:
        """Whether rows are read from a column of this name."""
        names = self.read_columns or self.known_columns
        return column_key(column) in map(column_key, names)

    def hash_of(self, request: Q) -> str:
        """What stands for a request in the table; see `idempotency.request_hash`."""
        return request_hash(self.content(request))


class RecordError(SpreadsheetError):
    """A result table holds what cannot be; see `record_error`.

    The rows are that table's, whatever people call the rows of what they wrote.
    """

    def message_in(self, words: Words) -> str:
        """See `SpreadsheetError.message_in`."""
        return super().message_in(SPREADSHEET_WORDS)


def record_error(problems: Iterable[Problem], location: str) -> RecordError:
    """The error for these problems of the result table at `location`, each of which names it: it
    must not be taken for one of the spreadsheet's."""
    where = f"Correct it in {locations.redacted(storage.name(location))}."
    return RecordError(replace(each, message=f"{each.message} {where}") for each in problems)


_CHECKED: Final[Mapping[str, tuple[Callable[[str], object], str]]] = {
    "status": (status_of, f"is no status, which is one of {', '.join(RowStatus)}."),
    "cost_usd": (cost_of, f"is no cost of an ad, which is from 0 to {MAX_COST_USD:,} USD."),
    "attempts": (
        attempts_of,
        f"is no count of attempts, a whole number from 0 to {MAX_ATTEMPTS:,}.",
    ),
}
"""How a cell is read that decides what is created, what may be spent, or what idempotency keys are
made of, by the field of a row's state; and what is said of a cell that cannot be read so."""


def check_record(table: Spreadsheet, job_type: JobType[Any], location: str) -> None:
    """Raises `RecordError`, which lists all of them, if a result table holds statuses, costs or
    counts of attempts that cannot be. `location` is where it was read, for the message."""
    problems = []
    checked = {column: held for column, held in job_type.columns.items() if held in _CHECKED}
    for number, cells in zip(table.row_numbers, result_cells(table, checked), strict=True):
        for (column, held), cell in zip(checked.items(), cells, strict=True):
            read, complaint = _CHECKED[held]
            text = cell_text(cell).strip()
            try:
                read(text)
            except ValueError:
                problems.append(Problem(f"{shortened(text)!r} {complaint}", number, column))
    if problems:
        raise record_error(problems, location)


class RecordedTable(Protocol):
    """A table in memory that `Checkpoints` keeps on disk; see `JobTable` for its attributes."""

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
        """Changes the table to what it and the same table on disk know together."""
