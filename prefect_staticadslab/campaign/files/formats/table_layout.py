"""Where the table is within a sheet: its header, what stands above it, and a total below it."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from prefect_staticadslab.campaign.errors import ranges
from prefect_staticadslab.campaign.files.cells import cell_text, column_key, is_blank

TITLE_LINES: Final = 10
"""Lines that are not blank, among which the header is."""

HEADER_NAMES: Final = 2
"""Known names that make a line a header."""

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
"""What stands before a sum, in the languages of those who write campaigns."""

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
_LONGEST_NUMBER: Final = 40
"""Characters of an amount with its currency."""

Line = tuple[int, Sequence[Any]]
"""A row that is not blank: its number as a spreadsheet program shows it, and its cells."""


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
    """The known columns among a line's cells."""
    names = {column_key(name): name for name in known_columns}
    keys = (column_key(cell_text(cell)) for cell in cells)
    return {names[key] for key in keys if key in names}


def layout_of(lines: Sequence[Line], known_columns: Set[str]) -> Layout:
    """The table within the lines of a sheet or a file.

    Args:
        lines: Those that are not blank.
        known_columns: Names that a header is likely to have.
    """
    if not lines:
        return Layout((1, ()), ())
    place = _header_place(lines, known_columns)
    above, header, below = lines[:place], lines[place], list(lines[place + 1 :])
    notes = []
    if above:
        which = rows_named([number for number, _ in above])
        notes.append(f"{which} above the columns' names, left out")
    if has_names := len(known_names(header[1], known_columns)) >= HEADER_NAMES:
        unticked = [number for number, cells in below if _is_unticked(cells)]
        left_out = frozenset(unticked)
        below = [line for line in below if line[0] not in left_out]
        if unticked:
            notes.append(
                f"{rows_named(unticked)} with nothing but boxes that are not ticked, left out"
            )
    if has_names and len(below) > 1 and _is_total(below[-1][1]):
        notes.append(f"row {below[-1][0]}, a total below the table, left out")
        below.pop()
    return Layout(header, below, tuple(notes))


def _header_place(lines: Sequence[Line], known_columns: Set[str]) -> int:
    for place, (_, cells) in enumerate(lines[:TITLE_LINES]):
        if len(known_names(cells, known_columns)) >= HEADER_NAMES:
            return place
    return 0


def _is_unticked(cells: Sequence[Any]) -> bool:
    """Whether a line has nothing but FALSE, as all do down to where boxes were dragged."""
    texts = (cell_text(cell).strip() for cell in cells if not is_blank(cell))
    return all(text.casefold() in UNTICKED for text in texts if text)


def _is_total(cells: Sequence[Any]) -> bool:
    """Whether a line has nothing but a label such as "Total", and numbers; boxes aside."""
    texts_of = ((cell, cell_text(cell).strip()) for cell in cells if not is_blank(cell))
    filled = [cell for cell, text in texts_of if text and text.casefold() not in UNTICKED]
    texts = [cell for cell in filled if not _is_number(cell)]
    return len(texts) == 1 < len(filled) and _is_label(cell_text(texts[0]))


def _is_label(text: str) -> bool:
    return len(text) <= _LONGEST_NUMBER and column_key(text.strip(" :=")) in TOTAL_LABELS


def _is_number(cell: Any) -> bool:
    if not isinstance(cell, str):
        return True
    return len(cell) <= _LONGEST_NUMBER and _NUMBER.fullmatch(cell.strip()) is not None


def rows_named(numbers: Sequence[int]) -> str:
    """Rows by their numbers, such as `rows 4 and 7`."""
    return f"row{'s' if len(numbers) > 1 else ''} {ranges(numbers)}"
