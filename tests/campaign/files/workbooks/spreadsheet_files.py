"""Workbooks as other programs write them, made by hand: no library of ours writes such."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

KEPT = Path(__file__).parent / "kept"
"""What no code here can make: files .xls, such as `ads.xls`, which LibreOffice has written."""

HEADER = ["design_template_id", "brand_id", "product_id", "audience_id", "prompt", "price"]
ROWS = [
    ["dt_1", "brand_1", "prod_1", "aud_1", "First", 12.5],
    ["dt_2", "brand_1", "prod_1", "aud_1", "007", 7],
]
_TRANSITIONAL = "http://schemas.openxmlformats.org"
_STRICT = "http://purl.oclc.org/ooxml"


def sheet_rows(*lines: Sequence[object], first: int = 1, attributes: str = "") -> str:
    """The XML of rows, given their cells; None is no cell."""
    made = []
    for number, line in enumerate(lines, first):
        cells = "".join(
            f'<c r="{chr(65 + n)}{number}" t="inlineStr"><is><t>{value}</t></is></c>'
            if isinstance(value, str)
            else f'<c r="{chr(65 + n)}{number}"><v>{value}</v></c>'
            for n, value in enumerate(line)
            if value is not None
        )
        made.append(f'<row r="{number}"{attributes}>{cells}</row>')
    return "".join(made)


ADS = sheet_rows(HEADER, *ROWS)


def xlsx(
    *sheets: tuple[str, str, str],
    strict: bool = False,
    separator: str = "/",
    styles: str | None = None,
    workbook: str = "",
    head: str = "",
    foot: str = "",
    **parts: str,
) -> bytes:
    """An .xlsx.

    Args:
        sheets: The name, the state and the rows' XML of each.
        strict: Whether its namespaces are those of Strict Open XML.
        separator: Between the folders in the parts' names.
        styles: Its part of styles, if it has one.
        workbook: What stands before the list of sheets.
        head: What stands before the rows.
        foot: What stands after them.
        parts: Further ones.
    """
    base = _STRICT if strict else _TRANSITIONAL
    suffix = "" if strict else "/2006"
    main = f"{base}/spreadsheetml{suffix}/main"
    rels = f"{base}/officeDocument{suffix}/relationships"
    package = f"{_TRANSITIONAL}/package/2006/relationships"
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n}" state="{state}" r:id="rId{n}"/>'
        for n, (name, state, _) in enumerate(sheets, 1)
    )
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{rels}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    if styles is not None:
        links += f'<Relationship Id="rIdS" Type="{rels}/styles" Target="styles.xml"/>'
    made = {
        "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="a" '
        f'Type="{rels}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{rels}">{workbook}'
        f"<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}">{links}</Relationships>',
        **{
            f"xl/worksheets/sheet{n}.xml": f'<worksheet xmlns="{main}">{head}'
            f"<sheetData>{rows}</sheetData>{foot}</worksheet>"
            for n, (_, _, rows) in enumerate(sheets, 1)
        },
        **parts,
    }
    if styles is not None:
        made["xl/styles.xml"] = f'<styleSheet xmlns="{main}">{styles}</styleSheet>'
    return packed({name.replace("/", separator): text for name, text in made.items()})


def packed(parts: dict[str, str] | dict[str, bytes]) -> bytes:
    """A ZIP of these parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def ods(*tables: str, styles: str = "", doctype: str = "") -> bytes:
    """An .ods, given the XML of its tables."""
    return packed(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": f'<?xml version="1.0"?>{doctype}<office:document-content '
            'xmlns:office="o" xmlns:table="t" xmlns:text="x" xmlns:style="s" xmlns:calcext="c">'
            f"<office:automatic-styles>{styles}</office:automatic-styles><office:body>"
            f"<office:spreadsheet>{''.join(tables)}</office:spreadsheet></office:body>"
            "</office:document-content>",
        }
    )


def ods_cell(text: str, kind: str = "string", more: str = "") -> str:
    """A cell of an .ods."""
    return (
        f'<table:table-cell office:value-type="{kind}" {more}><text:p>{text}</text:p>'
        "</table:table-cell>"
    )


def ods_table(*rows: str, name: str = "Ads", style: str = "a") -> str:
    """A table of an .ods, given its rows' cells; one that begins with `<table:table-row` is whole.

    The header of ads comes first.
    """
    lines = ["".join(map(ods_cell, HEADER)), *rows]
    inner = "".join(
        line
        if line.startswith("<table:table-row")
        else f"<table:table-row>{line}</table:table-row>"
        for line in lines
    )
    return f'<table:table table:name="{name}" table:style-name="{style}">{inner}</table:table>'


def xlsb(
    *lines: Sequence[object],
    hidden: Sequence[int] = (),
    size: int = 0,
    formats: Sequence[str] = (),
    is_1904: bool = False,
    merged: Sequence[tuple[int, int, int, int]] = (),
    struck: Sequence[int] = (),
) -> bytes:
    """An .xlsb, given its cells; a text such as `#REF!` is that error.

    Args:
        lines: Of cells: texts, and numbers; bytes are a number packed into four of them.
        hidden: Rows that are hidden, counted from 1.
        size: How many rows and columns it says that it has.
        formats: Number formats; the cells of each line have them in turn, from its first number on.
        is_1904: Whether its days are counted from 1904.
        merged: The first and the last row, and column, of cells that are merged, counted from 0.
        struck: Rows whose texts are struck out, counted from 1.
    """
    sheet = _record(129) + _record(148, struct.pack("<4I", 0, size, 0, size)) + _record(145)
    for row, line in enumerate(lines):
        flags = 0x10 if row + 1 in hidden else 0
        sheet += _record(0, struct.pack("<IIHBBI", row, 0, 300, 0, flags, 0) + bytes(1))
        styles = iter(range(1, len(formats) + 1))
        for column, value in enumerate(line):
            of_text = len(formats) + 1 if row + 1 in struck else 0
            style = of_text if isinstance(value, str) or value is None else next(styles, 0)
            place = struct.pack("<II", column, style)
            if isinstance(value, bytes):
                sheet += _record(2, place + value)
            elif value == "#REF!":
                sheet += _record(3, place + b"\x17")
            elif isinstance(value, str):
                sheet += _record(6, place + _wide(value))
            elif isinstance(value, int | float):
                sheet += _record(5, place + struct.pack("<d", value))
    sheet += _record(146) + b"".join(_record(176, struct.pack("<4I", *each)) for each in merged)
    sheet += _record(130)
    bundle = _record(156, struct.pack("<II", 0, 1) + _wide("rId1") + _wide("Ads"))
    book = (
        _record(131)
        + _record(153, bytes([is_1904]) + bytes(11))
        + _record(143)
        + bundle
        + _record(144)
    )
    rels = f"{_TRANSITIONAL}/officeDocument/2006/relationships"
    link = '<Relationship Id="{}" Type="{}/{}" Target="{}"/>'
    relationships = '<Relationships xmlns="a">{}</Relationships>'
    return packed(
        {
            "_rels/.rels": relationships.format(
                link.format("a", rels, "officeDocument", "xl/workbook.bin")
            ).encode(),
            "xl/workbook.bin": book + _record(132),
            "xl/_rels/workbook.bin.rels": relationships.format(
                link.format("rId1", rels, "worksheet", "worksheets/sheet1.bin")
                + link.format("rId2", rels, "styles", "styles.bin")
            ).encode(),
            "xl/styles.bin": _styles(formats),
            "xl/worksheets/sheet1.bin": sheet,
        }
    )


def _styles(formats: Sequence[str]) -> bytes:
    """General, a style for each of these formats, and one that strikes out; a style of styles,
    which no cell has."""
    written = b"".join(
        _record(44, struct.pack("<H", 164 + number) + _wide(text))
        for number, text in enumerate(formats)
    )
    styles = [_record(47, struct.pack("<HH", 0, 0) + bytes(12))]
    styles += [_record(47, struct.pack("<HH", 0, 164 + n) + bytes(12)) for n in range(len(formats))]
    styles += [_record(47, struct.pack("<HHH", 0, 0, 1) + bytes(10))]
    fonts = b"".join(_record(43, struct.pack("<HH", 220, flags) + bytes(21)) for flags in (0, 8))
    cell_styles = _record(617) + b"".join(styles) + _record(618)
    return _record(278) + written + fonts + _record(626) + styles[0] + _record(627) + cell_styles


def _record(kind: int, data: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    length, size = len(data), b""
    while True:
        size += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
        length >>= 7
        if not length:
            return head + size + data


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")
