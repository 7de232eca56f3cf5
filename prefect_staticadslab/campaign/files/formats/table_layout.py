"""Where the table is within a sheet: its header, what stands above it, and a total below it."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from prefect_staticadslab.campaign.errors import ranges
from prefect_staticadslab.campaign.files.cells import cell_text, column_key, is_blank

TITLE_LINES: Final = 10
"""The header is among so many first lines that are not blank."""

HEADER_NAMES: Final = 2
"""A line with so many known names is a header."""

TOTAL_LABELS: Final = frozenset(
    column_key(label)
    for label in (
        "total",
        "totals",
        "grand_total",
        "subtotal",
        "sum",
        "sums",
        "summe",
        "gesamt",
        "gesamtsumme",
        "insgesamt",
        "zwischensumme",
        "somme",
        "totaux",
        "total_général",
        "total_general",
        "sous-total",
        "suma",
        "total_geral",
        "soma",
        "totale",
        "somma",
        "totaal",
        "totalt",
        "summa",
        "razem",
        "suma_ogółem",
        "celkem",
        "összesen",
        "toplam",
        "итого",
        "всего",
        "сумма",
        "合計",
        "总计",
        "合计",
        "小計",
        "합계",
    )
)
"""What stands before a sum, in the languages of those who write campaigns; as `column_key`s."""

UNTICKED: Final = frozenset(
    (
        *("false", "falsch", "faux", "falso", "onwaar", "fałsz", "falskt", "falsk", "usann"),
        *("epätosi", "nepravda", "hamis", "fals", "yanlış", "yanliş", "ложь", "хибність"),
        *("ψευδεσ", "väär", "gezurra", "偽", "假", "거짓"),
        "☐",
    )
)
"""What is written for a box that is not ticked, in the languages that have a word of their own."""

_NUMBER = re.compile(r"[^\w%]*[+-]?[\d.,'’ \u00a0\u202f]*\d[^\w%]*%?(?:\s*[A-Za-z]{3})?[^\w]*")
_LONGEST_AMOUNT: Final = 40
"""Characters of an amount with its currency, and of the label of a total, at most."""

Line = tuple[int, Sequence[Any]]
"""A row that is not blank: its 1-based number as a spreadsheet program shows it, and its cells."""


@dataclass(frozen=True)
class Layout:
    """Where a table is.

    Attributes:
        header: The line with the columns' names; row 1 without cells, if there are no lines.
        lines: Those of the table.
        notes: What was left out, for people.
    """

    header: Line
    lines: Sequence[Line]
    notes: tuple[str, ...] = ()


def known_names(cells: Sequence[Any], known_columns: Set[str]) -> set[str]:
    """The known columns that a line's cells name, in the spelling of `known_columns`."""
    names = {column_key(name): name for name in known_columns}
    keys = (column_key(cell_text(cell)) for cell in cells)
    return {names[key] for key in keys if key in names}


def layout_of(lines: Sequence[Line], known_columns: Set[str]) -> Layout:
    """Finds the table within the lines of a sheet or a file.

    The header is the first line with two known names, or else the first line. What stands above it
    is left out; and, below one with two known names, also rows of nothing but boxes that are not
    ticked, and a total in the last row.

    Args:
        lines: Those that are not blank.
        known_columns: Names that a header is likely to have.
    """
    if not lines:
        return Layout((1, ()), ())
    position = _header_position(lines, known_columns)
    above, header, below = lines[:position], lines[position], list(lines[position + 1 :])
    notes = []
    if above:
        row_list = rows_in_words([number for number, _ in above])
        notes.append(f"{row_list} above the columns' names, left out")
    if has_names := len(known_names(header[1], known_columns)) >= HEADER_NAMES:
        unticked = [number for number, cells in below if _has_only_unticked_boxes(cells)]
        left_out = frozenset(unticked)
        below = [line for line in below if line[0] not in left_out]
        if unticked:
            notes.append(
                f"{rows_in_words(unticked)} with nothing but boxes that are not ticked, left out"
            )
    if has_names and len(below) > 1 and _is_total_line(below[-1][1]):
        notes.append(f"row {below[-1][0]}, a total below the table, left out")
        below.pop()
    return Layout(header, below, tuple(notes))


def _header_position(lines: Sequence[Line], known_columns: Set[str]) -> int:
    """Which of the lines is the header, counted from 0: the first with two known names, or 0."""
    for position, (_, cells) in enumerate(lines[:TITLE_LINES]):
        if len(known_names(cells, known_columns)) >= HEADER_NAMES:
            return position
    return 0


def _has_only_unticked_boxes(cells: Sequence[Any]) -> bool:
    """Whether all cells of a line that are not blank say FALSE, in some language: columns of boxes
    are often dragged further down than the table."""
    texts = (cell_text(cell).strip() for cell in cells if not is_blank(cell))
    return all(text.casefold() in UNTICKED for text in texts if text)


def _is_total_line(cells: Sequence[Any]) -> bool:
    """Whether a line has a label such as "Total", numbers, and nothing else but unticked boxes."""
    texts_of = ((cell, cell_text(cell).strip()) for cell in cells if not is_blank(cell))
    filled = [cell for cell, text in texts_of if text and text.casefold() not in UNTICKED]
    texts = [cell for cell in filled if not _looks_like_number(cell)]
    return len(texts) == 1 < len(filled) and _is_total_label(cell_text(texts[0]))


def _is_total_label(text: str) -> bool:
    return len(text) <= _LONGEST_AMOUNT and column_key(text.strip(" :=")) in TOTAL_LABELS


def _looks_like_number(cell: Any) -> bool:
    """Whether a cell is no text, or a text that is an amount, such as `1.234,50 EUR`."""
    if not isinstance(cell, str):
        return True
    return len(cell) <= _LONGEST_AMOUNT and _NUMBER.fullmatch(cell.strip()) is not None


def rows_in_words(numbers: Sequence[int]) -> str:
    """Rows by their numbers in a message, such as `rows 4 and 7`."""
    return f"row{'s' if len(numbers) > 1 else ''} {ranges(numbers)}"
