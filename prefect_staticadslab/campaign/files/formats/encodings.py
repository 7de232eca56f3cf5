"""How the text of a file is encoded: what it says itself, or what leaves no doubt.

A byte that is no ASCII is one letter in Western Europe, another one in Poland, and half of one in
Japan. A wrong letter in a prompt is paid for. So unless a file is in Unicode, every encoding in
which it might be is tried, and one is taken only if no other makes nearly as much sense of what
would be sent; otherwise the user is asked.
"""

from __future__ import annotations

import codecs
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
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.files.formats.delimiters import (
    likely_delimiter,
    split_separator_line,
)
from prefect_staticadslab.campaign.files.formats.letter_evidence import word_score, words_of
from prefect_staticadslab.campaign.files.formats.table_layout import (
    TITLE_LINES,
    column_key,
    layout_of,
)

_BLOCK: Final = 1024 * 1024

_WESTERN: Final = ("en", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "nb", "fi", "is", "ca")
_CENTRAL: Final = ("pl", "cs", "sk", "hu", "ro", "hr", "sl", "sq", "de")
_CYRILLIC: Final = ("ru", "uk", "bg", "be", "sr_Cyrl", "mk")

_ENCODINGS: Final[dict[str, tuple[float, tuple[str, ...]]]] = {
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
class FoundEncoding:
    """How a file's text is encoded.

    Attributes:
        name: Python's name of it.
        byte_order_mark: Whether a copy should have a byte-order mark for Excel.
        notes: What was chosen, for people.
    """

    name: str
    byte_order_mark: bool
    notes: tuple[str, ...] = ()

    def head(self, content: bytes, length: int) -> str:
        """The beginning of the text, of so many bytes."""
        return content[:length].decode(self.name, errors="ignore")

    def open(self, content: bytes) -> io.TextIOWrapper:
        """The text, line by line: all of it at once may take four times the file's size."""
        return io.TextIOWrapper(io.BytesIO(content), self.name, newline="")


def encoding_named(content: bytes, name: str) -> FoundEncoding:
    """The encoding that a person names.

    Raises:
        SpreadsheetError: There is none of this name, or the file is not written in it.
    """
    try:
        # Others than those of text may turn a small file into a large one.
        info = codecs.lookup(name.strip())
        "".encode(info.name)
    except (LookupError, ValueError):
        known = ", ".join(["utf-8", "utf-16", *_ENCODINGS])
        raise _refusal(
            f"There is no encoding {shortened(name)!r}. There are, for example: {known}."
        ) from None
    marks = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE}
    marks["utf-16-be"] = codecs.BOM_UTF16_BE
    python_name = info.name
    if content.startswith(marks.get(python_name, b"\xff\xff\xff")):
        python_name = "utf-8-sig" if python_name == "utf-8" else "utf-16"
    if not _is_encoded(content, python_name):
        raise _refusal(
            f"The file is not written in {info.name}. Leave --encoding out, or name another one."
        )
    return FoundEncoding(python_name, python_name != "utf-8", (f"encoding {info.name}, as named",))


def encoding_of(content: bytes, known_columns: frozenset[str]) -> FoundEncoding:
    """The encoding of a text file.

    Args:
        content: The file.
        known_columns: Names of columns that are sent; no others need to be beyond doubt.

    Raises:
        SpreadsheetError: It is no text, or there is doubt. The message shows two readings.
    """
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            if not _is_encoded(content, name):
                raise _refusal(f"The file says that it is {name} text, and is not.")
            notes = () if name == "utf-8-sig" else (f"encoding {name}",)
            return FoundEncoding(name, byte_order_mark=True, notes=notes)
    if b"\x00" in content:
        return _wide_encoding(content)
    if _is_encoded(content, "utf-8"):
        _refuse_odd_utf8(content)
        return FoundEncoding("utf-8", byte_order_mark=False)
    _refuse_broken_utf8(content)
    return _encoding_by_sense(content, known_columns)


def _wide_encoding(content: bytes) -> FoundEncoding:
    """UTF-16 or UTF-32 without its mark: of its spaces and commas, every other byte is zero."""
    for name in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        if not _is_encoded(content, name):
            continue
        head = content[:_BLOCK].decode(name, errors="ignore")
        if "\n" in head.replace("\r", "\n") and all(map(_is_text, set(head))):
            return FoundEncoding(name, byte_order_mark=True, notes=(f"encoding {name}",))
    raise _refusal("The file is no spreadsheet that we know, nor text.")


def _is_text(character: str) -> bool:
    return character in "\t\r\n" or unicodedata.category(character) not in ("Cc", "Cn", "Co", "Cs")


def _is_encoded(content: bytes, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(content), _BLOCK):
            decoder.decode(content[start : start + _BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _refuse_odd_utf8(content: bytes) -> None:
    """Raises if a file is UTF-8 by accident: a few Chinese signs may be letters of all sorts."""
    if content.isascii() or len(content) > _BLOCK or not _is_encoded(content, "gb18030"):
        return
    text, other = content.decode("utf-8"), content.decode("gb18030")
    if any(letter > "\u07ff" for letter in text) or not any(
        len({unicodedata.name(c, "").partition(" ")[0] for c in word if c > "\x7f"}) > 1
        for word in words_of(text)
    ):
        return
    utf8 = _Reading("utf-8", tuple(text.splitlines()), 0.0, makes_sense=False)
    chinese = _Reading("gb18030", tuple(other.splitlines()), 0.0, makes_sense=False)
    if len(utf8.texts) == len(chinese.texts):
        raise _doubt(utf8, chinese, range(1, len(utf8.texts) + 1))


def _refuse_broken_utf8(content: bytes) -> None:
    """Raises if a file is UTF-8 in most of its lines that are no ASCII, and in some is not."""
    good, bad, first = 0, 0, 0
    for number, line in enumerate(io.BytesIO(content), 1):
        if line.isascii():
            continue
        if _is_encoded(line, "utf-8"):
            good += 1
        else:
            bad += 1
            first = first or number
    if good > bad:
        more = f" and {bad - 1:,} more" if bad > 1 else ""
        raise _refusal(
            f"The file is UTF-8 text except for line {first}{more}: it was put together from "
            "several files, perhaps. Write that line anew, or name the encoding of the whole file "
            "with --encoding NAME."
        )


@dataclass(frozen=True)
class _Reading:
    """What the cells would be in one encoding."""

    encoding: str
    texts: tuple[str, ...]
    score: float
    makes_sense: bool


def _encoding_by_sense(content: bytes, known_columns: frozenset[str]) -> FoundEncoding:
    possible = [name for name in _ENCODINGS if _is_encoded(content, name)]
    cells, others = _cells(content, known_columns)
    sent = [row_cell for row_cell in cells if not row_cell[1].isascii()]
    judged = sent or [row_cell for row_cell in others if not row_cell[1].isascii()]
    # An id is in no language.
    context = [(n, c) for n, c in cells if c.isascii() and b"_" not in c]
    readings = _readings(possible, [c for _, c in judged], [c for _, c in context])
    if not readings:
        raise _refusal(
            "The file is text in an encoding that is not known. Save it as UTF-8 (in Excel: "
            '"CSV UTF-8"), or name its encoding with --encoding NAME.'
        )
    best = readings[0]
    note = (f"encoding {best.encoding}",)
    rivals = [each for each in readings[1:] if each.texts != best.texts]
    is_clear = best.makes_sense and (not rivals or best.score - rivals[0].score >= _NO_DOUBT)
    if not sent or is_clear:
        return FoundEncoding(best.encoding, byte_order_mark=True, notes=note)
    raise _doubt(best, rivals[0] if rivals else None, [row for row, _ in judged])


def _readings(
    possible: Sequence[str], judged: Sequence[bytes], context: Sequence[bytes]
) -> list[_Reading]:
    """What the cells are in each encoding that is possible, the likeliest first."""
    plain = [word for cell in context for word in words_of(cell.decode("ascii"))][:_CELLS_JUDGED]
    readings = []
    for name in possible:
        texts = tuple(cell.decode(name, errors="replace") for cell in judged)
        if not all(map(_is_text, set("".join(texts)))):
            continue
        first = texts[:_CELLS_JUDGED]
        words = [word for text in first for word in words_of(text[:_CELL_LENGTH])]
        beforehand, languages = _ENCODINGS[name]
        score, language = max(
            (sum(_score(word, language) for word in (*words, *plain)), language)
            for language in languages
        )
        telling = [word for word in words if not word.isascii()]
        sense = sum(word_score(word, language) for word in telling)
        letters = sum(len(word) + 1 for word in telling) or 1
        floor = _EAST_ASIAN_SENSE if language[:2] in ("ja", "zh", "ko") else _SENSE
        readings.append(_Reading(name, texts, score + beforehand, sense / letters >= floor))
    return sorted(readings, key=lambda reading: -reading.score)


def _score(word: str, language: str) -> float:
    """How likely a word is; one of plain letters may be English in any language."""
    score = word_score(word, language)
    if word.isascii() and language != "en":
        score = max(score, word_score(word, "en") + _FOREIGN)
    return score


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
    is_sent = [not known_columns or name in known_columns | filled_in for name in names]
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


def _doubt(best: _Reading, rival: _Reading | None, rows: Sequence[int]) -> SpreadsheetError:
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


def _refusal(message: str) -> SpreadsheetError:
    return SpreadsheetError([Problem(message)])
