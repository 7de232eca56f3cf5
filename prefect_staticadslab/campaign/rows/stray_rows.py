"""Rows that seem to be no ads: a sum without a label, or a note below the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.files.cells import cell_text, column_key, shortened
from prefect_staticadslab.campaign.files.formats.table_layout import UNTICKED
from prefect_staticadslab.campaign.rows.resource_types import RESOURCE_TYPES

_AD_KEYS: Final = frozenset(
    column_key(name) for kind in RESOURCE_TYPES for name in kind.columns
) | {"prompt"}
"""The columns that an ad is made of, by `column_key`."""

_SHOWN_CELLS: Final = 3
"""How many of such a row's cells a message quotes."""


def stray_row_problem(number: int, header: Sequence[str], line: Sequence[Any]) -> Problem | None:
    """One problem for a row that seems to be no ad, instead of one for each missing cell; or None.

    It is a row with a single cell, or with nothing in a column that an ad is made of. Boxes that
    are not ticked do not count.

    Args:
        number: The row's, as a spreadsheet program shows it.
        header: The columns' names.
        line: The row's cells.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.stray_rows import stray_row_problem

        header = ["brand", "product", "price"]
        problem = stray_row_problem(14, header, ["Ask Anna first", "", ""])
        assert str(problem) == (
            "Row 14: has only 'Ask Anna first' (column brand). A total or a note? Delete the row, "
            "or fill in the rest of it."
        )
        assert stray_row_problem(2, header, ["Nordbrew", "Cold Brew Kit", ""]) is None
        ```
    """
    texts = [cell_text(cell).strip() for cell in line]
    filled = [
        (name, text)
        for name, text in zip(header, texts, strict=False)
        if text and text.casefold() not in UNTICKED
    ]
    if not filled or (len(filled) > 1 and any(column_key(n) in _AD_KEYS for n, _ in filled)):
        return None
    shown = [_cell_with_column(name, text) for name, text in filled[:_SHOWN_CELLS]]
    more = ["more"] if len(filled) > _SHOWN_CELLS else []
    return Problem(
        f"has only {' and '.join([*shown, *more])}. A total or a note? Delete the row, or fill in "
        "the rest of it.",
        number,
    )


def _cell_with_column(name: str, text: str) -> str:
    """A cell's text for a message, with its column's name if it has one."""
    what = repr(shortened(text))
    return f"{what} (column {shortened(name)})" if name.strip() else what
