"""Reads .xlsx and .xlsm of any writer: what is needed of it, and nothing else is looked at.

Programs disagree on much that a table does not need: fills, extensions, properties of the document,
the namespaces of "Strict Open XML". So elements are told by their local names, and parts by their
relationships.

The elements are those of SpreadsheetML (ECMA-376, part 1, chapter 18); parts and relationships are
those of the Open Packaging Conventions (part 2).
"""

from __future__ import annotations

import posixpath
import zipfile
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import IO

from prefect_staticadslab.campaign.files.formats.workbook_bounds import PartParser
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
        """A part, as a stream to be closed. Raises `KeyError` if it is missing."""
        return self._archive.open(self._infos[part_key(name)])

    def read(self, name: str) -> bytes:
        """A part's content. Raises `KeyError` if it is missing."""
        with self.open(name) as stream:
            return stream.read()

    def relationships(self, part: str) -> dict[str, tuple[str, str]]:
        """The relationships of a part, or, with "", of the whole workbook, to other parts.

        Returns:
            By the relationship's id, its type and the name of the part that it leads to. Of the
            type, which is a web address, only the last segment is given, such as `worksheet`.

        Raises:
            expat.ExpatError: They are no XML, or end too early.
        """
        folder, _, name = part.rpartition("/")
        rels_name = f"{folder}/_rels/{name}.rels".lstrip("/")
        if rels_name not in self:
            return {}
        parser = _RelationshipsParser(folder)
        with self.open(rels_name) as stream:
            parser.read_whole(stream)
        return parser.found

    @property
    def main_part(self) -> str:
        """The name of the part that lists the sheets; "" if there is none.

        Raises:
            expat.ExpatError: The workbook's relationships are no XML, or end too early.
        """
        for relationship_type, name in self.relationships("").values():
            if relationship_type == "officeDocument":
                return name
        return next((name for name in _USUAL_MAIN_PARTS if name in self), "")


_USUAL_MAIN_PARTS = ("xl/workbook.xml", "xl/workbook.bin")
"""What is looked for if no relationship leads to it."""


def part_key(name: str) -> str:
    """A part's name as names are compared: without regard to case, to a slash at its beginning, and
    to back-slashes, which some programs write."""
    return name.replace("\\", "/").lstrip("/").casefold()


class _RelationshipsParser(PartParser):
    """Reads relationships to parts of the workbook, and passes over those to the web.

    Args:
        folder: That of the part whose relationships they are.

    Attributes:
        found: By id, the last segment of the type, and the name of the part.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start_element
        self._folder = folder
        self.found: dict[str, tuple[str, str]] = {}

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        """Adds a relationship to `found`, unless it leads out of the workbook."""
        if name.rpartition(":")[2] == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "").replace("\\", "/")
            relationship_type = attributes.get("Type", "").rpartition("/")[2]
            path = posixpath.normpath(posixpath.join("/", self._folder, target))
            self.found[attributes.get("Id", "")] = (relationship_type, path.lstrip("/"))


class _WorkbookParser(PartParser):
    """Reads the part that lists the sheets.

    Attributes:
        sheets: Each one's name, the id of the relationship to its part, and whether it is visible.
        epoch_1904: Whether days are counted from 1904.
    """

    def __init__(self) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start_element
        self.sheets: list[tuple[str, str, bool]] = []
        self.epoch_1904 = False

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        """Adds a sheet to `sheets`, or sets `epoch_1904`."""
        match name.rpartition(":")[2]:
            case "sheet":
                ids = [v for k, v in attributes.items() if k.rpartition(":")[1:] == (":", "id")]
                is_visible = attributes.get("state", "visible") == "visible"
                self.sheets.append((attributes.get("name", ""), "".join(ids[:1]), is_visible))
            case "workbookPr":
                self.epoch_1904 = attributes.get("date1904") in TRUE


class _SharedTextsParser(PartParser):
    """Reads the texts that cells refer to by their numbers.

    Attributes:
        texts: The texts, by number; without phonetic guides, `rPh`.
        struck: The numbers of those of which a part is struck out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start_element
        self._parser.EndElementHandler = self._end_element
        self._parser.CharacterDataHandler = self._add_text
        self.texts: list[str] = []
        self.struck: set[int] = set()
        self._text_parts: list[str] = []
        self._is_text = self._is_phonetic = False

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        """Begins a shared text, a run of its characters or a phonetic guide; or adds the text that
        is read to `struck`."""
        match name.rpartition(":")[2]:
            case "si":
                self._text_parts = []
            case "strike" if is_on(attributes):
                self.struck.add(len(self.texts))
            case "t":
                self._is_text = True
            case "rPh":
                self._is_phonetic = True

    def _add_text(self, text: str) -> None:
        """Adds characters to the shared text that is read, unless they are a phonetic guide."""
        if self._is_text and not self._is_phonetic:
            self._text_parts.append(text)

    def _end_element(self, name: str) -> None:
        """Adds the shared text that ends to `texts`, or ends a run of characters."""
        match name.rpartition(":")[2]:
            case "si":
                self.texts.append(unescaped("".join(self._text_parts)))
            case "t":
                self._is_text = False
            case "rPh":
                self._is_phonetic = False


class _StylesParser(PartParser):
    """Reads the styles that cells refer to by their numbers: their number formats, and whether they
    strike a cell out."""

    def __init__(self) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start_element
        self._parser.EndElementHandler = self._end_element
        self._is_format_list = self._is_font_list = self._is_cell_list = False  # which is read
        self._formats: dict[str, str] = {}  # by id
        # For each style, by its number, the ids of its number format and of its font.
        self._format_ids: list[str] = []
        self._font_ids: list[str] = []
        self._fonts = 0
        self._struck_fonts: set[str] = set()

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        """Adds a number format, a font or a cell's style, or remembers which list of them begins.
        Such elements have other meanings in other lists."""
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

    def _end_element(self, name: str) -> None:
        """Forgets the list that ends."""
        match name.rpartition(":")[2]:
            case "numFmts":
                self._is_format_list = False
            case "fonts":
                self._is_font_list = False
            case "cellXfs":
                self._is_cell_list = False

    @property
    def struck_styles(self) -> frozenset[int]:
        """The numbers of the styles that strike a cell out."""
        return frozenset(n for n, i in enumerate(self._font_ids) if i in self._struck_fonts)

    @property
    def number_formats(self) -> tuple[str, ...]:
        """For each style, by its number, the number format; "" is General."""
        return tuple(
            self._formats.get(i)
            or built_in_format(int(i) if i.isascii() and i.isdigit() and len(i) < 4 else 0)  # noqa: PLR2004
            for i in self._format_ids
        )


@dataclass(frozen=True)
class _XlsxWorkbook:
    """A workbook, to read its sheets one by one.

    Attributes:
        parts: Its parts.
        texts: The shared texts, by number.
        number_formats: For each style, by its number, the number format; "" is General.
        struck_out: The styles and shared texts that are struck out.
        epoch_1904: Whether days are counted from 1904.
    """

    parts: Parts
    texts: tuple[str, ...]
    number_formats: tuple[str, ...]
    struck_out: StruckOut
    epoch_1904: bool

    def read_sheet(self, part: str) -> SheetCells:
        """Reads the cells of the sheet that is this part.

        Raises:
            SpreadsheetError: They are more than are read.
            KeyError, expat.ExpatError, zipfile.BadZipFile: The part is missing or broken.
        """
        with self.parts.open(part) as stream:
            return SheetParser(self.texts, self._value_of_number, self.struck_out).read_cells(
                stream
            )

    def _value_of_number(self, number: int | float, style: int) -> object:
        """A cell's number as what its style makes of it; see `number_value`."""
        known = 0 <= style < len(self.number_formats)
        number_format = self.number_formats[style] if known else ""
        if not number_format:
            return number
        return number_value(number, number_format, epoch_1904=self.epoch_1904)


def xlsx_sheets(parts: Parts) -> list[Sheet]:
    """The worksheets of an .xlsx, of which none is read yet.

    Raises:
        KeyError, expat.ExpatError, zipfile.BadZipFile: The file is broken.
    """
    main_part = parts.main_part
    workbook = _WorkbookParser()
    with parts.open(main_part) as stream:
        workbook.read_whole(stream)
    relationships = parts.relationships(main_part)
    part_of_type = dict(relationships.values())
    texts, styles = _SharedTextsParser(), _StylesParser()
    for relationship_type, parser in (("sharedStrings", texts), ("styles", styles)):
        if part_of_type.get(relationship_type, "") in parts:
            with parts.open(part_of_type[relationship_type]) as stream:
                parser.read_whole(stream)
    xlsx_workbook = _XlsxWorkbook(
        parts,
        tuple(texts.texts),
        styles.number_formats,
        StruckOut(styles.struck_styles, frozenset(texts.struck)),
        workbook.epoch_1904,
    )
    return [
        Sheet(name, is_visible, partial(xlsx_workbook.read_sheet, part))
        for name, relationship_id, is_visible in workbook.sheets
        for relationship_type, part in [relationships.get(relationship_id, ("", ""))]
        if relationship_type == "worksheet"
    ]
