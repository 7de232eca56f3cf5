"""The columns that are read: what they are called, where they are, and what an id looks like."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import Final

from prefect_staticadslab.api.models import ImageAdOptions, ImageAdRequest
from prefect_staticadslab.bounds import HINT_CHOICES, HINT_LENGTH
from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    column_key,
    normalized,
    shortened,
)
from prefect_staticadslab.campaign.rows.header_hints import Hints
from prefect_staticadslab.campaign.rows.resource_types import RESOURCE_TYPES, TEMPLATE, ResourceType
from prefect_staticadslab.campaign.table.layout import SENT_PROMPT_COLUMN

REQUIRED_COLUMNS: Final = tuple(
    name for name, field in ImageAdRequest.model_fields.items() if field.is_required()
)
"""The ids that every ad has; a column of names may stand in for each."""

BOOLEAN_COLUMNS: Final = ("editable", *ImageAdOptions.model_fields)
ROW_ID_COLUMN: Final = "row_id"
SOURCE_ROW_COLUMN: Final = "source_row"
"""Says of an ad which row of the spreadsheet it is of, if rows make several."""

SENT_PREFIX: Final = "sent_"

NAME_COLUMNS: Final = tuple(kind.name for kind in RESOURCE_TYPES)
SENT_NAME_COLUMNS: Final[Mapping[str, str]] = {
    name: f"{SENT_PREFIX}{name}" for name in NAME_COLUMNS if name != TEMPLATE.name
}
"""For each column of names, the table's column that says which of a cell's several names an ad is
of. For people."""

READ_COLUMNS: Final = frozenset(
    {*ImageAdRequest.model_fields, *BOOLEAN_COLUMNS, ROW_ID_COLUMN, SOURCE_ROW_COLUMN} - {"options"}
) | {SENT_PROMPT_COLUMN}
"""What is read of a table in which every row is one ad and says so in ids."""

KNOWN_COLUMNS: Final = READ_COLUMNS - {SENT_PROMPT_COLUMN} | frozenset(NAME_COLUMNS)
"""What is read of a spreadsheet that people wrote; see `campaign.names.brief`."""

NEEDED_COLUMNS: Final = tuple(
    frozenset(kind.columns) for kind in RESOURCE_TYPES if kind.id_column in REQUIRED_COLUMNS
)
"""What every spreadsheet of ads has, one name of each."""

FILTER_EXAMPLE: Final = "ad_format=Sale; aspect_ratio=4:5"

_ID = re.compile(r"[A-Za-z]+_[A-Za-z0-9_-]+")
_TITLE_LINES: Final = 10
"""How many of the first rows may be a title above the header."""


def find_columns(
    spreadsheet: Spreadsheet, known_columns: Set[str]
) -> tuple[dict[str, int], list[Problem]]:
    """Finds the known columns of a spreadsheet of ads, however people write their names.

    Args:
        spreadsheet: What was read.
        known_columns: The columns to look for. If columns of names are among them, the column of a
            required id may be missing where the one of its names is there.

    Returns:
        The position of each known column that is there; and what is wrong with the header: a column
        that is there twice, a required one that is missing, a name that is nearly a known one.
    """
    names = spreadsheet.header
    found = column_positions(names, known_columns)
    problems = repeated_column_problems(names, found, spreadsheet.header_row)
    positions = {column: places[0] for column, places in found.items()}
    hints = Hints.for_header(names, positions, known_columns)
    # To a result table people may add what they like.
    problems += hints.problems(spreadsheet.header_row) if known_columns >= KNOWN_COLUMNS else []
    missing = [
        kind
        for kind in RESOURCE_TYPES
        if kind.id_column in REQUIRED_COLUMNS and not set(kind.columns) & set(positions)
    ]
    problems += [
        Problem(
            f"The column {kind.id_column} is missing. It holds the id of {kind.with_article}, "
            f"{kind.prefix}…{_alternative_to_id(kind)}.{hints.question_for(kind)}",
            row=spreadsheet.header_row,
        )
        for kind in missing
    ]
    if missing:
        message = missing_columns_message(names, known_columns)
        problems.append(Problem(message, row=spreadsheet.header_row))
        # What a title above the header lacks need not be told.
        problems = _lower_header_problems(spreadsheet) or problems
    return positions, problems


def repeated_column_problems(
    names: Sequence[str], found: Mapping[str, Sequence[int]], header_row: int
) -> list[Problem]:
    """A problem for each column that is there twice.

    Args:
        names: The header.
        found: What `column_positions` gives for it.
        header_row: The header's row number.
    """
    return [
        Problem(
            f"is there twice, as {' and '.join(repr(shortened(names[p])) for p in places)}. "
            "Rename one.",
            row=header_row,
            column=column,
        )
        for column, places in found.items()
        if len(places) > 1
    ]


def sent_prompt_problems(names: Sequence[str], header_row: int) -> list[Problem]:
    """A problem for each column that would be read as prompts that were sent, in a spreadsheet that
    is no result table. One of exactly that name gets another in the table, and is not read.

    Args:
        names: The header.
        header_row: The header's row number.
    """
    return [
        Problem(
            f"{shortened(name)!r} would be read as a result table's sent_prompt, and sent instead "
            "of prompt. Rename it.",
            row=header_row,
        )
        for name in names
        if column_key(name) == column_key(SENT_PROMPT_COLUMN)
        and normalized(name) != SENT_PROMPT_COLUMN
    ]


def header_notes(header: Sequence[str], columns: Collection[str]) -> list[str]:
    """Sentences about columns of a header that may be meant as known ones, and are not read.

    Args:
        header: What people wrote.
        columns: The known columns that it has.
    """
    return Hints.for_header(header, columns, KNOWN_COLUMNS).notes


def column_positions(names: Sequence[str], known_columns: Iterable[str]) -> dict[str, list[int]]:
    """All positions of each known column in a header, in the header's order.

    A column that is not there is left out; one with several positions is there too often.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.columns import column_positions

        header = ["Design Template ID", "PRODUCT-ID", "Note"]
        assert column_positions(header, ["design_template_id", "product_id"]) == {
            "design_template_id": [0], "product_id": [1]
        }
        ```
    """
    known = {column_key(name): name for name in known_columns if name not in _EXACT}
    exact = frozenset(known_columns)
    found: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        column = normalized(name) if normalized(name) in exact else known.get(column_key(name))
        if column is not None:
            found.setdefault(column, []).append(position)
    for kind in RESOURCE_TYPES:
        # Beside an id, a column `Design template` may be the user's own; only the exact name is it.
        if kind.id_column in found and kind.name in found and "_" in kind.name:
            named = [p for p in found[kind.name] if normalized(names[p]) == kind.name]
            found[kind.name] = named
    return {column: places for column, places in found.items() if places}


_EXACT: Final = frozenset((SOURCE_ROW_COLUMN,))
"""Columns that only this program writes, so that their names are compared exactly."""


def missing_columns_message(names: Sequence[str], known_columns: Iterable[str]) -> str:
    """The message for a header without the required columns: its names, if it looks like a header.

    The location may be that of some other file, whose first line may hold anything, secrets
    included. So the names are in the message only if one is a known column's, or nearly.

    Args:
        names: The header's cells.
        known_columns: The known columns.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.columns import missing_columns_message as message

        assert message(["Brands", "Note"], ["brand"]).endswith("columns are: Brands, Note")
        assert "Note" not in message(["Note", "PASSWORD=x"], ["brand"])
        ```
    """
    filled_names = [name for name in names if name.strip()]
    choices = tuple(known_columns)
    if any(_resembles_any(name, choices) for name in filled_names[:HINT_CHOICES]):
        return f"The spreadsheet's columns are: {shortened(', '.join(filled_names), 300)}"
    cells = "1 cell" if len(filled_names) == 1 else f"{len(filled_names):,} cells"
    return f"The first row has {cells}, and none is the name of a column that is read."


def _resembles_any(name: str, choices: Sequence[str]) -> bool:
    """Whether a name is one of these columns', or one with a slip of the finger in it."""
    keys = [column_key(choice) for choice in choices]
    return bool(difflib.get_close_matches(column_key(name[:HINT_LENGTH]), keys, 1, _LIKE))


_LIKE: Final = 0.75
"""How similar, between 0 and 1, a word is at least to a column's name that was mistyped."""


def _alternative_to_id(kind: ResourceType) -> str:
    """The rest of a sentence about a missing column of ids: what may be written instead."""
    if kind is TEMPLATE:
        return f", or what it should be like: {FILTER_EXAMPLE}. It may be called {kind.name}"
    return f". Or write names, in a column {kind.name}"


def _lower_header_problems(spreadsheet: Spreadsheet) -> list[Problem]:
    """One problem if the header is further down, below a title; none if it is not found there."""
    first_lines = spreadsheet.lines[:_TITLE_LINES]
    for number, line in zip(spreadsheet.row_numbers, first_lines, strict=False):
        known_names = column_positions([cell_text(value) for value in line], KNOWN_COLUMNS)
        if len(known_names) > 1:
            above = number - 1
            which = "row" if above == 1 else f"{above} rows"
            hint = f"This looks like the header. Delete the {which} above it."
            return [Problem(hint, row=number)]
    return []


def wrong_id_message(kind: ResourceType, text: str) -> str | None:
    """What is wrong with a cell's text in the column of a kind's ids; None if it may be an id.

    An empty cell is wrong where every ad has such an id.
    """
    prefix = kind.prefix
    if text.startswith(prefix) and len(text) > len(prefix):
        if _ID.fullmatch(text):
            return None
        return f"{shortened(text)!r} holds characters that no id has."
    if not text and kind.id_column not in REQUIRED_COLUMNS:
        return None
    thing = kind.with_article
    if not text:
        return f"is empty. It needs the id of {thing}, {prefix}…."
    for other in RESOURCE_TYPES:
        if text.startswith(other.prefix):
            return (
                f"{shortened(text)!r} is the id of {other.with_article}, not of {thing} "
                f"({prefix}…). Was it meant for {other.id_column}?"
            )
    hint = (
        f"Templates have no names; say what it should be like: {FILTER_EXAMPLE}."
        if kind is TEMPLATE
        else f"Names go into a column {kind.name}."
    )
    return f"{shortened(text)!r} is not the id of {thing}; that starts with {prefix}. {hint}"
