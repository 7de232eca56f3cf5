"""Which encoding makes sense of a text, where it does not say how it is written.

A wrong letter in a prompt is paid for. So every encoding in which a file might be is tried, and one
is taken only if no other makes nearly as much sense of what would be sent; otherwise the user is
asked.

Scores are natural logarithms of how likely a text is in a language: the higher, the likelier.
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
"""What spreadsheet programs write that is no Unicode, by Python's name: what is added to its score,
as some are rarer than others, and the languages that are written in it, as Babel names them. The
first is Excel's in most of Europe and America; then what Excel writes elsewhere, and other
programs' and earlier times'."""

_CLEAR_LEAD: Final = 9.0
"""By how much the best score must exceed that of the next encoding that gives another text. Of 262
tables of one to ten short cells in 24 languages, one was read wrongly at 6 and none from 7 on; at 9
a quarter is asked about, nearly all of them of one cell."""

_LEAST_SCORE: Final = -7.5
_LEAST_EAST_ASIAN_SCORE: Final = -11.0
"""The score that the letters of a text have on average at least, if it makes sense: in languages
with few letters, and in those with thousands."""

_MOST_CELLS: Final = 2_000
_MOST_CHARACTERS: Final = 500
"""Different cells that are judged, and characters of each: more change nothing."""

_ENGLISH_PENALTY: Final = -2.0
"""Added to the score of an English word within another language: brands, and what is called so
everywhere."""

_SHOWN_LENGTH: Final = 50
"""Characters of a reading that a message shows."""


@dataclass(frozen=True)
class Reading:
    """What the cells would be in one encoding.

    Attributes:
        encoding: Python's name of it.
        texts: The cells.
        score: How likely they are in the likeliest language of that encoding.
        makes_sense: Whether their letters are likely enough that they may be what was written.
    """

    encoding: str
    texts: tuple[str, ...]
    score: float
    makes_sense: bool


def likeliest_encoding(
    content: bytes, known_columns: frozenset[str], possible: Sequence[str]
) -> str:
    """Python's name of the encoding that makes the most sense of what would be sent.

    Args:
        content: The file.
        known_columns: Names of columns that are sent; none if all are.
        possible: Keys of `ENCODINGS` in which the file can be decoded.

    Raises:
        SpreadsheetError: No encoding makes text of it; or more than one may be meant, or the best
            makes no sense, and the message shows one reading or two.
    """
    cells, other_cells = _sent_and_other_cells(content, known_columns)
    non_ascii = [(row, cell) for row, cell in cells if not cell.isascii()]
    judged = non_ascii or [(row, cell) for row, cell in other_cells if not cell.isascii()]
    # An id is in no language.
    context = [(n, c) for n, c in cells if c.isascii() and b"_" not in c]
    readings = _decode_in_each(possible, [c for _, c in judged], [c for _, c in context])
    if not readings:
        raise file_error(
            "The file is text in an encoding that is not known. Save it as UTF-8 (in Excel: "
            '"CSV UTF-8"), or name its encoding with --encoding NAME.'
        )
    best = readings[0]
    rivals = [each for each in readings[1:] if each.texts != best.texts]
    is_clear = best.makes_sense and (not rivals or best.score - rivals[0].score >= _CLEAR_LEAD)
    # If all that is sent is ASCII, a wrong letter costs nothing, and nobody is asked.
    if not non_ascii or is_clear:
        return best.encoding
    raise doubtful_encoding_error(best, rivals[0] if rivals else None, [row for row, _ in judged])


def _decode_in_each(
    possible: Sequence[str], judged: Sequence[bytes], context: Sequence[bytes]
) -> list[Reading]:
    """The cells in each of the possible encodings, the likeliest first; without those that give
    characters that nobody writes.

    Args:
        possible: Keys of `ENCODINGS`.
        judged: Cells that are not ASCII.
        context: Cells that are, whose words tell in which language the others may be.
    """
    ascii_words = [word for cell in context for word in words_of(cell.decode("ascii"))][
        :_MOST_CELLS
    ]
    readings = []
    for name in possible:
        texts = tuple(cell.decode(name, errors="replace") for cell in judged)
        if not all(map(is_text_character, set("".join(texts)))):
            continue
        first = texts[:_MOST_CELLS]
        words = [word for text in first for word in words_of(text[:_MOST_CHARACTERS])]
        prior_score, languages = ENCODINGS[name]
        score, language = max(
            (sum(_score_in_language(word, language) for word in (*words, *ascii_words)), language)
            for language in languages
        )
        non_ascii = [word for word in words if not word.isascii()]
        sense = sum(word_score(word, language) for word in non_ascii)
        letters = sum(len(word) + 1 for word in non_ascii) or 1
        least_score = _LEAST_EAST_ASIAN_SCORE if language[:2] in _EAST_ASIAN else _LEAST_SCORE
        readings.append(Reading(name, texts, score + prior_score, sense / letters >= least_score))
    return sorted(readings, key=lambda reading: -reading.score)


def _score_in_language(word: str, language: str) -> float:
    """The score of a word in a text of this language: a word of ASCII letters may be English, with
    a penalty, and in an East Asian language, so may parts of a word."""
    score = word_score(word, language)
    if language[:2] in _EAST_ASIAN:
        # There, words of ASCII letters stand beside signs without a space.
        parts = _ASCII_AND_OTHER_RUNS.findall(word)
        split = sum(word_score(part, "en" if part.isascii() else language) for part in parts)
        score = max(score, split + _ENGLISH_PENALTY)
    elif word.isascii() and language != "en":
        score = max(score, word_score(word, "en") + _ENGLISH_PENALTY)
    return score


_EAST_ASIAN: Final = frozenset(("ja", "zh", "ko"))
_ASCII_AND_OTHER_RUNS: Final = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]+")


def _sent_and_other_cells(
    content: bytes, known_columns: frozenset[str]
) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """The different cells that may be sent, and the others that will not be, each with the number
    of the first row that has it.

    Separators and quotes are ASCII, so the table is taken apart as if it were Latin-1, and a cell
    is given as its bytes.
    """
    text = content.decode("latin-1")
    filled_in = {column_key(name) for name in set(_PLACEHOLDER.findall(text))}
    separator, text = split_separator_line(text)
    delimiter = separator or likely_delimiter(text[: 4 * LONGEST_CELL], known_columns)
    lines = _readable_lines(text, delimiter)
    first_lines = list(islice(lines, TITLE_LINES + 2))
    header_row, header = layout_of(first_lines, known_columns).header
    names = [column_key(str(name)) for name in header]
    sent = filled_in | {column_key(name) for name in known_columns}
    is_sent = [not known_columns or name in sent for name in names]
    found = _DifferentCells(), _DifferentCells()  # sent, and other ones
    for row, cells in chain(first_lines, lines):
        for position, cell in enumerate(cells):
            if row <= header_row:
                # Titles are not sent, and of the columns' names those that a prompt has.
                name = names[position] if position < len(names) else ""
                may_be_sent = row == header_row and name in filled_in and is_sent[position]
            else:
                # A cell right of the header is sent.
                may_be_sent = position >= len(is_sent) or is_sent[position]
            found[0 if may_be_sent else 1].add(row, cell)
    return found[0].cells, found[1].cells


_PLACEHOLDER: Final = re.compile(r"\{([^{}\n]{1,100})\}")


class _DifferentCells:
    """Collects different cells with the first row that has each: all that are not ASCII, and so
    many of the others as are judged."""

    def __init__(self) -> None:
        self._ascii_count = 0
        self._rows: dict[str, int] = {}

    def add(self, row: int, cell: str) -> None:
        """Adds a cell, given its row's number, unless it is empty or there already."""
        if not cell or cell in self._rows:
            return
        if cell.isascii():
            self._ascii_count += 1
            if self._ascii_count > _MOST_CELLS:
                return
        self._rows[cell] = row

    @property
    def cells(self) -> list[tuple[int, bytes]]:
        """The number of its first row and the bytes of each cell. Latin-1 has a character for every
        byte, so these are the bytes of the file."""
        return [(row, cell.encode("latin-1")) for cell, row in self._rows.items()]


def _readable_lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with its number, up to the first one that is no CSV, which
    is reported when the table is read. Sets the csv module's limit for a cell."""
    csv.field_size_limit(LONGEST_CELL)
    stream = io.StringIO(text, newline="")
    raw_lines = iter(lambda: stream.readline(4 * LONGEST_CELL), "")
    try:
        for row, cells in enumerate(csv.reader(raw_lines, delimiter=delimiter), 1):
            if any(cell.strip() for cell in cells):
                yield row, cells
    except csv.Error:
        return


def doubtful_encoding_error(
    best: Reading, rival: Reading | None, rows: Sequence[int]
) -> SpreadsheetError:
    """The error that asks for the encoding, and shows where two readings differ.

    Args:
        best: The likeliest reading.
        rival: The next one that gives another text; None if there is none.
        rows: The number of the row of each of their texts.
    """
    if rival is None:
        nth = next((n for n, text in enumerate(best.texts) if not text.isascii()), 0)
        shown = f"In {best.encoding} it would read {shortened(best.texts[nth], _SHOWN_LENGTH)!r}"
        name = "NAME"
    else:
        pairs = zip(best.texts, rival.texts, strict=True)
        nth = next(n for n, (text, other) in enumerate(pairs) if text != other)
        shown = (
            f"In {best.encoding} it would read {shortened(best.texts[nth], _SHOWN_LENGTH)!r}, "
            f"in {rival.encoding} {shortened(rival.texts[nth], _SHOWN_LENGTH)!r}"
        )
        name = best.encoding
    return SpreadsheetError(
        [
            Problem(
                f"is not in Unicode, and what it says is in doubt. {shown}. Name the encoding, as "
                f"in --encoding {name}, or save the file as UTF-8 (in Excel: "
                '"CSV UTF-8").',
                row=rows[nth],
            )
        ]
    )


def file_error(message: str) -> SpreadsheetError:
    """The error with this message, which is said of the whole file."""
    return SpreadsheetError([Problem(message)])


def is_text_character(character: str) -> bool:
    """Whether a character is one that people write: no control or unassigned one, and no half."""
    return character in "\t\r\n" or unicodedata.category(character) not in ("Cc", "Cn", "Co", "Cs")
