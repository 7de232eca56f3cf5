"""Workbooks as programs write them, and with changes within their XML."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from tests.security.fuzz.inputs import (
    NUMBERS,
    TEXTS,
    Edit,
    edited,
    edits,
    mangled,
    mostly,
    tokens_of,
)
from tests.security.input import large_files

TOKENS: Final = tokens_of(
    (
        *(number for number in NUMBERS if len(number) < 1000), *(t for t in TEXTS if len(t) < 100),
        "A1", "XFD1048576", "A1048576", "XFE1", "ZZZZ9", "A0", "A-1", "a1", "$A$1", "A1:XFD9", "1A",
        ' t="s"', ' t="b"', ' t="e"', ' t="d"', ' t="n"', ' t="str"', ' t="inlineStr"', ' t="x"',
        ' s="1"', ' s="-1"', ' s="99"', ' r="B2"', ' r=""', "<c/>", "<v>1</v>", "<v/>", "<f>1</f>",
        "<row>", "</row>", "<is><t>x</t></is>", "<is><r><t>x</t></r></is>", "<si/>", "<t/>", "<a>",
        "&#10;", "&#0;", "&#xFFFE;", "&x;", "<!-- -->", "<![CDATA[<c>]]>", "<?xml version='1.1'?>",
        '<sheetPr/>', '<dimension ref="A1:A1"/>', '<dimension ref="A1:XFD1048576"/>', "#DIV/0!",
        ' numFmtId="14"', ' numFmtId="46"', ' formatCode="[h]:mm"', ' date1904="1"', "<!DOCTYPE a>",
        ' spans="1:99999"', ' xml:space="preserve"', ' hidden="1"', ' state="veryHidden"', "\x00",
    )
)  # fmt: skip


@cache
def workbooks() -> tuple[bytes, ...]:
    """Good ones, and small ones that are large to whoever reads them."""
    made = [_every_kind_of_cell(), _of_strings(), _of_catalogue()]
    made += [_rewritten(content, epoch_1904=True) for content in made[:1]]
    rows = large_files.HEAD
    cheap = (
        large_files.far_cell, large_files.far_row, large_files.far_column, large_files.entities,
        large_files.outer_file, large_files.another_compression,
    )  # fmt: skip
    return (*made, large_files.workbook(rows), *(make() for make in cheap))


def _every_kind_of_cell() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Ads"
    sheet.append([*large_files.NAMES.split(","), "price", "day", "row_id"])
    row = [*large_files.CELLS]
    for extra in (
        [1.5, date(2026, 11, 25), "007"],
        [7, datetime(2026, 11, 25, 10, 30, 1), 7],
        [True, time(10, 30), None],
        [10**30, timedelta(hours=30), "=1+1"],
        ["=SUM(F2:F3)", "#N/A", "x\ny"],
    ):
        sheet.append([*row, *extra])
    sheet.merge_cells("A7:B8")
    sheet.auto_filter.ref = "A1:H7"
    sheet.freeze_panes = "A2"
    book.create_sheet("Empty")
    book.create_sheet("Herbst").append(["a"])
    return _saved(book)


def _of_strings() -> bytes:
    import pandas as pd

    from prefect_staticadslab.campaign.files.formats.xlsx_writer import encode_xlsx

    lines = [[f"{text}{number}" for text in TEXTS[:9]] for number in range(3)]
    return encode_xlsx(pd.DataFrame(lines, columns=[*"abcdefghi"], dtype=object))


def _of_catalogue() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.worksheets[0])
    sheets: dict[str, list[list[Any]]] = {
        "Brands": [["name", "fonts", "color_palettes"], ["Tidewater", "Inter, Lora", '[{"a": 1}]']],
        "Products": [["name", "brand", "details"], ["Tea", "Tidewater", '{"tone": "dry"}']],
        "Product variants": [["name", "product", "sort_order"], ["50 g", "Tea", 1]],
        "Audiences": [["name", "product"], ["Commuters", "Tea"]],
    }
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return _saved(book)


def _saved(book: Any) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _rewritten(content: bytes, *, epoch_1904: bool) -> bytes:
    if not epoch_1904:
        return content
    parts = _parts(content)
    name = "xl/workbook.xml"
    parts[name] = parts[name].replace(b"<workbookPr", b'<workbookPr date1904="1"')
    return _packed(parts)


@cache
def _parts_of(index: int) -> tuple[tuple[str, bytes], ...]:
    return tuple(_parts(workbooks()[index]).items())


def _parts(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {
            info.filename: archive.read(info)
            for info in archive.infolist()
            if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        }


def _packed(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            # Always the same day, so that the same input is the same file.
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def _changed(index: int, changes: Sequence[tuple[int, list[Edit]]], lost: int) -> bytes:
    parts = dict(_parts_of(index))
    names = sorted(parts, key=lambda name: "sheet" not in name)
    for which, edits_of_part in changes:
        name = names[which % len(names)]
        parts[name] = edited(parts[name], edits_of_part)
    if lost:
        del parts[names[lost % len(names)]]
    return _packed(parts)


CATALOGUE: Final = 2
"""Which of the workbooks is a catalogue."""


def mangled_workbooks(only: int | None = None) -> st.SearchStrategy[bytes]:
    """Workbooks with changes within their XML, with a part missing, or within the ZIP itself.

    Args:
        only: Which of them, if not all.
    """
    number = st.integers(0, len(workbooks()) - 1) if only is None else st.just(only)
    # Mostly the first parts, which are the sheets.
    parts = mostly(st.integers(0, 1), st.integers(0, 12))
    changes = st.lists(st.tuples(parts, edits(TOKENS, most=2)), max_size=3)
    lost = mostly(st.just(0), st.integers(1, 12))
    within = st.builds(_changed, number, changes, lost)
    return mostly(within, mangled(workbooks, TOKENS))
