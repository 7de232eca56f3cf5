"""The columns that are read: what they are called, where they are, and what an id looks like."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence, Set
from typing import Final

from prefect_staticadslab.bounds import HINT_CHOICES, HINT_LENGTH
from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.files.cells import Spreadsheet, cell_text, normalized, shortened

ID_COLUMNS: Final = {
    "design_template_id": ("dt_", "a design template"),
    "brand_id": ("brand_", "a brand"),
    "product_id": ("prod_", "a product"),
    "audience_id": ("aud_", "an audience"),
    "product_variant_id": ("pv_", "a product variant"),
}
REQUIRED_COLUMNS: Final = ("design_template_id", "brand_id", "product_id", "audience_id")
BOOLEAN_COLUMNS: Final = ("editable", "generate_ai_images", "generate_copy")
INPUT_COLUMNS: Final = (*ID_COLUMNS, "prompt", *BOOLEAN_COLUMNS, "node_overrides")
ROW_ID_COLUMN: Final = "row_id"
SOURCE_ROW_COLUMN: Final = "source_row"
"""Where a row that makes several ads says which row of the spreadsheet each is of."""

READ_COLUMNS: Final = frozenset((*INPUT_COLUMNS, ROW_ID_COLUMN, SOURCE_ROW_COLUMN))
"""What is read of a table in which every row is one ad and says so in ids."""

NAME_COLUMNS: Final = tuple(name.removesuffix("_id") for name in ID_COLUMNS)
KNOWN_COLUMNS: Final = READ_COLUMNS | frozenset(NAME_COLUMNS)
"""What is read of a spreadsheet that people wrote; see `campaign.brief`."""

SPACED_COLUMNS: Final = frozenset(name for name in NAME_COLUMNS if "_" in name)
"""Columns that may be written with a space: `Design template`."""

FILTER_EXAMPLE: Final = "ad_format=Sale; aspect_ratio=4:5"

_ID = re.compile(r"[A-Za-z]+_[A-Za-z0-9_-]+")
_TITLE_LINES: Final = 10


def columns_of(
    spreadsheet: Spreadsheet, known_columns: Set[str]
) -> tuple[dict[str, int], list[Problem]]:
    """The positions of the known columns. Names are compared without case and outer space.

    Args:
        spreadsheet: What was read.
        known_columns: The columns to look for. With the names' columns among them, each of these
            stands in for its id's.
    """
    positions: dict[str, int] = {}
    problems: list[Problem] = []
    names = [str(name) for name in spreadsheet.frame.columns]
    for position, name in enumerate(names):
        column = normalized(name)
        if column not in known_columns:
            continue
        if column in positions:
            problems.append(
                Problem(
                    f"is there twice, as {names[positions[column]]!r} and {name!r}. Rename one.",
                    row=1,
                    column=column,
                )
            )
        else:
            positions[column] = position
    for position, name in enumerate(names):
        # As people write them, where no other column can be meant.
        column = normalized(name).replace(" ", "_")
        if column in SPACED_COLUMNS & known_columns and not {column, f"{column}_id"} & set(
            positions
        ):
            positions[column] = position
    missing = [
        name
        for name in REQUIRED_COLUMNS
        if name not in positions and name.removesuffix("_id") not in positions
    ]
    problems += [
        Problem(
            f"The column {name} is missing. It holds the id of {ID_COLUMNS[name][1]}, "
            f"{ID_COLUMNS[name][0]}…{_alternative_hint(name)}.",
            row=1,
        )
        for name in missing
    ]
    if missing:
        problems.append(Problem(header_message(names, known_columns), row=1))
        # What is missing above the header is nothing to speak of.
        problems = _header_further_down(spreadsheet) or problems
    return positions, problems


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
    word = normalized(name[:HINT_LENGTH])
    return bool(difflib.get_close_matches(word, choices, 1, _LIKE))


_LIKE: Final = 0.75
"""From where on, between 0 and 1, a word is a column's name that was written differently."""


def _alternative_hint(id_column: str) -> str:
    if id_column == "design_template_id":
        return f", or what it should be like: {FILTER_EXAMPLE}. It may be called design_template"
    return f". Or write names, in a column {id_column.removesuffix('_id')}"


def _header_further_down(spreadsheet: Spreadsheet) -> list[Problem]:
    """A hint, if there is a title above the columns' names."""
    first_lines = spreadsheet.frame.head(_TITLE_LINES).itertuples(index=False, name=None)
    for number, line in zip(spreadsheet.row_numbers, first_lines, strict=False):
        known_names = {normalized(cell_text(value)) for value in line} & KNOWN_COLUMNS
        if len(known_names) > 1:
            hint = f"This looks like the header. Delete the {number - 1} row(s) above it."
            return [Problem(hint, row=number)]
    return []


def id_problem(name: str, text: str) -> str | None:
    """What is wrong with a cell of an id column, or None."""
    prefix, thing = ID_COLUMNS[name]
    if not text:
        if name not in REQUIRED_COLUMNS:
            return None
        return f"is empty. It needs the id of {thing}, {prefix}…."
    if text.startswith(prefix) and len(text) > len(prefix):
        if _ID.fullmatch(text):
            return None
        return f"{shortened(text)!r} holds characters that no id has."
    others = [(c, other_thing) for c, (p, other_thing) in ID_COLUMNS.items() if text.startswith(p)]
    if others:
        column, other_thing = others[0]
        return (
            f"{shortened(text)!r} is the id of {other_thing}, not of {thing} ({prefix}…). "
            f"Was it meant for {column}?"
        )
    hint = (
        f"Templates have no names; say what it should be like: {FILTER_EXAMPLE}."
        if name == "design_template_id"
        else f"Names go into a column {name.removesuffix('_id')}."
    )
    return f"{shortened(text)!r} is not the id of {thing}; that starts with {prefix}. {hint}"
