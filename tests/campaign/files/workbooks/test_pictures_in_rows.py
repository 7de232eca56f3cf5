"""Pictures lie in the rows of an .xlsx, and the table is read again as without them."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from prefect_staticadslab import RowStatus, bounds
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.formats.cell_pictures import (
    LONGEST_SIDE,
    MOST_BYTES,
    cell_picture,
)
from prefect_staticadslab.campaign.pictures import pictures
from prefect_staticadslab.campaign.pictures.pictures import (
    check_table_for_pictures,
    put_pictures_into_table,
)
from prefect_staticadslab.campaign.runs.image_ads import CampaignOptions
from tests.campaign.files.workbooks.test_xlsx_writer import (
    completed,
    open_again,
    sheet_of,
    table_at,
)


def picture_file(folder: Path, name: str, size: tuple[int, int] = (384, 480)) -> str:
    """A downloaded picture with its thumbnail; returns the picture's place."""
    (folder / "thumbnails").mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "teal").save(folder / "thumbnails" / f"{name}.jpg")
    return str(folder / f"{name}.png")


def test_pictures_lie_in_their_rows_and_the_table_is_the_same(tmp_path: Path) -> None:
    place, folder = tmp_path / "out.xlsx", tmp_path / "pictures"
    table = table_at(place)
    for number in (0, 2):
        table.update(number, completed(number, image_path=picture_file(folder, f"{number}")))
    table.save_now()
    assert put_pictures_into_table(table) == 2
    sheet = sheet_of(place.read_bytes())
    anchors = [image.anchor for image in sheet._images]
    assert [(a._from.row, a._from.col, a.to.row, a.to.col) for a in anchors] == [
        (1, 0, 1, 0),
        (3, 0, 3, 0),
    ]
    assert {a.editAs for a in anchors} <= {None, "twoCell"}  # moves and shrinks with its row
    assert [cell.value for cell in sheet["A"]] == ["picture", None, None, None]
    assert sheet.row_dimensions[2].height > 80
    assert sheet.freeze_panes == "B2"
    again = open_again(place)
    assert again.states == table.states
    assert [row.identity for row in again.rows] == [row.identity for row in table.rows]


def test_a_later_run_keeps_the_pictures_and_the_columns_as_they_are(tmp_path: Path) -> None:
    place, folder = tmp_path / "out.xlsx", tmp_path / "pictures"
    table = table_at(place)
    table.update(0, completed(0, image_path=picture_file(folder, "0")))
    table.save_now()
    put_pictures_into_table(table)
    first = [cell.value for cell in sheet_of(place.read_bytes())[1]]
    for again in (open_again(place), table_at(place)):
        again.save_now()
        header = [cell.value for cell in sheet_of(place.read_bytes())[1]]
        assert header == first[1:]
        assert put_pictures_into_table(again) == 1
        assert [cell.value for cell in sheet_of(place.read_bytes())[1]] == first
        assert again.totals().removed == 0


def test_her_own_column_of_that_name_stays_hers(tmp_path: Path) -> None:
    place, folder = tmp_path / "out.xlsx", tmp_path / "pictures"
    table = table_at(place, picture=["a.png", "b.png", None], ad_picture=[1, 2, 3])
    table.update(0, completed(0, image_path=picture_file(folder, "0")))
    table.save_now()
    put_pictures_into_table(table)
    sheet = sheet_of(place.read_bytes())
    assert [cell.value for cell in sheet[1]][:3] == ["ad_ad_picture", "picture", "ad_picture"]
    assert [cell.value for cell in sheet["B"]] == ["picture", "a.png", "b.png", None]
    again = open_again(place)
    again.save_now()
    assert [cell.value for cell in sheet_of(place.read_bytes())[1]][:2] == [
        "picture",
        "ad_picture",
    ]


def test_while_a_campaign_runs_no_picture_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a picture was made")

    monkeypatch.setattr(pictures, "cell_picture", never)
    table = table_at(tmp_path / "out.xlsx")
    table.update(0, completed(0, image_path=picture_file(tmp_path / "pictures", "0")))
    table.save_now()
    assert sheet_of((tmp_path / "out.xlsx").read_bytes())._images == []


@pytest.mark.parametrize("where", ["elsewhere", "no picture", "not completed", "csv"])
def test_only_what_lies_with_the_table_is_shown(tmp_path: Path, where: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    folder = tmp_path / "other" if where == "elsewhere" else home / "pictures"
    path = picture_file(folder, "0")
    if where == "no picture":
        (folder / "thumbnails" / "0.jpg").write_text("root:x:0:0")
    table = table_at(home / ("out.csv" if where == "csv" else "out.xlsx"))
    state = completed(0, image_path=path)
    if where == "not completed":
        state = replace(state, status=RowStatus.FAILED)
    table.update(0, state)
    table.save_now()
    assert put_pictures_into_table(table) == 0
    # What this run has downloaded itself is shown wherever that is.
    assert put_pictures_into_table(table, str(folder)) == (1 if where == "elsewhere" else 0)


@pytest.mark.parametrize("bound", ["TABLE_BYTES", "WORKBOOK_BYTES"])
def test_pictures_are_left_out_of_a_table_that_could_not_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, bound: str
) -> None:
    place = tmp_path / "out.xlsx"
    table = table_at(place)
    table.update(0, completed(0, image_path=picture_file(tmp_path / "pictures", "0")))
    table.save_now()
    content = place.read_bytes()
    size = len(content)
    if bound == "WORKBOOK_BYTES":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(part.file_size for part in archive.infolist())
    monkeypatch.setattr(bounds, bound, size + 500)
    put_pictures_into_table(table)
    assert "too large to be read again" in caplog.text
    assert sheet_of(place.read_bytes())._images == []
    assert open_again(place).states == table.states


def test_more_pictures_than_a_table_has_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pictures, "TABLE_PICTURES", 1)
    table = table_at(tmp_path / "out.xlsx")
    for number in range(3):
        path = picture_file(tmp_path / "pictures", f"{number}")
        table.update(number, completed(number, image_path=path))
    table.save_now()
    assert put_pictures_into_table(table) == 1
    assert "Only the first 1 of 3 pictures" in caplog.text


# Pictures for cells


def noise(size: tuple[int, int]) -> bytes:
    import random

    picture = Image.frombytes("RGB", size, random.Random(7).randbytes(size[0] * size[1] * 3))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("size", [(480, 480), (2000, 100), (100, 2000), (1, 1)])
def test_a_cells_picture_is_bounded(size: tuple[int, int]) -> None:
    made = cell_picture(noise(size), description="An ad")
    assert made is not None
    assert len(made.content) <= MOST_BYTES
    assert max(made.width, made.height) <= LONGEST_SIDE
    assert Image.open(io.BytesIO(made.content)).format == "JPEG"


def test_what_is_no_picture_or_too_large_a_one_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cell_picture(b"\x89PNG\r\n\x1a\n and no more") is None
    monkeypatch.setattr("prefect_staticadslab.bounds.PICTURE_PIXELS", 99)
    assert cell_picture(noise((10, 10))) is None


# The option


@pytest.mark.parametrize("output", ["out.csv", "out.parquet", ""])
def test_a_table_that_has_no_pictures_is_told(output: str) -> None:
    with pytest.raises(CampaignError, match=r"Only an .xlsx has pictures in its rows"):
        check_table_for_pictures(output)


def test_pictures_for_the_table_are_kept_beside_it() -> None:
    options = CampaignOptions(source="a.csv", output="a/out.xlsx", pictures_in_table=True)
    assert options.pictures_folder == "a/out-pictures"
    assert replace(options, download_images="mine").pictures_folder == "mine"
    assert replace(options, pictures_in_table=False).pictures_folder == ""
    check_table_for_pictures("s3://ads/out.XLSX")
