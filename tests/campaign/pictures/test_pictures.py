"""Pictures are downloaded under names that people find, once, and only if they are pictures."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.pictures.pictures import download_pictures
from tests.campaign.pictures.scripted_pictures import (
    HEAD,
    JPEG,
    NAME,
    PNG,
    SMALL,
    complete,
    downloaded,
    files,
    picture,
    sent,
    table_of,
)
from tests.support.scripted import HANG, answer, scripted

pytestmark = pytest.mark.usefixtures("pictures_may_be_on_this_machine")


@pytest.mark.parametrize(
    ("script", "had"),
    [
        ([sent(PNG)], True),
        ([answer("no", 503), b"", answer("slow down", 429), sent(PNG)], True),
        ([sent(PNG[:-400], len(PNG)), sent(PNG)], True),
        ([HEAD + b"\r\n" + PNG[: len(PNG) // 2], sent(PNG)], True),
        ([answer("<html>maintenance</html>"), sent(PNG)], True),
        ([answer("<html>gone</html>", 200)], False),
        ([sent(b"")], False),
        ([sent(PNG[:12])], False),
        ([HEAD + b"\r\n" + PNG[: len(PNG) // 2]], False),
        ([sent(PNG[:100] + b"\x00" * 200 + PNG[300:])], False),
    ],
)
async def test_a_picture_is_there_whole_or_not_at_all(
    tmp_path: Path, script: list[bytes], had: bool
) -> None:
    said, table, server = await downloaded(tmp_path, script)
    assert said.missing == (() if had else (2,))
    assert files(tmp_path / "pictures") == ([NAME, SMALL] if had else [])
    assert table.states[0].image_path == (str(tmp_path / "pictures" / NAME) if had else None)
    assert table.states[0].status is RowStatus.COMPLETED
    assert "x-api-key" not in server.received[0].headers
    if had:
        assert (tmp_path / "pictures" / NAME).read_bytes() == PNG


async def test_what_is_no_picture_is_not_read_to_its_end(tmp_path: Path) -> None:
    endless = HEAD + b"\r\n<html>and so on, and so on" + HANG
    # The server never ends, so this ends only if nobody waits for the rest.
    said, _, _ = await downloaded(tmp_path, [endless])
    assert said.missing == (2,)


@pytest.mark.parametrize(
    ("body", "ending"),
    [(JPEG, "jpg"), (picture("WEBP"), "webp"), (picture("GIF"), "gif"), (PNG, "png")],
)
async def test_the_ending_is_what_the_file_is(tmp_path: Path, body: bytes, ending: str) -> None:
    await downloaded(tmp_path, [sent(body)])
    said, _, server = await downloaded(tmp_path, [sent(body)])
    assert files(tmp_path / "pictures") == [NAME.replace("png", ending), SMALL]
    assert (said.completed, said.fetched, server.received) == (1, 0, [])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "RGB"])
async def test_the_thumbnail_is_small_and_lies_on_white(tmp_path: Path, mode: str) -> None:
    body = picture(mode=mode)
    if mode == "RGBA":
        out = io.BytesIO()
        Image.new("RGBA", (1200, 900), (0, 0, 0, 0)).save(out, "PNG")
        body = out.getvalue()
    await downloaded(tmp_path, [sent(body)])
    with Image.open(tmp_path / "pictures" / SMALL) as small:
        assert (small.format, small.size, small.mode) == ("JPEG", (480, 360), "RGB")
        if mode == "RGBA":
            assert small.getpixel((200, 200)) == (255, 255, 255)


def spoil_nothing(folder: Path) -> None:
    """Nothing happened to the folder."""


def lose_the_thumbnail(folder: Path) -> None:
    (folder / SMALL).unlink()


def name_it_as_before(folder: Path) -> None:
    (folder / NAME).rename(folder / "0017-prod_1-ia_1.png")
    (folder / SMALL).unlink()


def cut(folder: Path) -> None:
    (folder / NAME).write_bytes(PNG[:-100])


def empty(folder: Path) -> None:
    (folder / NAME).write_bytes(b"")


def overwrite_and_lose_the_thumbnail(folder: Path) -> None:
    (folder / SMALL).unlink()
    (folder / NAME).write_bytes(PNG[:200] + b"\x00" * 400 + PNG[600:])


@pytest.mark.parametrize(
    ("happened", "fetches"),
    [
        (spoil_nothing, 0),
        (lose_the_thumbnail, 0),
        (name_it_as_before, 0),
        (cut, 1),
        (empty, 1),
        (overwrite_and_lose_the_thumbnail, 1),
    ],
)
async def test_what_is_there_and_whole_is_not_fetched_again(
    tmp_path: Path, happened: Any, fetches: int
) -> None:
    await downloaded(tmp_path, [sent(PNG)])
    folder = tmp_path / "pictures"
    happened(folder)
    said, table, server = await downloaded(tmp_path, [sent(PNG)])
    assert (len(server.received), said.fetched) == (fetches, fetches)
    place = Path(table.states[0].image_path or "")
    assert place.read_bytes() == PNG
    assert files(folder) == sorted([place.name, f"thumbnails/{place.stem}.jpg"])


async def test_a_picture_that_another_folder_has_is_copied(tmp_path: Path) -> None:
    _, table, _ = await downloaded(tmp_path, [sent(PNG)])
    async with scripted([answer("gone", 410)]) as server:
        said = await download_pictures(table, str(tmp_path / "other"))
        assert server.received == []
    assert said.completed == 1
    assert files(tmp_path / "other") == [NAME, SMALL]


async def test_a_note_that_is_named_after_the_ad_is_not_taken_for_its_picture(
    tmp_path: Path,
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "approved-ia_1.txt").write_text("nice")
    said, _, _ = await downloaded(tmp_path, [sent(PNG)], images_zip=str(tmp_path / "all.zip"))
    assert said.fetched == 1
    assert files(tmp_path / "pictures") == [NAME, "approved-ia_1.txt", SMALL]


async def test_a_long_download_tells_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prefect_staticadslab.campaign.reports.progress.LOG_SECONDS", 0.01)
    told: list[str] = []
    await downloaded(tmp_path, [answer("no", 503), sent(PNG)], log=told.append)
    assert told[0] == "0 of 1 pictures are there"


# Cells that name other things


@pytest.mark.parametrize("name", ["layout.psd", "notes.txt", "mine.png", "approved-ia_1.txt"])
async def test_a_file_that_a_cell_takes_for_the_picture_is_not_removed(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / name).write_text("my own work")
    table = table_of(tmp_path, "Shirt")
    async with scripted([sent(PNG)]) as server:
        complete(table, server.url)
        place = str(tmp_path / "pictures" / name)
        table.update(0, replace(table.states[0], image_path=place))
        await download_pictures(table, str(tmp_path / "pictures"))
    assert files(tmp_path / "pictures") == sorted([NAME, name, SMALL])
    assert table.states[0].image_path == str(tmp_path / "pictures" / NAME)


@pytest.mark.parametrize(
    "cell", ["~nobody_x/p.png", "http://[x/p.png", "a\0.png", "y" * 5000 + ".png", "/", "/etc"]
)
async def test_a_cell_that_can_be_no_file_does_not_keep_the_picture_away(
    tmp_path: Path, cell: str
) -> None:
    table = table_of(tmp_path, "Shirt")
    async with scripted([sent(PNG)]) as server:
        complete(table, server.url)
        table.update(0, replace(table.states[0], image_path=cell))
        said = await download_pictures(table, str(tmp_path / "pictures"))
    assert said.fetched == 1
    assert files(tmp_path / "pictures") == [NAME, SMALL]


async def test_two_ads_that_were_given_the_same_tree_have_a_picture_each(tmp_path: Path) -> None:
    tree = '"{""type"": ""FRAME"", ""children"": []}"'
    lines = ["image_ad_id,current_json_tree", f"ia_1,{tree}", f"ia_2,{tree}"]
    (tmp_path / "in.csv").write_text("\n".join(lines))
    table = Revisions.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv")).table
    folder = tmp_path / "pictures"
    bodies = [picture(size=(40 + i, 30)) for i in range(2)]
    async with scripted([sent(body) for body in bodies]) as server:
        for position in range(2):  # the second row's picture is there a run later
            ad = f"ia_{position + 1}"
            state = JobState(RowStatus.COMPLETED, ad, f"{server.url}/{ad}.png")
            table.update(position, replace(state, facts={"sent_tree": "0123456789abcdef"}))
            await download_pictures(table, str(folder))
    assert [Path(s.image_path or "").read_bytes() for s in table.states] == bodies
    names = [f"000{row}-ia_{row - 1}-0123456789abcdef.png" for row in (2, 3)]
    assert sorted(p.name for p in folder.glob("*.png")) == names
