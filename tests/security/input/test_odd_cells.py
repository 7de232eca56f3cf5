"""Cells that nobody expects, in every format: each is read or refused in words, and the table that
has them is known again. A fuzz found them (`python -m tests.security.fuzz`)."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.api.resources import Audience, Brand, DesignTemplate, Product
from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    Dialect,
    cell_text,
    frame_of,
    plain_text,
    spreadsheet_from_dataframe,
)
from prefect_staticadslab.campaign.files.formats.parquet import encode_parquet, read_parquet
from prefect_staticadslab.campaign.files.spreadsheet import encode_spreadsheet, read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.names.listings import Catalogue, Listing, ListKey
from prefect_staticadslab.campaign.rows.resource_types import AUDIENCE, BRAND, PRODUCT, TEMPLATE

IDS = {
    "design_template_id": ["dt_1"],
    "brand_id": ["brand_1"],
    "product_id": ["prod_1"],
    "audience_id": ["aud_1"],
}

ODD: list[Any] = [
    "a\0b", "\0", 10**30, -(2**63) - 1, 2**63, 10**400, 1e308, float("inf"), float("-inf"),
    0.1 + 0.2, 17.990000000000002, -0.0, Decimal("1.0000000000"), Decimal("1E+40"),
    Decimal("0.1234567890123456789012345"), Decimal("Infinity"),
    date(1899, 12, 31), date(1900, 1, 1), datetime(1, 1, 1, 12), datetime(9999, 12, 31, 23, 59, 59),
    datetime(2026, 11, 25, 10, 30, tzinfo=UTC), [1, None, [2.5]], {"a": date(2026, 1, 1)}, b"\xff",
    "=1+1", "'=1+1", "\ttab", "x\r\ny", "\ufeff", "_x0041_", "\ufffe", "\uffff", "x\ud800y",
]  # fmt: skip


def made(**columns: list[Any]) -> ImageAdTable:
    return ImageAdTable.open(None, spreadsheet_from_dataframe(pd.DataFrame({**IDS, **columns})))


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".xlsx", ".parquet"])
@pytest.mark.parametrize("value", ODD, ids=lambda value: ascii(value)[:30])
def test_a_row_with_an_odd_cell_is_paid_for_once(tmp_path: Path, value: Any, ending: str) -> None:
    columns = {**IDS, "row_id": [value], "note": [value]}
    sheet = spreadsheet_from_dataframe(pd.DataFrame(columns, dtype=object))
    place = str(tmp_path / f"results{ending}")
    table = ImageAdTable.open(place, sheet)
    table.update(0, JobState(RowStatus.PROCESSING, job_id="ia_1", attempts=1))
    table.save_now()
    again = ImageAdTable.open(place, sheet)
    assert [state.job_id for state in again.states] == ["ia_1"]
    assert again.totals().removed == 0


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".xlsx", ".parquet"])
@pytest.mark.parametrize(
    "name", ["=Tea", "'=Tea", "''=Tea", "'\t+1", "\x07=Tea", "'\x07=Tea", "'Tea"]
)
def test_a_name_that_looks_like_a_formula_is_paid_for_once(
    tmp_path: Path, name: str, ending: str
) -> None:
    catalogue = Catalogue(
        {
            ListKey(TEMPLATE): Listing((DesignTemplate(id="dt_1", status="completed"),)),
            ListKey(BRAND): Listing((Brand(id="brand_1", name="Harbor Roast"),)),
            ListKey(PRODUCT, "brand_1"): Listing((Product(id="prod_1", name=name),)),
            ListKey(AUDIENCE, "prod_1"): Listing((Audience(id="aud_1", name=name),)),
        }
    )
    columns = {"brand": ["brand_1"], "product": ["*"], "audience": ["*"], "prompt": ["{product}"]}
    given = spreadsheet_from_dataframe(pd.DataFrame({"design_template_id": ["dt_1"], **columns}))
    place = str(tmp_path / f"results{ending}")
    table = ImageAdTable.open(place, expand(Brief.read(given), catalogue))
    assert table.rows[0].request.prompt == plain_text(name)
    table.update(0, JobState(RowStatus.PROCESSING, job_id="ia_1", attempts=1))
    table.save_now()
    again = ImageAdTable.open(place, expand(Brief.read(given), catalogue))
    assert [state.job_id for state in again.states] == ["ia_1"]
    assert again.totals().removed == 0


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".xlsx", ".parquet"])
@pytest.mark.parametrize("odd", ["\0", "\x07", "\ufffe", "\ud800"], ids=ascii)
def test_an_error_with_a_nul_in_it_does_not_cost_the_table(
    tmp_path: Path, odd: str, ending: str
) -> None:
    sheet = spreadsheet_from_dataframe(pd.DataFrame(IDS))
    place = str(tmp_path / f"results{ending}")
    table = ImageAdTable.open(place, sheet)
    table.update(0, JobState(RowStatus.FAILED, job_id="ia_1", error=f"no{odd}thing", attempts=1))
    table.save_now()
    (state,) = ImageAdTable.open(place, sheet).states
    assert (state.job_id, state.attempts) == ("ia_1", 1)


@pytest.mark.parametrize(
    "value", [value for value in ODD if isinstance(value, int | float | Decimal | date)]
)
def test_an_xlsx_keeps_a_number_or_date_that_excel_has_none_of(tmp_path: Path, value: Any) -> None:
    frame = spreadsheet_from_dataframe(pd.DataFrame({"a": [value], "b": [1]})).frame
    (tmp_path / "t.xlsx").write_bytes(encode_spreadsheet(".xlsx", frame, Dialect()))
    back = read_spreadsheet(str(tmp_path / "t.xlsx")).frame["a"].iloc[0]
    assert cell_text(back) == cell_text(frame["a"].iloc[0])


def test_a_parquet_keeps_every_digit_of_a_whole_number() -> None:
    large = [2**53 + 1, 10**30, -(2**63) - 1]
    mixed = frame_of(["a", "b"], [[number, number] for number in large] + [[1, 0.5]])
    back = read_parquet(encode_parquet(mixed)).frame
    assert back["a"].tolist() == [*map(str, large), "1"]
    assert back["b"].tolist() == [*map(str, large), "0.5"]


def test_a_column_without_a_name_takes_no_other_columns_place_in_a_parquet() -> None:
    header = ["column_2", "", "column_4", ""]
    back = read_parquet(encode_parquet(frame_of(header, [["a", "b", "c", "d"]]))).frame
    assert back.iloc[0].tolist() == ["a", "b", "c", "d"]
    assert back.columns[0] == "column_2"
    assert back.columns[2] == "column_4"


def parquet(columns: list[Any], names: list[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, names=names), out)
    return out.getvalue()


def test_a_parquet_of_any_types_is_read_as_a_dataframe_is() -> None:
    import pyarrow as pa

    content = parquet(
        [
            pa.array([[1, 2]]),
            pa.array([{"a": 1}]),
            pa.array([0], pa.timestamp("us", "Europe/Berlin")),
            pa.array([-(2**60)], pa.timestamp("us")),
        ],
        ["list", "object", "zone", "far"],
    )
    read = read_parquet(content).frame.iloc[0]
    assert read.tolist()[:3] == ["[1, 2]", '{"a": 1}', "1970-01-01 01:00:00+01:00"]
    assert read["far"].startswith("-34565-05-17")
    encode_spreadsheet(".xlsx", read_parquet(content).frame, Dialect())


def test_two_columns_of_one_name_are_refused_in_a_parquet_too() -> None:
    import pyarrow as pa

    content = parquet([pa.array(["x"]), pa.array(["y"])], ["brand_id", "brand_id"])
    with pytest.raises(SpreadsheetError, match="two columns of this name"):
        read_parquet(content)
