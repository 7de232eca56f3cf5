"""Which character separates the cells of a text file."""

from __future__ import annotations

import csv
import io
import re
from itertools import islice
from typing import Final

from prefect_staticadslab.campaign.files.formats.table_layout import TITLE_LINES, known_names

DELIMITERS: Final = (",", ";", "\t", "|")

_SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=([,;\t|])\"?[,;\t|]*\r?(?:\n|$)", re.I)


def split_separator_line(text: str) -> tuple[str, str]:
    """Takes off a first line such as `sep=;`, with which Excel says how a CSV is separated.

    Returns:
        The separator that it names, "" if there is no such line; and the text below it.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.formats.delimiters import split_separator_line

        assert split_separator_line("sep=;\\na;b") == (";", "a;b")
        assert split_separator_line("a;b") == ("", "a;b")
        ```
    """
    match = _SEPARATOR_LINE.match(text)
    return (match[1], text[match.end() :]) if match else ("", text)


def likely_delimiter(head: str, known_columns: frozenset[str]) -> str:
    """The delimiter that gives the header the most known names, or else the first line the most
    cells. The header may stand below a title.

    Args:
        head: The beginning of the text.
        known_columns: Names that a header is likely to have.
    """

    def header_score(delimiter: str) -> tuple[int, int]:
        """How many known names, and how many cells, the likeliest header has with this delimiter:
        the first line with two known names, or else the first line."""
        reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
        scores = [(0, 0)]
        try:
            for cells in islice(filter(any, reader), TITLE_LINES):
                known = len(known_names(cells, known_columns))
                scores.append((known, len(cells)))
                if known > 1:
                    break
        except csv.Error:  # in a line below, which is reported when it is read
            pass
        best = max(scores, key=lambda score: score[0])
        return best if best[0] > 1 else scores[min(1, len(scores) - 1)]

    return max(DELIMITERS, key=header_score)
