"""How the text of a file is encoded: as it says itself, as a person says, or as it makes sense."""

from __future__ import annotations

import codecs
import io
import unicodedata
from dataclasses import dataclass, replace
from typing import Final

from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.files.formats.encoding_by_sense import (
    ENCODINGS,
    Reading,
    doubtful_encoding_error,
    file_error,
    is_text_character,
    likeliest_encoding,
)
from prefect_staticadslab.campaign.files.formats.letter_evidence import words_of

_BLOCK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class FoundEncoding:
    """How a file's text is encoded.

    Attributes:
        name: Python's name of it.
        byte_order_mark: Whether the result table, which is UTF-8, should begin with a byte-order
            mark, for Excel.
        notes: What was chosen, for people.
    """

    name: str
    byte_order_mark: bool
    notes: tuple[str, ...] = ()

    def head(self, content: bytes, length: int) -> str:
        """The text of the first `length` bytes, without a character that these cut."""
        return content[:length].decode(self.name, errors="ignore")

    def open(self, content: bytes) -> io.TextIOWrapper:
        """A stream of the text, to be read line by line: all of it at once may take four times the
        file's size."""
        return io.TextIOWrapper(io.BytesIO(content), self.name, newline="")


def named_encoding(content: bytes, name: str) -> FoundEncoding:
    """The encoding that a person names, unless the text is certainly Unicode; then that one.

    A schedule names it for good, and one day somebody saves the file as UTF-8.

    Raises:
        SpreadsheetError: There is none of this name, or the file cannot be decoded with it.
    """
    try:
        # Python's codecs that are not for text may turn a small file into a large one.
        info = codecs.lookup(name.strip())
        "".encode(info.name)
    except (LookupError, ValueError):
        known = ", ".join(["utf-8", "utf-16", *ENCODINGS])
        raise file_error(
            f"There is no encoding {shortened(name)!r}. There are, for example: {known}."
        ) from None
    marks = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE}
    marks["utf-16-be"] = codecs.BOM_UTF16_BE
    python_name = info.name
    if not python_name.startswith("utf") and (unicode := _certain_unicode_encoding(content)):
        note = f"encoding {unicode.name.removesuffix('-sig')}, though {info.name} was named"
        return replace(unicode, notes=(note,))
    if content.startswith(marks.get(python_name, b"\xff\xff\xff")):
        python_name = "utf-8-sig" if python_name == "utf-8" else "utf-16"
    if not _can_decode(content, python_name):
        raise file_error(
            f"The file is not written in {info.name}. Leave --encoding out, or name another one."
        )
    return FoundEncoding(python_name, python_name != "utf-8", (f"encoding {info.name}, as named",))


def detect_encoding(
    content: bytes, known_columns: frozenset[str], *, is_ours: bool = False
) -> FoundEncoding:
    """The encoding of a text file for which nobody names one.

    Args:
        content: The file.
        is_ours: Whether it is a table that we write: if it can be decoded as UTF-8, it is UTF-8.
        known_columns: Names of columns that are sent; the text of others need not be certain.

    Raises:
        SpreadsheetError: It is no text, or it is not certain in which encoding. The message then
            shows two readings.
    """
    if unicode := _unicode_encoding(content, is_ours=is_ours):
        return unicode
    _check_mixed_utf8(content)
    possible = [name for name in ENCODINGS if _can_decode(content, name)]
    name = likeliest_encoding(content, known_columns, possible)
    return FoundEncoding(name, byte_order_mark=True, notes=(f"encoding {name}",))


def _unicode_encoding(content: bytes, *, is_ours: bool) -> FoundEncoding | None:
    """The encoding of a text that is in Unicode; None if it is not.

    Raises:
        SpreadsheetError: It is no text, though it has a byte-order mark or zero bytes; or, unless
            it is ours, it may be in Unicode by accident.
    """
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            if not _can_decode(content, name):
                raise file_error(f"The file says that it is {name} text, and is not.")
            notes = () if name == "utf-8-sig" else (f"encoding {name}",)
            return FoundEncoding(name, byte_order_mark=True, notes=notes)
    if b"\x00" in content:
        return _encoding_without_mark(content)
    if _can_decode(content, "utf-8"):
        if not is_ours:
            _check_accidental_utf8(content)
        return FoundEncoding("utf-8", byte_order_mark=False)
    return None


def _certain_unicode_encoding(content: bytes) -> FoundEncoding | None:
    """The encoding of a text that is certainly Unicode, and more than ASCII; None of others."""
    if content.isascii() and b"\x00" not in content:
        return None
    try:
        return _unicode_encoding(content, is_ours=False)
    except SpreadsheetError:
        return None


def _encoding_without_mark(content: bytes) -> FoundEncoding:
    """The encoding of a text in UTF-16 or UTF-32 that has no byte-order mark.

    Args:
        content: A file with a zero byte, as these have in each ASCII character.

    Raises:
        SpreadsheetError: It is neither.
    """
    for name in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        if not _can_decode(content, name):
            continue
        head = content[:_BLOCK_BYTES].decode(name, errors="ignore")
        if "\n" in head.replace("\r", "\n") and all(map(is_text_character, set(head))):
            return FoundEncoding(name, byte_order_mark=True, notes=(f"encoding {name}",))
    raise file_error("The file is no spreadsheet that we know, nor text.")


def _can_decode(content: bytes, encoding: str) -> bool:
    """Whether all of a file is valid in an encoding; it is decoded block by block."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(content), _BLOCK_BYTES):
            decoder.decode(content[start : start + _BLOCK_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _check_accidental_utf8(content: bytes) -> None:
    """Raises if a file may be UTF-8 by accident: a few Chinese signs in GB 18030 may be valid
    UTF-8, which then has words of mixed scripts.

    Raises:
        SpreadsheetError: It may; the message shows both readings.
    """
    if content.isascii() or len(content) > _BLOCK_BYTES or not _can_decode(content, "gb18030"):
        return
    text, other = content.decode("utf-8"), content.decode("gb18030")
    scripts = [
        {unicodedata.name(c, "").partition(" ")[0] for c in word if c > "\x7f" and c.isalpha()}
        for word in words_of(text)
    ]
    is_odd = any(len(names) > 1 and "LATIN" not in names for names in scripts)
    if not is_odd or any("\x7f" < letter < "\u3000" for letter in other):
        return
    utf8 = Reading("utf-8", tuple(text.splitlines()), 0.0, makes_sense=False)
    chinese = Reading("gb18030", tuple(other.splitlines()), 0.0, makes_sense=False)
    if len(utf8.texts) == len(chinese.texts):
        raise doubtful_encoding_error(utf8, chinese, range(1, len(utf8.texts) + 1))


def _check_mixed_utf8(content: bytes) -> None:
    """Raises if most of a file's lines that are not ASCII are UTF-8, and others are not.

    Raises:
        SpreadsheetError: It is so; the message names the first line that is not.
    """
    good, bad, first = 0, 0, 0
    for number, line in enumerate(io.BytesIO(content), 1):
        if line.isascii():
            continue
        if _can_decode(line, "utf-8"):
            good += 1
        else:
            bad += 1
            first = first or number
    if good > bad:
        more = f" and {bad - 1:,} more" if bad > 1 else ""
        raise file_error(
            f"The file is UTF-8 text except for line {first}{more}: it was put together from "
            "several files, perhaps. Write that line anew, or name the encoding of the whole file "
            "with --encoding NAME."
        )
