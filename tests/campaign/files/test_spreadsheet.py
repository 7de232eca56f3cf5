"""Every cell comes out as it went in, and what is no spreadsheet is refused in plain words."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab.campaign.errors import SpreadsheetError, StorageError
from prefect_staticadslab.campaign.files.cells import Dialect, cell_text, spreadsheet_from_dataframe
from prefect_staticadslab.campaign.files.folders import list_files
from prefect_staticadslab.campaign.files.spreadsheet import (
    ReadOptions,
    encode_spreadsheet,
    read_spreadsheet,
    write_spreadsheet,
)
from prefect_staticadslab.campaign.files.storage import check_target
from tests.conftest import ROOT

TRICKY = [
    ["sku", "Größe", "note"],
    ["007", "NA", ""],
    ["1e5", "null", " spaces "],
    ["-0", "TRUE", 'a "quoted", multi\nline\r\ncell'],
    ["2024-01-01", "🎁 é ß", "=SUM(A1)"],
    ["1,50", "None", "\ttab"],
]


def as_csv(rows: list[list[str]], delimiter: str = ",", line_end: str = "\n") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    return out.getvalue()


def cells(location: Path) -> list[list[Any]]:
    frame = read_spreadsheet(str(location)).frame
    return [list(frame.columns), *(list(line) for line in frame.itertuples(index=False))]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_cells_are_read_as_they_are(tmp_path: Path, delimiter: str, encoding: str) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(as_csv(TRICKY, delimiter).encode(encoding))
    assert cells(file) == TRICKY


def test_what_excel_on_windows_calls_csv(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(as_csv([["a", "b"], ["Größe", "5 €"]], ";").encode("cp1252"))
    read = read_spreadsheet(str(file))
    assert read.frame.to_numpy().tolist() == [["Größe", "5 €"]]
    assert read.dialect == Dialect(";", byte_order_mark=True)


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_text_table_goes_out_as_it_came_in(
    tmp_path: Path, delimiter: str, encoding: str, line_end: str
) -> None:
    content = as_csv([["a", "b"], ["007", 'x\n"y"'], ["", "é"]], delimiter, line_end).encode(
        encoding
    )
    (tmp_path / "in.csv").write_bytes(content)
    read = read_spreadsheet(str(tmp_path / "in.csv"))
    write_spreadsheet(str(tmp_path / "out.csv"), read.frame, read.dialect)
    assert (tmp_path / "out.csv").read_bytes() == content


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".xlsx", ".parquet"])
def test_every_format_keeps_text(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame(TRICKY[1:], columns=TRICKY[0], dtype=object)
    file = tmp_path / f"table{ending}"
    file.write_bytes(encode_spreadsheet(ending, frame, Dialect()))
    back = [[cell_text(value) for value in line] for line in cells(file)]
    # XLSX itself knows only one kind of line break.
    expected = [[c.replace("\r\n", "\n") if ending == ".xlsx" else c for c in r] for r in TRICKY]
    if ending == ".xlsx":
        back = [[c.replace("\r\n", "\n") for c in r] for r in back]
    assert back == expected


def test_an_xlsx_keeps_the_types_of_its_cells(tmp_path: Path) -> None:
    row = ["007", 7, 1.5, True, dt.datetime(2026, 5, 1), dt.datetime(2026, 5, 1, 8, 30), None]
    frame = pd.DataFrame([row], columns=[*"abcdefg"], dtype=object)
    file = tmp_path / "table.xlsx"
    file.write_bytes(encode_spreadsheet(".xlsx", frame.assign(h="end"), Dialect()))
    read = read_spreadsheet(str(file)).frame
    values = [getattr(value, "value", value) for value in read.iloc[0]]
    assert values == [*row, "end"]
    texts = [cell_text(value) for value in read.iloc[0]]
    assert texts[:4] == ["007", "7", "1.5", "true"]
    assert texts[4:] == ["2026-05-01 00:00:00", "2026-05-01 08:30:00", "", "end"]


def test_a_text_that_looks_like_a_formula_stays_text_in_xlsx(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    frame = pd.DataFrame([["=1+1", "=HYPERLINK()"]], columns=["a", "=b"], dtype=object)
    (tmp_path / "t.xlsx").write_bytes(encode_spreadsheet(".xlsx", frame, Dialect()))
    sheet = load_workbook(tmp_path / "t.xlsx").worksheets[0]
    assert [c.data_type for line in sheet.iter_rows() for c in line] == ["s"] * 4


def test_rows_are_numbered_as_a_spreadsheet_program_does(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text('a,b\n1,"two\nlines"\n\n,\n3,4\n')
    read = read_spreadsheet(str(file))
    assert read.row_numbers == (2, 5)
    assert read.frame["a"].tolist() == ["1", "3"]


def test_a_sheet_can_be_chosen(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["a"])  # type: ignore[union-attr]
    book.active.append([1])  # type: ignore[union-attr]
    second = book.create_sheet("Herbst")
    second.append(["b"])
    second.append([2])
    book.save(tmp_path / "in.xlsx")
    place = str(tmp_path / "in.xlsx")
    assert list(read_spreadsheet(place).frame.columns) == ["a"]
    assert list(read_spreadsheet(place, options=ReadOptions("Herbst")).frame.columns) == ["b"]
    with pytest.raises(SpreadsheetError, match="Herbst"):
        read_spreadsheet(place, options=ReadOptions("Winter"))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("in.csv", b"", "empty"),
        ("in.csv", b" \n ", "empty"),
        ("in.csv", b"a,b\n", "no rows"),
        ("in.csv", b"a,b\n,\n", "no rows"),
        ("in.csv", b"a,a\n1,2\n", "column a: there are two columns"),
        ("in.csv", b"a,b\n1,2\n1,2,3\n", "Row 3: has 3 cells, but the header has 2"),
        ("in.csv", b"a,b\n1\n", "Row 2: has 1 cells"),
        ("in.csv", b'a,b\n1,2\n3,"four\n5,6\n', "Row 3: a quote is opened"),
        ("in.csv", b"a,b\n1," + b"x" * 1_100_000, "more than 1,000,000 characters"),
        ("in.csv", b"\x00\x01\x02 not text", "no spreadsheet"),
        ("in.xlsx", b"not a zip", "a header and no rows"),
        ("in.xlsx", b"PK\x03\x04 broken", "no workbook, such as an .xlsx, or a broken one"),
        ("in.xlsx", b"\xd0\xcf\x11\xe0 broken", "no workbook, such as an .xlsx, or a broken one"),
        ("in.xls", b"\x09\x04\x06\x00\x00\x00\x10\x00", "Excel 4 or before"),
        ("in.xls", b"<html><table><tr><td>a</td></tr></table>", "is a web page, not a table"),
        ("in.parquet", b"no", "no Parquet"),
    ],
)
def test_what_is_no_spreadsheet_is_refused_in_plain_words(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpreadsheetError) as refused:
        read_spreadsheet(str(tmp_path / name))
    assert says in str(refused.value)


@pytest.mark.parametrize("name", ["none.csv", "in/none.xlsx"])
def test_a_relative_path_to_nothing_is_told_with_the_folder_that_it_starts_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError) as refused:
        read_spreadsheet(name)
    assert str(refused.value) == f"There is no file {name} in {tmp_path}."
    with pytest.raises(StorageError) as refused:
        list_files("none")
    assert str(refused.value) == f"There is no folder none in {tmp_path}."
    with pytest.raises(StorageError) as refused:
        check_target("none/out.csv")
    assert str(refused.value) == f"There is no folder none in {tmp_path} to write out.csv into."
    whole = tmp_path / name
    with pytest.raises(StorageError) as refused:
        read_spreadsheet(str(whole))
    assert str(refused.value) == f"There is no file {whole}."


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="There is no file"):
        read_spreadsheet(str(tmp_path / "none.csv"))
    with pytest.raises(StorageError, match="folder"):
        read_spreadsheet(str(tmp_path))
    with pytest.raises(StorageError, match="of a kind that is not allowed"):
        read_spreadsheet("nosuchprotocol://x/in.csv")


def test_a_local_file_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out.csv"
    file.write_text("before")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(StorageError, match="no space left"):
        write_spreadsheet(str(file), pd.DataFrame({"a": ["1"]}), Dialect())
    assert file.read_text() == "before"
    assert [f.name for f in tmp_path.iterdir()] == ["out.csv"]


def test_a_url_is_read_and_written_like_a_path() -> None:
    frame = pd.DataFrame({"a": ["007"]}, dtype=object)
    write_spreadsheet("memory://bucket/out.csv", frame, Dialect())
    assert read_spreadsheet("memory://bucket/out.csv").frame["a"].tolist() == ["007"]


def test_a_shops_export_comes_out_byte_for_byte(tmp_path: Path) -> None:
    read = read_spreadsheet(str(ROOT / "examples" / "shop_export.csv"))
    assert read.frame.shape == (5, 51)
    write_spreadsheet(str(tmp_path / "out.csv"), read.frame, read.dialect)
    assert (tmp_path / "out.csv").read_bytes() == (
        ROOT / "examples" / "shop_export.csv"
    ).read_bytes()


text_cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@given(st.lists(st.lists(text_cells, min_size=2, max_size=2), min_size=1, max_size=8))
def test_any_text_survives_a_csv(rows: list[list[str]]) -> None:
    rows = [["x" + a, b] for a, b in rows]
    content = encode_spreadsheet(
        ".csv", pd.DataFrame(rows, columns=["first", "second"], dtype=object), Dialect()
    )
    location = "memory://any/table.csv"
    import fsspec

    with fsspec.open(location, "wb") as file:
        file.write(content)
    assert read_spreadsheet(location, ragged=True).frame.to_numpy().tolist() == rows


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (np.float32("nan"), None),
        (np.int64(3), 3),
        (np.True_, True),
        (Decimal("NaN"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.array([1, 2]), "[1, 2]"),
        ({"n": np.int64(3), "on": dt.date(2026, 11, 25)}, '{"n": 3, "on": "2026-11-25"}'),
        (pd.Period("2026-11"), "2026-11"),
        (1j, "1j"),
        (np.datetime64("2026-11-25T12:30", "ns"), pd.Timestamp(2026, 11, 25, 12, 30)),
        (pd.Timestamp(2026, 11, 25, 12, 30, tz="UTC"), "2026-11-25 12:30:00+00:00"),
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".parquet"])
def test_whatever_a_frame_holds_is_a_cell_of_every_format(
    value: object, cell: object, ending: str
) -> None:
    frame = pd.DataFrame({"a": pd.Series([value, "x"], dtype=object)})
    read = spreadsheet_from_dataframe(frame)
    assert read.frame["a"][0] == cell
    assert type(read.frame["a"][0]) is type(cell)
    assert encode_spreadsheet(ending, read.frame, Dialect())


def test_a_frame_without_rows_is_no_spreadsheet() -> None:
    with pytest.raises(SpreadsheetError, match="no rows"):
        spreadsheet_from_dataframe(pd.DataFrame({"prompt": []}))
