"""Tables as files: text, workbooks, Parquet, and what catalogues are made from."""

from __future__ import annotations

import csv
import io
from functools import cache
from typing import Any, Final

import pandas as pd
from hypothesis import strategies as st

from prefect_staticadslab.bounds import LONGEST_CELL
from prefect_staticadslab.campaign.catalogue_tables.rows import read_resource_rows
from prefect_staticadslab.campaign.errors import CampaignError, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    Dialect,
    Spreadsheet,
    cell_text,
    frame_of,
    plain_text,
)
from prefect_staticadslab.campaign.files.formats.parquet import encode_parquet, read_parquet
from prefect_staticadslab.campaign.files.formats.text import encode_text, read_text
from prefect_staticadslab.campaign.files.formats.workbooks.workbook import (
    read_workbook,
    sheet_names,
    workbook_creator,
)
from prefect_staticadslab.campaign.files.formats.xlsx_values import EXCEL_CELL
from prefect_staticadslab.campaign.files.formulas import CatalogueText, escape_formula, unescape
from prefect_staticadslab.campaign.files.spreadsheet import encode_spreadsheet, text_dialect
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.rows.columns import KNOWN_COLUMNS
from tests.security.fuzz.inputs import (
    MOMENTS,
    NUMBERS,
    ROOT,
    TEXTS,
    mangled,
    mostly,
    pick,
    temporary_folder,
    texts,
    tokens_of,
)
from tests.security.fuzz.target import Target, promise
from tests.security.fuzz.workbooks import CATALOGUE, mangled_workbooks

_TEXT_TOKENS: Final = tokens_of(
    (
        *TEXTS, *NUMBERS, *MOMENTS, ",", ";", "\t", "|", '","', '"', '"\n"', "\r", "\r\n", "\n\n",
        "prompt,", "brand", "design_template_id", ",,,,,,", '""""', "\ufeff", "kind,name",
    )
)  # fmt: skip

_MARKS: Final = tuple(
    map(bytes.fromhex, ("fffe", "feff", "efbbbf", "00", "c3", "eda080", "81", "93"))
)
"""What tells an encoding, or breaks one."""


@cache
def text_files() -> tuple[bytes, ...]:
    """What the examples are, in several spellings."""
    examples = sorted((ROOT / "examples").glob("*.csv"))
    files = [b"".join(path.read_bytes().splitlines(keepends=True)[:4]) for path in examples]
    one = files[0].decode()
    other = one.replace(",", ";").replace("\n", "\r\n")
    spellings = [
        one.encode("utf-8-sig"), one.encode("utf-16"), one.encode("utf-16-be"), b"\xfe\xff" +
        one.encode("utf-16-be"), other.encode("cp1252", errors="replace"),
        one.replace(",", "\t").encode(), one.replace("\n", "\r").encode(),
    ]  # fmt: skip
    return (*files, *spellings)


@cache
def texts_of_tables() -> st.SearchStrategy[bytes]:
    """Files of CSV: the examples with changes in them, and lines of cells as they come."""
    headers = st.lists(st.one_of(pick(sorted(KNOWN_COLUMNS)), texts(10)), max_size=6)
    lines = st.lists(st.lists(texts(), max_size=6), max_size=5)

    def file(
        header: list[str], rest: list[list[str]], delimiter: str, quote: str, end: str, coding: str
    ) -> bytes:
        joined = [delimiter.join(f"{quote}{cell}{quote}" for cell in line) for line in rest]
        content = end.join([delimiter.join(header), *joined])
        return content.encode(coding, errors="replace")

    made = st.builds(
        file, headers, lines, pick(",;\t|"), pick(('"', "")),
        pick(("\n", "\r\n", "\r")),
        pick(("utf-8", "utf-8-sig", "utf-16", "cp1252")),
    )  # fmt: skip
    return st.one_of(mangled(text_files, (*_TEXT_TOKENS, *_MARKS)), made)


def _text_inputs() -> st.SearchStrategy[tuple[bytes, bool, bool]]:
    return st.tuples(texts_of_tables(), st.booleans(), st.booleans())


def examine_text(given: tuple[bytes, bool, bool]) -> None:
    content, tab, ragged = given
    table = read_text(content, KNOWN_COLUMNS, tab=tab, ragged=ragged)
    ending = ".tsv" if tab else ".csv"
    again = read_text(
        encode_text(table.frame, text_dialect(ending, table.dialect)),
        KNOWN_COLUMNS,
        tab=tab,
        ragged=ragged,
    )
    if len(table.frame.columns) > 1:  # of one column nobody can tell the delimiter
        promise(again.dialect == table.dialect, "the dialect changed", table.dialect, again.dialect)
    _same(table, again, exact=True)
    _written_elsewhere(table)
    _inert(table)
    _as_a_brief(table)


def _inert(table: Spreadsheet) -> None:
    cells = {cell_text(value): None for value in table.frame.to_numpy().flat}
    for cell in cells:
        promise(unescape(escape_formula(cell)) == cell, "an apostrophe is lost", cell)
    told = encode_text(frame_of([""], [[CatalogueText(cell)] for cell in cells]), Dialect())
    lines = csv.reader(io.StringIO(told.decode("utf-8-sig"), newline=""))
    live = [line for line in lines if line and line[0].startswith(tuple("=+-@\t\r"))]
    promise(not live, "a formula is live", live)


def _same(table: Spreadsheet, again: Spreadsheet, *, exact: bool = False) -> None:
    """Promises that a table which was read again is the same one, as far as its format can."""

    def plain(value: Any) -> str:
        # A text file with a NUL in it is none, so that is left out.
        text = cell_text(value).replace("\0", "")
        return text if exact else plain_text(text)

    header, same = ([plain(name) for name in t.frame.columns] for t in (table, again))
    promise(header == same, "the header changed", header, same)
    promise(len(again.frame) == len(table.frame), "rows came or went", len(table.frame))
    for line, written in zip(
        table.frame.itertuples(index=False, name=None),
        again.frame.itertuples(index=False, name=None),
        strict=True,
    ):
        for value, back in zip(line, written, strict=True):
            promise(plain(value) == plain(back), "a cell changed", value, back)


def _written_elsewhere(table: Spreadsheet) -> None:
    """Promises that a table survives the formats that a result table may have."""
    longest = max((len(v) for v in table.frame.to_numpy().flat if isinstance(v, str)), default=0)
    # Columns without a name get one in Parquet, and an end like that of a result table in any.
    frame = table.frame.loc[:, [bool(str(name).strip()) for name in table.frame.columns]]
    # A row of nothing but control characters is a blank one where there are none.
    is_kept = frame.map(lambda value: bool(plain_text(cell_text(value)).strip())).any(axis=1)
    rows = frame[is_kept]
    if rows.empty:
        return
    kept = Spreadsheet.from_frame(rows.reset_index(drop=True), tuple(range(len(rows))))
    _same(kept, read_parquet(encode_parquet(kept.frame)))
    if longest <= EXCEL_CELL:
        _same(kept, read_workbook(encode_spreadsheet(".xlsx", kept.frame, Dialect())))


def _as_a_brief(table: Spreadsheet) -> None:
    try:
        Brief.read(table)
    except CampaignError:
        return


def examine_workbook(content: bytes) -> None:
    creator = workbook_creator(content)
    promise(creator is None or isinstance(creator, str), "a creator that is none", creator)
    names = sheet_names(content)
    refused = None
    read = 0
    for sheet in (None, *names[:3], "No such sheet"):
        try:
            table = read_workbook(content, sheet=sheet, known_columns=KNOWN_COLUMNS)
        except SpreadsheetError as error:
            refused = refused or error
            continue
        read += 1
        long = [v for v in table.frame.to_numpy().flat if isinstance(v, str)]
        promise(all(len(v) <= LONGEST_CELL for v in long), "a cell is too long")
        _written_elsewhere(table)
        _as_a_brief(table)
    if refused is not None and not read:
        raise refused


@cache
def parquets() -> tuple[bytes, ...]:
    """Parquet as others write it: every type that there is, and several compressions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "text": pa.array(["a", None, "=1"]), "number": pa.array([1, None, 2**62]),
        "real": pa.array([1.5, float("nan"), None]), "flag": pa.array([True, None, False]),
        "bytes": pa.array([b"\xff", None, b""]), "list": pa.array([[1, 2], None, []]),
        "struct": pa.array([{"a": 1}, None, {"a": None}]), "nothing": pa.nulls(3),
        "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "day": pa.array([0, None, 20000], pa.date32()), "time": pa.array([0, 1, 2],
        pa.time64("ns")),
        "moment": pa.array([0, None, 2**60], pa.timestamp("ns", "Europe/Berlin")),
        "far": pa.array([-(2**60), 0, 2**60], pa.timestamp("us")),
        "duration": pa.array([0, None, 9], pa.duration("s")),
        "shared": pa.array(["a", None, "a"]).dictionary_encode(),
        "decimal": pa.array([None, 1, 2], pa.decimal128(38, 10)), "tiny": pa.array([1, 2, 3],
        pa.uint8()),
        "half": pa.array([1.0, 2.0, None], pa.float32()), "large": pa.array(["x"] * 3,
        pa.large_string()),
    }  # fmt: skip

    def file(table: Any, **options: Any) -> bytes:
        out = io.BytesIO()
        pq.write_table(table, out, **options)
        return out.getvalue()

    every = pa.table(columns)
    one_each = [file(pa.table({name: column})) for name, column in columns.items()]
    twice = pa.Table.from_arrays([columns["text"], columns["list"]], names=["a", "a"])
    ours = encode_parquet(pd.DataFrame([["a", 1, 1.5]], columns=[*"abc"], dtype=object))
    whole = [file(every, compression=c) for c in ("none", "snappy", "gzip", "zstd")]
    return (ours, *one_each, file(twice), file(pa.table({})), *whole)


def _parquet_inputs() -> st.SearchStrategy[bytes]:
    tokens = (b"PAR1", b"\x00", b"\xff\xff\xff\x7f", b"\x15\x00", b"schema", b"\x19", b"\x80" * 9)
    return mangled(parquets, (*tokens, b"pandas", b"\xff" * 8, *tokens_of(TEXTS[:20])), most=4)


def examine_parquet(content: bytes) -> None:
    table = read_parquet(content)
    _written_elsewhere(table)
    _as_a_brief(table)


_folder: Final = cache(temporary_folder)


def _catalogue_inputs() -> st.SearchStrategy[tuple[str, bytes]]:
    fields = ("description", "fonts", "color_palettes", "sort_order", "details")
    header = ["kind", "name", "brand", "product", *fields]
    good = (
        ("brand", "Tea", "", "", "", "Inter, Lora", '[{"a": 1}]', "", '{"tone": "dry"}'),
        ("product", "Fennel", "Tea", "", "", "", "", "", '{"a": [1]}'),
        ("Product variant", "50 g", "", "prod_1", "", "", "", "7", ""),
        ("audiences", "Commuters", "brand_1", "Fennel", "=x", "", "", "", ""),
    )
    cells = st.one_of(
        pick(("brand", "[1]", '[{"name": "Inter"}]', '{"a": 1}', "[", "*")), texts(10)
    )
    changes = st.dictionaries(st.integers(0, len(header) - 1), cells, max_size=2)
    line = st.tuples(pick(good), changes).map(
        lambda given: [given[1].get(place, cell) for place, cell in enumerate(given[0])]
    )

    def file(lines: list[list[str]]) -> bytes:
        return encode_text(frame_of(header, lines), Dialect())

    made = st.lists(line, min_size=1, max_size=4).map(file)
    text = mostly(made, mangled(text_files, (*_TEXT_TOKENS, *_MARKS)))
    book = mostly(mangled_workbooks(CATALOGUE), mangled_workbooks())
    return st.one_of(
        st.tuples(st.just(".csv"), text),
        st.tuples(st.just(".tsv"), text.map(lambda content: content.replace(b",", b"\t"))),
        st.tuples(st.just(".xlsx"), book),
    )


def examine_catalogue(given: tuple[str, bytes]) -> None:
    ending, content = given
    path = _folder() / f"catalogue{ending}"
    path.write_bytes(content)
    for wanted in read_resource_rows(str(path)):
        promise(bool(wanted.name), "a resource without a name", wanted)
        promise(
            "sort_order" not in wanted.fields or isinstance(wanted.fields["sort_order"], int), ""
        )


TABLES: Final = (
    Target("text", _text_inputs, examine_text, (CampaignError,)),
    Target("workbook", mangled_workbooks, examine_workbook, (CampaignError,)),
    Target("parquet", _parquet_inputs, examine_parquet, (CampaignError,)),
    Target("catalogue_rows", _catalogue_inputs, examine_catalogue, (CampaignError,)),
)
