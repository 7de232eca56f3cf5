"""Reads .xlsx and .xlsm of any writer: what is needed of it, and nothing else is looked at.

Programs disagree on much that a table does not need: fills, extensions, properties of the document,
the namespaces of "Strict Open XML". So elements are told by their local names, and parts by their
relationships.
"""

from __future__ import annotations

import posixpath
import zipfile
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import IO

from prefect_staticadslab.campaign.files.formats.workbook_bounds import Parser
from prefect_staticadslab.campaign.files.formats.workbooks.excel_values import (
    built_in_format,
    number_value,
)
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import Sheet, SheetCells
from prefect_staticadslab.campaign.files.formats.workbooks.xlsx_sheet import (
    TRUE,
    SheetParser,
    StruckOut,
    is_on,
    unescaped,
)


class Parts:
    """The parts of a workbook by their names, however a program wrote these.

    Args:
        content: The file, a ZIP that `check_archive` has let pass.
    """

    def __init__(self, content: bytes) -> None:
        self._archive = zipfile.ZipFile(BytesIO(content))
        self._infos = {part_key(info.filename): info for info in self._archive.infolist()}

    def __contains__(self, name: str) -> bool:
        return part_key(name) in self._infos

    def open(self, name: str) -> IO[bytes]:
        """A part. Raises `KeyError` if it is missing."""
        return self._archive.open(self._infos[part_key(name)])

    def read(self, name: str) -> bytes:
        """A part's content. Raises `KeyError` if it is missing."""
        with self.open(name) as stream:
            return stream.read()

    def relationships(self, of: str) -> dict[str, tuple[str, str]]:
        """What a part leads to, by its id: the last word of the kind, and the part's name."""
        folder, _, name = of.rpartition("/")
        where = f"{folder}/_rels/{name}.rels".lstrip("/")
        if where not in self:
            return {}
        parser = _Relationships(folder)
        with self.open(where) as stream:
            parser.read_whole(stream)
        return parser.found

    @property
    def main(self) -> str:
        """The part that lists the sheets; "" if there is none."""
        for kind, name in self.relationships("").values():
            if kind == "officeDocument":
                return name
        return next((name for name in _USUAL_MAIN if name in self), "")


_USUAL_MAIN = ("xl/workbook.xml", "xl/workbook.bin")


def part_key(name: str) -> str:
    """A part's name as it is compared: some programs write it with back-slashes."""
    return name.replace("\\", "/").lstrip("/").casefold()


class _Relationships(Parser):
    def __init__(self, folder: str) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start
        self._folder = folder
        self.found: dict[str, tuple[str, str]] = {}

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "").replace("\\", "/")
            kind = attributes.get("Type", "").rpartition("/")[2]
            path = posixpath.normpath(posixpath.join("/", self._folder, target))
            self.found[attributes.get("Id", "")] = (kind, path.lstrip("/"))


class _Workbook(Parser):
    """The sheets' names, ids and states."""

    def __init__(self) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start
        self.sheets: list[tuple[str, str, bool]] = []
        self.epoch_1904 = False

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "sheet":
                ids = [v for k, v in attributes.items() if k.rpartition(":")[1:] == (":", "id")]
                is_visible = attributes.get("state", "visible") == "visible"
                self.sheets.append((attributes.get("name", ""), "".join(ids[:1]), is_visible))
            case "workbookPr":
                self.epoch_1904 = attributes.get("date1904") in TRUE


class _SharedTexts(Parser):
    def __init__(self) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self.texts: list[str] = []
        self.struck: set[int] = set()
        self._parts: list[str] = []
        self._is_text = self._is_phonetic = False

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "si":
                self._parts = []
            case "strike" if is_on(attributes):
                self.struck.add(len(self.texts))
            case "t":
                self._is_text = True
            case "rPh":
                self._is_phonetic = True

    def _text(self, text: str) -> None:
        if self._is_text and not self._is_phonetic:
            self._parts.append(text)

    def _end(self, name: str) -> None:
        match name.rpartition(":")[2]:
            case "si":
                self.texts.append(unescaped("".join(self._parts)))
            case "t":
                self._is_text = False
            case "rPh":
                self._is_phonetic = False


class _Styles(Parser):
    """The number format of each style that a cell may name, and whether it strikes it out."""

    def __init__(self) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._is_format_list = self._is_font_list = self._is_cell_list = False
        self._formats: dict[str, str] = {}
        self._format_ids: list[str] = []
        self._font_ids: list[str] = []
        self._fonts = 0
        self._struck_fonts: set[str] = set()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "numFmts":
                self._is_format_list = True
            case "fonts":
                self._is_font_list = True
            case "cellXfs":
                self._is_cell_list = True
            case "numFmt" if self._is_format_list:
                self._formats[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
            case "font" if self._is_font_list:
                self._fonts += 1
            case "strike" if self._is_font_list and is_on(attributes):
                self._struck_fonts.add(str(self._fonts - 1))
            case "xf" if self._is_cell_list:
                self._format_ids.append(attributes.get("numFmtId", "0"))
                self._font_ids.append(attributes.get("fontId", "0"))

    def _end(self, name: str) -> None:
        match name.rpartition(":")[2]:
            case "numFmts":
                self._is_format_list = False
            case "fonts":
                self._is_font_list = False
            case "cellXfs":
                self._is_cell_list = False

    @property
    def struck_styles(self) -> frozenset[int]:
        """The styles that strike a cell out."""
        return frozenset(n for n, i in enumerate(self._font_ids) if i in self._struck_fonts)

    @property
    def number_formats(self) -> tuple[str, ...]:
        """The number format of each of the cells' styles, in the order by which cells refer to
        them."""
        return tuple(
            self._formats.get(i)
            or built_in_format(int(i) if i.isascii() and i.isdigit() and len(i) < 4 else 0)  # noqa: PLR2004
            for i in self._format_ids
        )


@dataclass(frozen=True)
class _Book:
    """What all sheets of a workbook share."""

    parts: Parts
    texts: tuple[str, ...]
    number_formats: tuple[str, ...]
    struck_out: StruckOut
    epoch_1904: bool

    def read_sheet(self, part: str) -> SheetCells:
        with self.parts.open(part) as stream:
            return SheetParser(self.texts, self._value, self.struck_out).read_cells(stream)

    def _value(self, number: int | float, style: int) -> object:
        known = 0 <= style < len(self.number_formats)
        number_format = self.number_formats[style] if known else ""
        if not number_format:
            return number
        return number_value(number, number_format, epoch_1904=self.epoch_1904)


def xlsx_sheets(parts: Parts) -> list[Sheet]:
    """The sheets of an .xlsx, of which none is read yet.

    Raises:
        KeyError, expat.ExpatError, zipfile.BadZipFile: The file is broken.
    """
    main = parts.main
    workbook = _Workbook()
    with parts.open(main) as stream:
        workbook.read_whole(stream)
    relationships = parts.relationships(main)
    by_kind = dict(relationships.values())
    texts, styles = _SharedTexts(), _Styles()
    for kind, parser in (("sharedStrings", texts), ("styles", styles)):
        if by_kind.get(kind, "") in parts:
            with parts.open(by_kind[kind]) as stream:
                parser.read_whole(stream)
    book = _Book(
        parts,
        tuple(texts.texts),
        styles.number_formats,
        StruckOut(styles.struck_styles, frozenset(texts.struck)),
        workbook.epoch_1904,
    )
    return [
        Sheet(name, is_visible, partial(book.read_sheet, part))
        for name, identifier, is_visible in workbook.sheets
        for kind, part in [relationships.get(identifier, ("", ""))]
        if kind == "worksheet"
    ]
