"""Where a result table's columns are: ours by name, and those that people put between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    frame_of,
    is_blank,
    normalized,
)
from prefect_staticadslab.campaign.table.job_state import (
    KEY_COLUMNS,
    RESULT_COLUMNS,
    JobState,
    looks_recorded,
)

if TYPE_CHECKING:
    import pandas as pd

INPUT_PREFIX: Final = "input_"

SENT_PROMPT_COLUMN: Final = "sent_prompt"
"""What was sent as the prompt, where that is not what people wrote."""

_LIKENESS: Final = 0.5
"""With this part of our columns a table is one of ours, of which somebody changed the others."""

_AD_COLUMNS: Final = ("status", "image_ad_id", "image_url")
"""What a table of image ads is known by."""

ColumnKey: TypeAlias = tuple[str, int]
"""A column's name, and how many columns before it have the same: several may have none."""


@dataclass(frozen=True)
class ResultColumns:
    """The result columns that a table has.

    Attributes:
        positions: Where each of them is.
        missing: Those that every version writes and that are not there.
    """

    positions: Mapping[str, int]
    missing: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether the table can be read as a result table."""
        return not self.missing

    @property
    def is_likely(self) -> bool:
        """Whether it is a result table, if perhaps one whose columns were renamed or deleted.

        Tables of different jobs share most of their columns, so it must have those of its own.
        """
        found = self.positions.keys() - KEY_COLUMNS.keys()
        needed = found | set(self.missing)
        own = needed - set(RESULT_COLUMNS) or set(_AD_COLUMNS)
        return all(len(found & names) >= _LIKENESS * len(names) for names in (needed, own))


def result_columns_of(table: Spreadsheet, columns: Iterable[str] = RESULT_COLUMNS) -> ResultColumns:
    """Finds the result columns of a table, wherever somebody moved them.

    Args:
        table: The table.
        columns: Those that we add.
    """
    ours = tuple(columns)
    positions: dict[str, int] = {}
    for position, name in enumerate(table.header):
        column = normalized(name)
        # A column of the user's may be called like one of ours but for its case.
        if column in ours and (column not in positions or name == column):
            positions[column] = position
    for name in KEY_COLUMNS.keys() & positions.keys():
        if not _is_ours(table, ours, name, positions[name]):
            del positions[name]
    missing = tuple(name for name in ours if name not in positions and name not in KEY_COLUMNS)
    return ResultColumns({name: positions[name] for name in ours if name in positions}, missing)


def _is_ours(table: Spreadsheet, ours: Sequence[str], name: str, position: int) -> bool:
    """Whether a column is not one of the user's, in a table of a version that wrote none."""
    earlier = tuple(each for each in ours if each not in KEY_COLUMNS)
    if table.header[-len(earlier) :] != earlier:
        return True
    return all(looks_recorded(name, cell_text(cell)) for cell in table.column(position))


def as_record(
    table: Spreadsheet, found: ResultColumns, columns: Iterable[str] = RESULT_COLUMNS
) -> Spreadsheet:
    """A result table with all result columns, each under its name; blank where it lacks them.

    A column of the user's that is called like one of ours gets a prefix.
    """
    ours = tuple(columns)
    names = list(table.header)
    for name, position in found.positions.items():
        names[position] = name
    taken = set(names)
    for position, name in enumerate(names):
        if name in ours and found.positions.get(name) != position:
            names[position] = _input_name(name, taken)
            taken.add(names[position])
    header = with_further(names, ours)
    lines = table.lines if len(header) == len(names) else arranged(names, table.lines, header)
    return replace(table, header=header, lines=lines)


def result_lines(table: Spreadsheet, columns: Iterable[str]) -> list[tuple[Any, ...]]:
    """The cells of result columns, line by line, in these columns' order."""
    positions = [table.header.index(name) for name in columns]
    return [tuple(line[position] for position in positions) for line in table.lines]


def without_results(table: Spreadsheet, columns: Iterable[str]) -> Spreadsheet:
    """A result table's other columns: the input's, and those that people added."""
    ours = frozenset(columns)
    return without_columns(table, {i for i, name in enumerate(table.header) if name in ours})


def without_columns(table: Spreadsheet, positions: Set[int]) -> Spreadsheet:
    """A table without the columns at these positions."""
    kept = [position for position in range(len(table.header)) if position not in positions]
    return replace(
        table,
        header=tuple(table.header[position] for position in kept),
        lines=[[line[position] for position in kept] for line in table.lines],
    )


def complete_record(spreadsheet: Spreadsheet, columns: Iterable[str]) -> Spreadsheet | None:
    """A spreadsheet as a record, if it is a result table of which no column was taken away."""
    ours = tuple(columns)
    found = result_columns_of(spreadsheet, ours)
    return as_record(spreadsheet, found, ours) if found.is_complete else None


def own_columns(spreadsheet: Spreadsheet, columns: Iterable[str]) -> Spreadsheet:
    """A spreadsheet; of a result table, all but the result columns."""
    ours = tuple(columns)
    found = result_columns_of(spreadsheet, ours)
    if not found.is_likely:
        return spreadsheet
    return without_results(as_record(spreadsheet, found, ours), ours)


def with_input_names(header: Sequence[str], result_columns: Iterable[str]) -> tuple[str, ...]:
    """The input's columns; one that is called like one of ours gets a prefix."""
    names = list(header)
    taken, ours = set(names), frozenset(result_columns)
    for position, name in enumerate(names):
        if normalized(name) in ours:
            names[position] = _input_name(name, taken)
            taken.add(names[position])
    return tuple(names)


def _input_name(name: str, taken: Set[str]) -> str:
    renamed_to = f"{INPUT_PREFIX}{name}"
    while renamed_to in taken:
        renamed_to = f"{INPUT_PREFIX}{renamed_to}"
    return renamed_to


def keys_of(names: Iterable[Any]) -> list[ColumnKey]:
    """The key of each column, by which columns of one name are told apart.

    Example:
        ```python
        from prefect_staticadslab.campaign.table.layout import keys_of

        assert keys_of(["", "a", ""]) == [("", 0), ("a", 0), ("", 1)]
        ```
    """
    seen: Counter[str] = Counter()
    keys = []
    for name in map(str, names):
        keys.append((name, seen[name]))
        seen[name] += 1
    return keys


def with_further(header: Sequence[str], further: Sequence[str]) -> tuple[str, ...]:
    """A header, with what it lacks of another one: each behind what it follows there.

    Example:
        ```python
        from prefect_staticadslab.campaign.table.layout import with_further

        assert with_further(["Winner", "a", "Notes", "c"], ["a", "b", "c", "d"]) == (
            "Winner", "a", "b", "Notes", "c", "d"
        )
        ```
    """
    keys = keys_of(header)
    there = set(keys)
    place = 0
    for key in keys_of(further):
        if key in there:
            place = keys.index(key) + 1
            continue
        keys.insert(place, key)
        place += 1
    return tuple(name for name, _ in keys)


def arranged(
    names: Iterable[Any], lines: Iterable[Sequence[Any]], header: Sequence[str]
) -> list[list[Any]]:
    """Lines whose cells stand as a header wants them.

    Args:
        names: The names of the lines' columns.
        lines: The lines.
        header: The names of the wanted columns. Of several with one name the first is found as the
            first, the second as the second; what is not found is blank.
    """
    positions = {key: position for position, key in enumerate(keys_of(names))}
    order = [positions.get(key) for key in keys_of(header)]
    return [[None if position is None else line[position] for position in order] for line in lines]


def order_of(header: Iterable[Any], names: Iterable[Any]) -> list[int]:
    """Where each column of a header is among `names`, the nth of a name as its nth."""
    positions = {key: position for position, key in enumerate(keys_of(names))}
    return [positions[key] for key in keys_of(header)]


def header_of(written: Sequence[str], frame: pd.DataFrame, results: Sequence[str]) -> list[str]:
    """The header of a table that somebody arranged, to be written again.

    Args:
        written: The header as it was found; () if there is none yet.
        frame: The table's columns beside the results.
        results: The result columns.

    Returns:
        What is there of `frame` and `results`, in the order in which it was found. What is new is
        behind what it follows in the spreadsheet.
    """
    default = [*map(str, frame.columns), *results]
    there = set(keys_of(default))
    kept = [name for name, count in keys_of(written) if (name, count) in there]
    return list(with_further(kept, default))


def with_own_columns(
    frame: pd.DataFrame,
    inputs: int,
    written: Spreadsheet,
    lines: Mapping[int, int],
    *,
    kept: Sequence[int],
    is_read: Callable[[str], bool],
    removed: Set[int],
) -> pd.DataFrame:
    """A table's columns with those that people added to it, as they are on disk.

    Args:
        frame: What is in memory: the input's columns, then those that were added before.
        inputs: How many columns are the input's.
        written: What is on disk, beside the result columns.
        lines: For each row of `frame` that is on disk, its line there.
        kept: Lines on disk that will be rows of their own.
        is_read: Whether rows are read from a column. If it is not in the input, then it is not
            what a row of the input asks for, and is only kept for rows that are no longer in it.
        removed: The rows of `frame` that are no longer in the input.

    Returns:
        A line for each of `frame`, and then one for each of `kept`.
    """
    import pandas as pd

    given = set(keys_of(frame.columns[:inputs]))
    known = dict(zip(keys_of(frame.columns), range(len(frame.columns)), strict=True))
    names, columns = [], []
    for position, key in enumerate(keys_of(written.header)):
        if key in given:
            continue
        cells = written.column(position)
        before = frame.iloc[:, known[key]].tolist() if key in known else [None] * len(frame)
        values = [cells[lines[row]] if row in lines else before[row] for row in range(len(frame))]
        if is_read(key[0]):
            values = [value if row in removed else None for row, value in enumerate(values)]
            if all(map(is_blank, (*values, *(cells[line] for line in kept)))):
                continue
        names.append(key[0])
        columns.append(pd.Series(values, index=frame.index, dtype=object))
    whole = frame
    if names or len(frame.columns) != inputs:
        whole = pd.concat([frame.iloc[:, :inputs], *columns], axis=1)
        whole.columns = pd.Index([*map(str, frame.columns[:inputs]), *names], dtype=object)
        whole = frame if whole.equals(frame) and list(whole) == list(frame) else whole
    if not kept:
        return whole
    header = list(map(str, whole.columns))
    further = arranged(written.header, [written.lines[line] for line in kept], header)
    return pd.concat([whole, frame_of(header, further)], ignore_index=True)


def joined(
    frame: pd.DataFrame,
    states: Sequence[JobState],
    columns: Mapping[str, str],
    header: Sequence[str],
    cells_of: Callable[[JobState, Mapping[str, str]], Sequence[Any]] = JobState.cells,
) -> pd.DataFrame:
    """All columns of a table in the order of `header`; a line for each of `states`, of which
    `cells_of` makes the cells."""
    import pandas as pd

    cells = zip(*(cells_of(state, columns) for state in states), strict=True)
    added = {
        name: pd.Series(list(values), dtype=object, index=frame.index)
        for name, values in zip(columns, cells, strict=True)
    }
    table = pd.concat([frame, pd.DataFrame(added, dtype=object)], axis=1)
    return table.iloc[:, order_of(header, list(table.columns))]
