"""How an .xlsx holds texts: which characters its XML cannot hold, which it writes as `_x0041_`,
which texts are links, and how wide a column is for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

LONGEST_LINK: Final = 2_079
"""Characters of an address that Excel opens; with a longer one it calls the file broken."""

_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no XML holds: a file with them can be read by nobody."""

_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_WOULD_BE_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
"""What spreadsheet programs take for a character's number (ECMA-376, part 1, 22.9.2.19), and the
`_` that begins it."""

_WEB_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?([/?#][!#-;=?-Z_a-z~]*)?")
"""Of characters that an address may have as they are."""

_KNOWN_TEXTS: Final = 16_384
"""Texts of which it is remembered whether they are addresses, for a table is written often."""

NARROWEST: Final = 9.0
WIDEST: Final = 44.0
_FILTER_BUTTON_WIDTH: Final = 4
"""Widths of columns, and of the button beside a column's name, in characters."""

_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
"""A percent sign that begins no escaped character."""


def cell_string(text: str) -> str:
    """A text as XlsxWriter's `write_string` must be given it to be read again as it is; characters
    that no XML holds are left out, and line ends become line feeds.

    XlsxWriter takes what lies between `<r>` and `</r>` for XML, and escapes only some of what
    spreadsheet programs read as an escape. So such texts are handed over as XML.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.formats.xlsx_text import cell_string

        assert cell_string("Iced\\x07 Tea\\r\\n") == "Iced Tea\\n"
        assert cell_string("<r>5</r>").startswith("<r><t")
        ```
    """
    if text.isprintable() and "_x" not in text and not text.startswith("<r>"):
        return text
    text = _NOT_IN_XML.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if not _ESCAPE.search(text) and not (text.startswith("<r>") and text.endswith("</r>")):
        return text
    # XlsxWriter escapes `_xHHHH_` once more, also in XML; it does not see `&#95;` as an underscore.
    xml = escape(_WOULD_BE_ESCAPE.sub("_x005F_", text)).replace("_", "&#95;")
    return f'<r><t xml:space="preserve">{xml}</t></r>'


def length_in_excel(text: str) -> int:
    """How many characters Excel counts in a text, which are units of UTF-16: two for a character
    beyond the first 65,536."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


@lru_cache(_KNOWN_TEXTS)
def can_be_link(text: str) -> bool:
    """Whether a text is one web address, of a kind that every spreadsheet program takes.

    A link that is not well formed makes Excel call the whole file broken.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.formats.xlsx_text import can_be_link

        assert can_be_link("https://cdn.example/a.png?size=2#top")
        assert not can_be_link("https://cdn.example/a b.png")
        ```
    """
    if len(text) > LONGEST_LINK or not _WEB_ADDRESS.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname and parts.port != 0 and not _BAD_PERCENT.search(text))
    except ValueError:  # a port that there is not
        return False


def sensible_width(name: str, texts: Iterable[str]) -> float:
    """How wide a column should be for its name and these texts, in characters: their longest line,
    between `NARROWEST` and `WIDEST`."""
    lines = (line for text in texts for line in text[: 10 * int(WIDEST)].split("\n"))
    longest = max((len(line) for line in lines), default=0)
    return min(WIDEST, max(NARROWEST, len(name) + _FILTER_BUTTON_WIDTH, longest + 1))
