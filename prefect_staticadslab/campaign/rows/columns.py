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
from prefect_staticadslab.campaign.rows.resource_types import KINDS, TEMPLATE, ResourceType
from prefect_staticadslab.campaign.table.layout import SENT_PROMPT_COLUMN

REQUIRED_COLUMNS: Final = tuple(
    name for name, field in ImageAdRequest.model_fields.items() if field.is_required()
)
BOOLEAN_COLUMNS: Final = ("editable", *ImageAdOptions.model_fields)
ROW_ID_COLUMN: Final = "row_id"
SOURCE_ROW_COLUMN: Final = "source_row"
"""Where a row that makes several ads says which row of the spreadsheet each is of."""

SENT_PREFIX: Final = "sent_"

NAME_COLUMNS: Final = tuple(kind.name for kind in KINDS)
SENT_NAME_COLUMNS: Final[Mapping[str, str]] = {
    name: f"{SENT_PREFIX}{name}" for name in NAME_COLUMNS if name != TEMPLATE.name
}
"""Where a table names what an ad is of, if a cell of the spreadsheet names several. For people."""

READ_COLUMNS: Final = frozenset(
    {*ImageAdRequest.model_fields, *BOOLEAN_COLUMNS, ROW_ID_COLUMN, SOURCE_ROW_COLUMN} - {"options"}
) | {SENT_PROMPT_COLUMN}
"""What is read of a table in which every row is one ad and says so in ids."""

KNOWN_COLUMNS: Final = READ_COLUMNS - {SENT_PROMPT_COLUMN} | frozenset(NAME_COLUMNS)
"""What is read of a spreadsheet that people wrote; see `campaign.names.brief`."""

NEEDED_COLUMNS: Final = tuple(
    frozenset((kind.id_column, kind.name)) for kind in KINDS if kind.id_column in REQUIRED_COLUMNS
)
"""What every spreadsheet of ads has, one name of each."""

FILTER_EXAMPLE: Final = "ad_format=Sale; aspect_ratio=4:5"

_ID = re.compile(r"[A-Za-z]+_[A-Za-z0-9_-]+")
_TITLE_LINES: Final = 10


def columns_of(
    spreadsheet: Spreadsheet, known_columns: Set[str]
) -> tuple[dict[str, int], list[Problem]]:
    """The positions of the known columns, however people write their names.

    Args:
        spreadsheet: What was read.
        known_columns: The columns to look for. With the names' columns among them, each of these
            stands in for its id's.
    """
    names = spreadsheet.header
    found = positions_of(names, known_columns)
    problems = repeated_columns(names, found, spreadsheet.header_row)
    positions = {column: places[0] for column, places in found.items()}
    hints = Hints.of(names, positions, known_columns)
    # In a table that we wrote, people may add what they like.
    problems += hints.problems(spreadsheet.header_row) if known_columns >= KNOWN_COLUMNS else []
    missing = [
        kind
        for kind in KINDS
        if kind.id_column in REQUIRED_COLUMNS and not {kind.id_column, kind.name} & set(positions)
    ]
    problems += [
        Problem(
            f"The column {kind.id_column} is missing. It holds the id of {kind.with_article}, "
            f"{kind.prefix}…{_alternative_hint(kind)}.{hints.for_kind(kind)}",
            row=spreadsheet.header_row,
        )
        for kind in missing
    ]
    if missing:
        problems.append(Problem(header_message(names, known_columns), row=spreadsheet.header_row))
        # What is missing above the header is nothing to speak of.
        problems = _header_further_down(spreadsheet) or problems
    return positions, problems


def repeated_columns(
    names: Sequence[str], found: Mapping[str, Sequence[int]], header_row: int
) -> list[Problem]:
    """A problem for each column that is there twice; `found` is what `positions_of` gives."""
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


def header_notes(header: Sequence[str], columns: Collection[str]) -> list[str]:
    """What of a header is worth a look, in a sentence each.

    Args:
        header: What people wrote.
        columns: The known columns that it has.
    """
    return Hints.of(header, columns, KNOWN_COLUMNS).notes


def positions_of(names: Sequence[str], known_columns: Iterable[str]) -> dict[str, list[int]]:
    """Where the known columns are in a header, in the header's order; several places are too many.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.columns import positions_of

        header = ["Design Template ID", "PRODUCT-ID", "Note"]
        assert positions_of(header, ["design_template_id", "product_id"]) == {
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
    for kind in KINDS:
        # A text of one's own beside an id has always been free to be called `Design template`.
        if kind.id_column in found and kind.name in found and "_" in kind.name:
            named = [p for p in found[kind.name] if normalized(names[p]) == kind.name]
            found[kind.name] = named
    return {column: places for column, places in found.items() if places}


_EXACT: Final = frozenset((SOURCE_ROW_COLUMN,))
"""Columns that no person writes."""


def header_message(names: Sequence[str], known_columns: Iterable[str]) -> str:
    """The message for a header without the required columns: its names, if it looks like a header.

    A location that leads to some other file of this machine is answered with its first line, which
    may be anything: so that is told only if a name in it is one of ours, or nearly.

    Args:
        names: The header's cells.
        known_columns: What columns may be called.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.columns import header_message

        assert header_message(["Brands", "Note"], ["brand"]).endswith("columns are: Brands, Note")
        assert "Note" not in header_message(["Note", "PASSWORD=x"], ["brand"])
        ```
    """
    filled_names = [name for name in names if name.strip()]
    choices = tuple(known_columns)
    if any(_is_like(name, choices) for name in filled_names[:HINT_CHOICES]):
        return f"The spreadsheet's columns are: {shortened(', '.join(filled_names), 300)}"
    cells = "1 cell" if len(filled_names) == 1 else f"{len(filled_names):,} cells"
    return f"The first row has {cells}, and none is the name of a column that is read."


def _is_like(name: str, choices: Sequence[str]) -> bool:
    keys = [column_key(choice) for choice in choices]
    return bool(difflib.get_close_matches(column_key(name[:HINT_LENGTH]), keys, 1, _LIKE))


_LIKE: Final = 0.75
"""From where on, between 0 and 1, a word is a column's name that was written differently."""


def _alternative_hint(kind: ResourceType) -> str:
    if kind is TEMPLATE:
        return f", or what it should be like: {FILTER_EXAMPLE}. It may be called {kind.name}"
    return f". Or write names, in a column {kind.name}"


def _header_further_down(spreadsheet: Spreadsheet) -> list[Problem]:
    """A hint, if there is a title above the columns' names."""
    first_lines = spreadsheet.lines[:_TITLE_LINES]
    for number, line in zip(spreadsheet.row_numbers, first_lines, strict=False):
        known_names = positions_of([cell_text(value) for value in line], KNOWN_COLUMNS)
        if len(known_names) > 1:
            above = number - 1
            which = "row" if above == 1 else f"{above} rows"
            hint = f"This looks like the header. Delete the {which} above it."
            return [Problem(hint, row=number)]
    return []


def id_problem(kind: ResourceType, text: str) -> str | None:
    """What is wrong with a cell of the column of a kind's ids, or None."""
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
    for other in KINDS:
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
