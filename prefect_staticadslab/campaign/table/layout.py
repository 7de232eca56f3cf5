"""Where a result table's columns are: ours by name, and those that people put between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    bare_value,
    cell_text,
    frame_of,
    is_blank,
    normalized,
)
from prefect_staticadslab.campaign.table.idempotency import if_key
from prefect_staticadslab.campaign.table.job_state import KEY_COLUMNS, RESULT_COLUMNS, JobState

if TYPE_CHECKING:
    import pandas as pd

INPUT_PREFIX: Final = "input_"
"""What is put before the name of an input's column that is called like a result column."""

SENT_PROMPT_COLUMN: Final = "sent_prompt"
"""What was sent as the prompt, where that is not what people wrote."""

_RECOGNIZED_SHARE: Final = 0.5
"""With this part of the result columns a table is a result table, of which somebody renamed or
deleted the others."""

_AD_TABLE_COLUMNS: Final = ("status", "image_ad_id", "image_url")
"""The result columns by which a table of image ads is recognized, as it has none of its own."""

ColumnKey: TypeAlias = tuple[str, int]
"""A column's name, and how many columns before it have the same: several may have none."""


@dataclass(frozen=True)
class ResultColumns:
    """Which result columns a table has.

    Attributes:
        positions: The place of each column that is there, by its name.
        missing: The names of those that every version writes and that are not there.
    """

    positions: Mapping[str, int]
    missing: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether it can be read as a result table: at most `KEY_COLUMNS` are missing."""
        return not self.missing

    @property
    def is_recognized(self) -> bool:
        """Whether it is taken for a result table, be it one with columns renamed or deleted.

        Tables of different jobs share most of their columns, so it must have half of all of them,
        and half of those that only tables of its jobs have.
        """
        found = self.positions.keys() - KEY_COLUMNS.keys()
        needed = found | set(self.missing)
        own = needed - set(RESULT_COLUMNS) or set(_AD_TABLE_COLUMNS)
        return all(len(found & names) >= _RECOGNIZED_SHARE * len(names) for names in (needed, own))


def result_columns_of(table: Spreadsheet, columns: Iterable[str] = RESULT_COLUMNS) -> ResultColumns:
    """Finds the result columns of a table, wherever somebody moved them.

    Args:
        table: The table.
        columns: The names of all result columns of tables of its kind.
    """
    ours = tuple(columns)
    positions: dict[str, int] = {}
    for position, name in enumerate(table.header):
        column = normalized(name)
        # A column of the user's may be called like one of ours but for its case.
        if column in ours and (column not in positions or name == column):
            positions[column] = position
    for name in KEY_COLUMNS.keys() & positions.keys():
        if not _is_key_column(table, ours, name, positions[name]):
            del positions[name]
    missing = tuple(name for name in ours if name not in positions and name not in KEY_COLUMNS)
    return ResultColumns({name: positions[name] for name in ours if name in positions}, missing)


def _is_key_column(table: Spreadsheet, ours: Sequence[str], name: str, position: int) -> bool:
    """Whether a column that is called like one of `KEY_COLUMNS` is a result column.

    It is the user's own if the table is of a version that wrote no such columns, and its cells are
    not such as the program writes.
    """
    earlier = tuple(each for each in ours if each not in KEY_COLUMNS)
    if table.header[-len(earlier) :] != earlier:
        return True
    texts = map(cell_text, table.column(position))
    return all(not text or if_key(name, text) for text in texts)


def with_all_result_columns(
    table: Spreadsheet, found: ResultColumns, columns: Iterable[str] = RESULT_COLUMNS
) -> Spreadsheet:
    """A result table with all result columns, each under its name; those that it lacks are blank.

    A column of the user's that is called like one of ours gets a prefix. `found` is what
    `result_columns_of` gave, `columns` the names of all result columns.
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
    header = merged_header(names, ours)
    lines = table.lines if len(header) == len(names) else rearranged(names, table.lines, header)
    return replace(table, header=header, lines=lines)


def result_cells(table: Spreadsheet, columns: Iterable[str]) -> list[tuple[Any, ...]]:
    """The cells of result columns, line by line, in these columns' order: their values, whatever
    number formats show them as."""
    positions = [table.header.index(name) for name in columns]
    return [tuple(bare_value(line[position]) for position in positions) for line in table.lines]


def without_result_columns(table: Spreadsheet, columns: Iterable[str]) -> Spreadsheet:
    """A result table with only its other columns: the input's, and those that people added."""
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


def complete_result_table(spreadsheet: Spreadsheet, columns: Iterable[str]) -> Spreadsheet | None:
    """A spreadsheet with all result columns, if it is a result table of which none was renamed or
    deleted; None otherwise."""
    ours = tuple(columns)
    found = result_columns_of(spreadsheet, ours)
    return with_all_result_columns(spreadsheet, found, ours) if found.is_complete else None


def input_part(spreadsheet: Spreadsheet, columns: Iterable[str]) -> Spreadsheet:
    """A result table without its result columns; any other spreadsheet as it is."""
    ours = tuple(columns)
    found = result_columns_of(spreadsheet, ours)
    if not found.is_recognized:
        return spreadsheet
    return without_result_columns(with_all_result_columns(spreadsheet, found, ours), ours)


def with_input_names(header: Sequence[str], result_columns: Iterable[str]) -> tuple[str, ...]:
    """The names of the input's columns; one that is called like a result column gets a prefix."""
    names = list(header)
    taken, ours = set(names), frozenset(result_columns)
    for position, name in enumerate(names):
        if normalized(name) in ours:
            names[position] = _input_name(name, taken)
            taken.add(names[position])
    return tuple(names)


def _input_name(name: str, taken: Set[str]) -> str:
    """A name with as many prefixes as make it another one than all in `taken`."""
    renamed_to = f"{INPUT_PREFIX}{name}"
    while renamed_to in taken:
        renamed_to = f"{INPUT_PREFIX}{renamed_to}"
    return renamed_to


def column_keys(names: Iterable[Any]) -> list[ColumnKey]:
    """The key of each column, by which columns of one name are told apart.

    Example:
        ```python
        from prefect_staticadslab.campaign.table.layout import column_keys

        assert column_keys(["", "a", ""]) == [("", 0), ("a", 0), ("", 1)]
        ```
    """
    seen: Counter[str] = Counter()
    keys = []
    for name in map(str, names):
        keys.append((name, seen[name]))
        seen[name] += 1
    return keys


def merged_header(header: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    """A header with the names that it lacks of another one, each behind what it follows there.

    Example:
        ```python
        from prefect_staticadslab.campaign.table.layout import merged_header

        assert merged_header(["Winner", "a", "Notes", "c"], ["a", "b", "c", "d"]) == (
            "Winner", "a", "b", "Notes", "c", "d"
        )
        ```
    """
    keys = column_keys(header)
    there = set(keys)
    place = 0
    for key in column_keys(other):
        if key in there:
            place = keys.index(key) + 1
            continue
        keys.insert(place, key)
        place += 1
    return tuple(name for name, _ in keys)


def rearranged(
    names: Iterable[Any], lines: Iterable[Sequence[Any]], header: Sequence[str]
) -> list[list[Any]]:
    """Lines with their cells in the order of a header.

    Args:
        names: The names of the lines' columns.
        lines: The lines.
        header: The names of the columns to give, in order; one that `names` lacks is blank. Of
            several of one name the first is taken for the first, the second for the second.
    """
    positions = {key: position for position, key in enumerate(column_keys(names))}
    order = [positions.get(key) for key in column_keys(header)]
    return [[None if position is None else line[position] for position in order] for line in lines]


def positions_among(header: Iterable[Any], names: Iterable[Any]) -> list[int]:
    """The place of each column of a header among `names`; the nth of one name is the nth there."""
    positions = {key: position for position, key in enumerate(column_keys(names))}
    return [positions[key] for key in column_keys(header)]


def table_header(written: Sequence[str], frame: pd.DataFrame, results: Sequence[str]) -> list[str]:
    """The header of a table, with its columns in the order in which somebody arranged them.

    Args:
        written: The header as it was found; () if there is none yet.
        frame: The table's columns beside the results.
        results: The result columns.

    Returns:
        The names of `frame` and `results`, in the order in which they were found; one that was not
        found is behind the one that it follows in the spreadsheet.
    """
    default = [*map(str, frame.columns), *results]
    there = set(column_keys(default))
    kept = [name for name, count in column_keys(written) if (name, count) in there]
    return list(merged_header(kept, default))


def with_added_columns(
    frame: pd.DataFrame,
    inputs: int,
    written: Spreadsheet,
    lines: Mapping[int, int],
    *,
    kept: Sequence[int],
    is_read: Callable[[str], bool],
    removed: Set[int],
) -> pd.DataFrame:
    """A copy of `frame` with exactly those columns that people have added to the table on disk.

    Args:
        frame: What is in memory: the input's columns, then those that were added before.
        inputs: How many columns are the input's.
        written: What is on disk, beside the result columns.
        lines: For each row of `frame` that is on disk, its line there, both by their places.
        kept: Lines on disk, by their places, that become rows of their own.
        is_read: Whether rows are read from a column of this name. If it is not in the input, its
            cells are no part of what the input's rows ask for: they stay blank for these.
        removed: The rows of `frame` that are no longer in the input, by their places.

    Returns:
        A line for each of `frame`, then one for each of `kept`; `frame` itself if nothing is new.
    """
    import pandas as pd

    given = set(column_keys(frame.columns[:inputs]))
    known = dict(zip(column_keys(frame.columns), range(len(frame.columns)), strict=True))
    names, columns = [], []
    for position, key in enumerate(column_keys(written.header)):
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
    further = rearranged(written.header, [written.lines[line] for line in kept], header)
    return pd.concat([whole, frame_of(header, further)], ignore_index=True)


def join_results(
    frame: pd.DataFrame,
    states: Sequence[JobState],
    columns: Mapping[str, str],
    header: Sequence[str],
    cells_of: Callable[[JobState, Mapping[str, str]], Sequence[Any]] = JobState.cells,
) -> pd.DataFrame:
    """All columns of a table, as a new frame with a line for each of `states`.

    Args:
        frame: All columns beside the results.
        states: What is known about each row.
        columns: The result columns; see `JobType.columns`.
        header: The names of all columns, in the order to give them.
        cells_of: Gives a state's cells in the result columns.
    """
    import pandas as pd

    cells = zip(*(cells_of(state, columns) for state in states), strict=True)
    added = {
        name: pd.Series(list(values), dtype=object, index=frame.index)
        for name, values in zip(columns, cells, strict=True)
    }
    table = pd.concat([frame, pd.DataFrame(added, dtype=object)], axis=1)
    return table.iloc[:, positions_among(header, list(table.columns))]
