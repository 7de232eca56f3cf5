"""Small files that are large to whoever reads them, and files that are just too large."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from prefect_staticadslab.campaign.files.formats.workbooks.ole import CompoundFile, compound_file
from tests.campaign.files.workbooks.spreadsheet_files import KEPT, ods, ods_cell, ods_table, xlsb

NAMES = "design_template_id,brand_id,product_id,audience_id,prompt"
CELLS = ["dt_1", "brand_1", "prod_1", "aud_1", "Hello"]
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def workbook(rows: str, *, sheet_head: str = "", **parts: bytes | str) -> bytes:
    """An .xlsx of one sheet, given the XML of its rows; further parts by name."""
    from openpyxl import Workbook

    plain = io.BytesIO()
    book = Workbook()
    book.active.append(["x"])  # type: ignore[union-attr]
    book.save(plain)
    made = io.BytesIO()
    with (
        zipfile.ZipFile(plain) as given,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        replaced = {
            "xl/worksheets/sheet1.xml": f"<?xml version='1.0'?>{sheet_head}"
            f"<worksheet {_MAIN}><sheetData>{rows}</sheetData></worksheet>",
            **{name.replace("__", "/").replace("_", "."): text for name, text in parts.items()},
        }
        for name in given.namelist():
            if name not in replaced:
                target.writestr(name, given.read(name))
        for name, text in replaced.items():
            target.writestr(name, text)
    return made.getvalue()


def text_row(number: int, cells: list[str]) -> str:
    inner = "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in cells)
    return f'<row r="{number}">{inner}</row>'


HEAD = text_row(1, NAMES.split(",")) + text_row(2, CELLS)


def far_cell() -> bytes:
    return workbook(f'{HEAD}<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')


def far_row() -> bytes:
    return workbook(f'{HEAD}<row r="1048576"><c r="E1048576"><v>1</v></c></row>')


def far_column() -> bytes:
    last = "".join(f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(3, 400))
    return workbook(HEAD + last)


def zip_bomb() -> bytes:
    return workbook(HEAD, xl__theme__theme1_xml=b" " * 140_000_000)


def zip_bomb_of_many_parts() -> bytes:
    made = io.BytesIO(workbook(HEAD))
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(14):
            archive.writestr(f"xl/media/{number}.xml", b"<a>" + b" " * 10_000_000 + b"</a>")
    return made.getvalue()


def many_parts() -> bytes:
    made = io.BytesIO(workbook(HEAD))
    with zipfile.ZipFile(made, "a") as archive:
        for number in range(10_001):
            archive.writestr(f"{number}", b"")
    return made.getvalue()


def many_elements() -> bytes:
    return workbook(
        HEAD, xl__styles_xml=f"<styleSheet {_MAIN}>" + "<a/>" * 20_000_000 + "</styleSheet>"
    )


def many_shared_texts() -> bytes:
    return workbook(
        HEAD, xl__sharedStrings_xml=f"<sst {_MAIN}>" + "<si><t/></si>" * 3_100_000 + "</sst>"
    )


def deep_elements() -> bytes:
    return workbook(HEAD, xl__styles_xml="<a>" * 1_000_000)


def entities() -> bytes:
    bomb = (
        '<!DOCTYPE x [<!ENTITY a "'
        + "b" * 1000
        + '">'
        + "".join(
            f'<!ENTITY {chr(99 + n)} "{f"&{chr(98 + n) if n else chr(97)};" * 10}">'
            for n in range(8)
        )
        + "]>"
    )
    return workbook(text_row(1, ["&j;"]), sheet_head=bomb)


def outer_file() -> bytes:
    secret = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    return workbook(text_row(1, ["&a;"]), sheet_head=secret)


def another_compression() -> bytes:
    made = io.BytesIO(workbook(HEAD))
    with zipfile.ZipFile(made, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("xl/theme/theme2.xml", b"<a/>")
    return made.getvalue()


WORKBOOKS: dict[Callable[[], bytes], str] = {
    far_cell: "reaches to row 1,048,576 and column 16,384",
    far_row: "reaches to row 1,048,576 and column 5",
    far_column: "reaches to row 399 and column 16,384",
    zip_bomb: "more than 134 MB once it is uncompressed",
    zip_bomb_of_many_parts: "more than 134 MB once it is uncompressed",
    many_parts: "more than 10,000 parts",
    many_elements: "more than 1,000,000 XML elements besides its cells",
    many_shared_texts: "more than 6,000,000 XML elements of cells",
    deep_elements: "nests more than 100 XML elements",
    entities: "declares entities",
    outer_file: "declares entities",
    another_compression: "compressed in a way that no spreadsheet program uses",
}


def _repeated(rows: int, columns: int) -> bytes:
    cell = ods_cell("x", more=f'table:number-columns-repeated="{columns}"')
    row = f'<table:table-row table:number-rows-repeated="{rows}">{cell}</table:table-row>'
    return ods(ods_table(row))


def far_ods() -> bytes:
    before = '<table:table-cell table:number-columns-repeated="16383"/>'
    blank = '<table:table-row table:number-rows-repeated="1048574"/>'
    return ods(ods_table(blank, before + ods_cell("x")))


def entities_of_ods() -> bytes:
    return ods(ods_table(), doctype='<!DOCTYPE x [<!ENTITY a "b">]>')


def far_xls() -> bytes:
    """Its first text is moved to the last cell of a sheet."""
    stream = bytearray(CompoundFile((KEPT / "ads.xls").read_bytes()).read("Workbook"))
    at = 0
    while struct.unpack_from("<H", stream, at) != (0xFD,):
        at += 4 + struct.unpack_from("<H", stream, at + 2)[0]
    struct.pack_into("<HH", stream, at + 4, 65_535, 255)
    return compound_file("Workbook", bytes(stream))


def circle_in_ole() -> bytes:
    """The sectors of its stream lead back to the first."""
    content = bytearray((KEPT / "ads.xls").read_bytes())
    (table,) = struct.unpack_from("<I", content, 76)
    for sector in range(4):
        struct.pack_into("<I", content, 512 * (table + 1) + 4 * sector, (sector + 1) % 4)
    return bytes(content)


def far_xlsb() -> bytes:
    return xlsb([None] * 16_383 + ["x"], *[[]] * 400, ["x"])


OTHER_WORKBOOKS: dict[Callable[[], bytes], str] = {
    lambda: _repeated(1_048_576, 4): "reaches to row 1,048,577 and column 6",
    lambda: _repeated(999_999_999, 1): "more than 5,000,000 cells",
    lambda: _repeated(1, 999_999_999): "more than 5,000,000 cells",
    far_ods: "reaches to row 1,048,576 and column 16,384",
    entities_of_ods: "declares entities",
    far_xls: "reaches to row 65,536 and column 256",
    circle_in_ole: "a broken one",
    far_xlsb: "reaches to row 402 and column 16,384",
}


def large_file() -> bytes:
    row = f"\n{','.join(CELLS)}".encode()
    return NAMES.encode() + row * (96_000_000 // len(row))


def many_cells() -> bytes:
    return NAMES.encode() + ("," * 100 + "\n" + ("," * 104 + "x\n") * 60_000).encode()


def many_columns() -> bytes:
    return NAMES.encode() + b"," * 3_000_000 + b"\n" + b",".join([b"x"] * 5)


def one_long_line() -> bytes:
    return b"," * 60_000_000


def long_line() -> bytes:
    return b",".join([b"x" * 900_000] * 5)


def many_rows() -> bytes:
    return b"prompt\n" + b"x\n" * 1_048_577


def blank_header_cells_and_many_short_rows() -> bytes:
    """A header's blank end was taken off cell by cell, looking through all rows each time."""
    return NAMES.encode() + b"," * 10_000 + b"\n" + b"x\n" * 400


def one_cell() -> bytes:
    return f'{NAMES}\ndt_1,brand_1,prod_1,aud_1,"{"x" * 60_000_000}'.encode()


TEXTS: dict[Callable[[], bytes], str] = {
    large_file: "has more than 67 MB",
    many_cells: "more than 5,000,000 cells",
    many_columns: "a table has at most 16,384",
    one_long_line: "has 4,000,002 cells; a table has at most 16,384",
    long_line: "a line has more than 4,000,000 characters",
    many_rows: "more than 1,048,576 rows",
    blank_header_cells_and_many_short_rows: "has 1 cells, but the header has 5",
    one_cell: "a cell has more than 1,000,000 characters",
}


def parquet(rows: int, columns: int, text: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    indices = pa.nulls(rows, pa.int32()).fill_null(0)
    column = pa.DictionaryArray.from_arrays(indices, pa.array([text]))
    made = io.BytesIO()
    names = [f"c{n}" for n in range(columns)]
    pq.write_table(pa.table([column] * columns, names=names), made, compression="zstd")
    return made.getvalue()


PARQUETS: dict[Callable[[], bytes], str] = {
    lambda: parquet(5_100_000, 1, "a"): "more than 5,000,000 cells",
    lambda: parquet(3_000_000, 2, "a"): "more than 5,000,000 cells",
    lambda: parquet(100_000, 1, "a" * 1_000_000): "of text",
    lambda: parquet(1, 140, "a" * 1_000_000): "once it is uncompressed",
}


def png(width: int, height: int) -> bytes:
    """A PNG of one colour, which compresses a thousandfold."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checked = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checked)

    packer = zlib.compressobj(1)
    line = bytes(1 + (width + 7) // 8)
    data = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def gif(width: int, height: int) -> bytes:
    """A GIF of one pixel on a large screen."""
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\x00\x00" + bytes(6)
    return head + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00;"


PICTURES: dict[Callable[[], bytes], str] = {
    lambda: png(20_000, 20_000): "pixels that are decoded",
    lambda: png(7_000, 7_000): "has 7000 × 7000 pixels, more than the 40,000,000",
    lambda: png(60_000, 60_000): "pixels that are decoded",
    lambda: png(45_000_000, 1): "pixels that are decoded",
    lambda: gif(65_000, 65_000): "pixels that are decoded",
}


def write(folder: Path) -> list[tuple[Path, str]]:
    """All of them as files, with what is to be said of each."""
    made = []
    for ending, attacks in (
        (".xlsx", WORKBOOKS),
        (".ods", OTHER_WORKBOOKS),
        (".csv", TEXTS),
        (".parquet", PARQUETS),
        (".png", PICTURES),
    ):
        for number, (make, says) in enumerate(attacks.items()):
            path = folder / f"{number}{ending}"
            path.write_bytes(make())
            made.append((path, says))
    return made
