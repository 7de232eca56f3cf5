"""Which encoding makes sense of a text, where it does not say how it is written.

A wrong letter in a prompt is paid for. So every encoding in which a file might be is tried, and one
is taken only if no other makes nearly as much sense of what would be sent; otherwise the user is
asked.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from prefect_staticadslab.bounds import LONGEST_CELL
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import column_key, shortened
from prefect_staticadslab.campaign.files.formats.delimiters import (
    likely_delimiter,
    split_separator_line,
)
from prefect_staticadslab.campaign.files.formats.letter_evidence import word_score, words_of
from prefect_staticadslab.campaign.files.formats.table_layout import (
    TITLE_LINES,
    layout_of,
)

_WESTERN: Final = ("en", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "nb", "fi", "is", "ca")
_CENTRAL: Final = ("pl", "cs", "sk", "hu", "ro", "hr", "sl", "sq", "de")
_CYRILLIC: Final = ("ru", "uk", "bg", "be", "sr_Cyrl", "mk")

ENCODINGS: Final[dict[str, tuple[float, tuple[str, ...]]]] = {
    "cp1252": (0, _WESTERN),
    "cp1250": (-2, _CENTRAL),
    "cp1251": (-2, _CYRILLIC),
    "cp1253": (-2, ("el",)),
    "cp1254": (-2, ("tr",)),
    "cp1257": (-3, ("lt", "lv", "et")),
    "cp1255": (-3, ("he",)),
    "cp1256": (-3, ("ar", "fa")),
    "cp874": (-3, ("th",)),
    "cp1258": (-5, ("vi",)),
    "cp932": (-2, ("ja",)),
    "gb18030": (-2, ("zh_Hans",)),
    "cp950": (-2, ("zh_Hant",)),
    "cp949": (-2, ("ko",)),
    "euc_jp": (-5, ("ja",)),
    "mac_roman": (-3, _WESTERN),
    "mac_latin2": (-6, _CENTRAL),
    "mac_cyrillic": (-6, ("ru", "uk", "bg")),
    "koi8_r": (-5, ("ru",)),
    "cp866": (-5, ("ru",)),
    "cp850": (-5, _WESTERN),
    "cp852": (-6, _CENTRAL),
    "iso8859_2": (-4, _CENTRAL),
    "iso8859_15": (-4, _WESTERN),
}
"""What spreadsheet programs write that is no Unicode: how likely each is beforehand, as a
logarithm, and the languages that are written in it. The first is Excel's in most of Europe and
America; then what Excel writes elsewhere, and other programs' and earlier times'."""

_NO_DOUBT: Final = 9.0
"""By how much the best must exceed the next that gives another text, as a logarithm. Of 262 tables
of one to ten short cells in 24 languages, one was read wrongly at 6 and none from 7 on; at 9 a
quarter is asked about, nearly all of them of one cell."""

_SENSE: Final = -7.5
_EAST_ASIAN_SENSE: Final = -11.0
"""What a letter has on average in a text that makes sense, whose letters are few or thousands."""

_CELLS_JUDGED: Final = 2_000
"""Different cells, and characters of each, that are judged: more change nothing."""
_CELL_LENGTH: Final = 500

_FOREIGN: Final = -2.0
"""For an English word within another language: brands, and what is called so everywhere."""

_SHOWN: Final = 50


@dataclass(frozen=True)
class Reading:
    """What the cells would be in one encoding."""

    encoding: str
    texts: tuple[str, ...]
    score: float
    makes_sense: bool


def likeliest_encoding(
    content: bytes, known_columns: frozenset[str], possible: Sequence[str]
) -> str:
    """The encoding that makes the most sense of what would be sent.

    Args:
        content: The file.
        known_columns: Names of columns that are sent; none if all are.
        possible: Encodings in which the file can be written.

    Raises:
        SpreadsheetError: No encoding makes text of it; or there is doubt, and the message shows
            one reading or two.
    """
    cells, others = _cells(content, known_columns)
    telling = [(row, cell) for row, cell in cells if not cell.isascii()]
    judged = telling or [(row, cell) for row, cell in others if not cell.isascii()]
    # An id is in no language.
    context = [(n, c) for n, c in cells if c.isascii() and b"_" not in c]
    readings = _readings(possible, [c for _, c in judged], [c for _, c in context])
    if not readings:
        raise refusal(
            "The file is text in an encoding that is not known. Save it as UTF-8 (in Excel: "
            '"CSV UTF-8"), or name its encoding with --encoding NAME.'
        )
    best = readings[0]
    rivals = [each for each in readings[1:] if each.texts != best.texts]
    is_clear = best.makes_sense and (not rivals or best.score - rivals[0].score >= _NO_DOUBT)
    # If nothing that is in doubt is sent, a wrong letter costs nothing, and nobody is asked.
    if not telling or is_clear:
        return best.encoding
    raise doubt(best, rivals[0] if rivals else None, [row for row, _ in judged])


def _readings(
    possible: Sequence[str], judged: Sequence[bytes], context: Sequence[bytes]
) -> list[Reading]:
    """What the cells are in each encoding that is possible, the likeliest first."""
    plain = [word for cell in context for word in words_of(cell.decode("ascii"))][:_CELLS_JUDGED]
    readings = []
    for name in possible:
        texts = tuple(cell.decode(name, errors="replace") for cell in judged)
        if not all(map(is_text, set("".join(texts)))):
            continue
        first = texts[:_CELLS_JUDGED]
        words = [word for text in first for word in words_of(text[:_CELL_LENGTH])]
        beforehand, languages = ENCODINGS[name]
        score, language = max(
            (sum(_score(word, language) for word in (*words, *plain)), language)
            for language in languages
        )
        telling = [word for word in words if not word.isascii()]
        sense = sum(word_score(word, language) for word in telling)
        letters = sum(len(word) + 1 for word in telling) or 1
        floor = _EAST_ASIAN_SENSE if language[:2] in _EAST_ASIAN else _SENSE
        readings.append(Reading(name, texts, score + beforehand, sense / letters >= floor))
    return sorted(readings, key=lambda reading: -reading.score)


def _score(word: str, language: str) -> float:
    """How likely a word is; one of plain letters may be English in any language."""
    score = word_score(word, language)
    if language[:2] in _EAST_ASIAN:
        # There, words of plain letters stand beside signs without a space.
        parts = _RUNS.findall(word)
        split = sum(word_score(part, "en" if part.isascii() else language) for part in parts)
        score = max(score, split + _FOREIGN)
    elif word.isascii() and language != "en":
        score = max(score, word_score(word, "en") + _FOREIGN)
    return score


_EAST_ASIAN: Final = frozenset(("ja", "zh", "ko"))
_RUNS: Final = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]+")


def _cells(
    content: bytes, known_columns: frozenset[str]
) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """Different cells with their rows: those that may be sent, and the others.

    What is no ASCII has no part in how a table is written, so that its bytes may pass for Latin-1.
    """
    text = content.decode("latin-1")
    filled_in = {column_key(name) for name in set(_BRACES.findall(text))}
    separator, text = split_separator_line(text)
    delimiter = separator or likely_delimiter(text[: 4 * LONGEST_CELL], known_columns)
    lines = _lines_of_cells(text, delimiter)
    first_lines = list(islice(lines, TITLE_LINES + 2))
    header_row, header = layout_of(first_lines, known_columns).header
    names = [column_key(str(name)) for name in header]
    sent = filled_in | {column_key(name) for name in known_columns}
    is_sent = [not known_columns or name in sent for name in names]
    found = _DifferentCells(), _DifferentCells()
    for row, cells in chain(first_lines, lines):
        for position, cell in enumerate(cells):
            # A column's name is sent if a prompt names it; what stands beside the table is.
            is_name = row <= header_row
            known = position >= len(is_sent) or is_sent[position]
            is_wanted = names[position] in filled_in if is_name and known else known
            found[0 if is_wanted else 1].add(row, cell)
    return found[0].cells, found[1].cells


_BRACES: Final = re.compile(r"\{([^{}\n]{1,100})\}")


class _DifferentCells:
    """Different cells, each with the first row that has it: all that are no ASCII, some others."""

    def __init__(self) -> None:
        self._plain = 0
        self._rows: dict[str, int] = {}

    def add(self, row: int, cell: str) -> None:
        if not cell or cell in self._rows:
            return
        if cell.isascii():
            self._plain += 1
            if self._plain > _CELLS_JUDGED:
                return
        self._rows[cell] = row

    @property
    def cells(self) -> list[tuple[int, bytes]]:
        """Each cell with its row. Latin-1 has a character for every byte, so these are the file's
        own."""
        return [(row, cell.encode("latin-1")) for cell, row in self._rows.items()]


def _lines_of_cells(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not blank, as far as they can be read: what cannot is told later."""
    csv.field_size_limit(LONGEST_CELL)
    stream = io.StringIO(text, newline="")
    raw_lines = iter(lambda: stream.readline(4 * LONGEST_CELL), "")
    try:
        for row, cells in enumerate(csv.reader(raw_lines, delimiter=delimiter), 1):
            if any(cell.strip() for cell in cells):
                yield row, cells
    except csv.Error:
        return


def doubt(best: Reading, rival: Reading | None, rows: Sequence[int]) -> SpreadsheetError:
    """The question which of two readings is meant, shown where they differ."""
    if rival is None:
        place = next((n for n, text in enumerate(best.texts) if not text.isascii()), 0)
        shown = f"In {best.encoding} it would read {shortened(best.texts[place], _SHOWN)!r}"
        name = "NAME"
    else:
        pairs = zip(best.texts, rival.texts, strict=True)
        place = next(n for n, (text, other) in enumerate(pairs) if text != other)
        shown = (
            f"In {best.encoding} it would read {shortened(best.texts[place], _SHOWN)!r}, "
            f"in {rival.encoding} {shortened(rival.texts[place], _SHOWN)!r}"
        )
        name = best.encoding
    return SpreadsheetError(
        [
            Problem(
                f"is not in Unicode, and what it says is in doubt. {shown}. Name the encoding, as "
                f"in --encoding {name}, or save the file as UTF-8 (in Excel: "
                '"CSV UTF-8").',
                row=rows[place],
            )
        ]
    )


def refusal(message: str) -> SpreadsheetError:
    """The refusal of a file that `message` is said of."""
    return SpreadsheetError([Problem(message)])


def is_text(character: str) -> bool:
    """Whether a character is one that is written, and no control or unknown one."""
    return character in "\t\r\n" or unicodedata.category(character) not in ("Cc", "Cn", "Co", "Cs")
