"""Pictures go into a folder, one ZIP, or behind URLs; places that cannot be are told."""

from __future__ import annotations

import io
import logging
import os
import time
import zipfile
from pathlib import Path

import fsspec
import pytest

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.pictures.contact_sheet import write_contact_sheet
from prefect_staticadslab.campaign.pictures.pictures import download_pictures, prepare_places
from tests.campaign.files.s3_bucket import Store
from tests.campaign.pictures.scripted_pictures import (
    NAME,
    PNG,
    complete,
    downloaded,
    sent,
    table_of,
)
from tests.support.scripted import scripted

pytestmark = pytest.mark.usefixtures("pictures_may_be_on_this_machine")


def test_places_that_cannot_be_are_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CampaignError, match="There can be no folder"):
        prepare_places(str(tmp_path / "file" / "sub"))
    with pytest.raises(CampaignError, match=r"must end in \.zip"):
        prepare_places("", str(tmp_path / "all.rar"))
    with pytest.raises(CampaignError, match="There is no folder"):
        prepare_places("", str(tmp_path / "none" / "all.zip"))
    with pytest.raises(CampaignError, match="of a kind that is not allowed"):
        prepare_places("nosuchprotocol://bucket/pictures")


# One ZIP


async def test_the_zip_holds_all_pictures_stored_and_is_made_anew_only_if_need_be(
    tmp_path: Path,
) -> None:
    place = tmp_path / "all.zip"

    def inode() -> int:
        with zipfile.ZipFile(place) as archive:
            assert archive.testzip() is None
            (entry,) = archive.infolist()
            assert entry.filename == NAME
            assert entry.compress_type == zipfile.ZIP_STORED
            assert archive.read(entry) == (tmp_path / "pictures" / NAME).read_bytes()
        return place.stat().st_ino

    said, _, _ = await downloaded(tmp_path, [sent(PNG)], images_zip=str(place))
    assert said.archive == str(place)
    first = inode()
    await downloaded(tmp_path, [sent(PNG)], images_zip=str(place))
    assert inode() == first
    newer = tmp_path / "pictures" / NAME
    os.utime(newer, (time.time() + 60,) * 2)
    await downloaded(tmp_path, [sent(PNG)], images_zip=str(place))
    second = inode()
    assert second != first
    with zipfile.ZipFile(place, "a") as archive:
        archive.writestr("other.png", b"")
    await downloaded(tmp_path, [sent(PNG)], images_zip=str(place))
    inode()
    assert [p for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"precious")
    return out.getvalue()


@pytest.mark.parametrize("content", [zipped("wedding.jpg"), b"PK, or so they say"])
async def test_a_zip_of_somebody_else_is_refused_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    place = tmp_path / "photos.zip"
    place.write_bytes(content)
    with pytest.raises(CampaignError, match="left alone"):
        prepare_places(str(tmp_path / "pictures"), str(place))
    assert not (tmp_path / "pictures").exists()
    said, _, _ = await downloaded(tmp_path, [sent(PNG)], images_zip=str(place))
    assert (said.archive, said.completed) == ("", 1)
    assert "left alone" in said.archive_error
    assert place.read_bytes() == content


@pytest.mark.parametrize("content", [b"", zipped()])
async def test_an_empty_zip_is_filled(tmp_path: Path, content: bytes) -> None:
    place = tmp_path / "all.zip"
    place.write_bytes(content)
    prepare_places("", str(place))
    await downloaded(tmp_path, [sent(PNG)], images_zip=str(place))
    assert zipfile.ZipFile(place).namelist() == [NAME]
    prepare_places("", str(place))


# Folders behind URLs


@pytest.fixture(params=["memory", "s3"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder for a campaign's files, in fsspec's memory and on an S3 server."""
    if request.param == "memory":
        return f"memory://{tmp_path.name}-{os.getpid()}"
    made: Store = request.getfixturevalue("store")
    return made.url


def listed(url: str) -> list[str]:
    filesystem, path = fsspec.core.url_to_fs(url)
    filesystem.invalidate_cache()
    found: list[str] = filesystem.find(path)
    return sorted(f.split(path.strip("/"), 1)[1].lstrip("/") for f in found)


async def test_pictures_and_zip_live_behind_urls(tmp_path: Path, remote: str) -> None:
    folder, archive = f"{remote}/big pictures", f"{remote}/all.zip"
    table = table_of(tmp_path, "Shirt", "Größe 42", output=f"{remote}/out.csv")
    async with scripted([sent(PNG)]) as server:
        complete(table, server.url)
        said = await download_pictures(table, folder, images_zip=archive)
        assert (said.completed, said.archive, said.missing) == (2, archive, ())
        names = ["0002-Shirt-ia_1", "0003-Größe-42-ia_2"]
        expected = [f"{n}.png" for n in names] + [f"thumbnails/{n}.jpg" for n in names]
        assert listed(folder) == sorted(expected)
        assert [s.image_path for s in table.states] == [f"{folder}/{n}.png" for n in names]
        filesystem, path = fsspec.core.url_to_fs(archive)
        before = filesystem.ukey(path)
        filesystem.rm(f"{fsspec.core.url_to_fs(folder)[1]}/{expected[2]}")
        said = await download_pictures(table, folder, images_zip=archive)
        filesystem.invalidate_cache()
        assert listed(folder) == sorted(expected)
        assert len(server.received) == 2
        assert filesystem.ukey(path) == before
    with filesystem.open(path) as file, zipfile.ZipFile(file) as opened:
        assert opened.namelist() == expected[:2]
        assert opened.read(expected[1]) == PNG
    sheet = write_contact_sheet(table, "Summer") or ""
    with fsspec.open(sheet, "rt", encoding="utf-8") as page:
        html = page.read()
    assert 'src="big%20pictures/thumbnails/0002-Shirt-ia_1.jpg"' in html
    assert 'href="big%20pictures/0002-Shirt-ia_1.png"' in html


async def test_a_remote_folder_that_refuses_is_told_per_row(
    tmp_path: Path,
    store: Store,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    table = table_of(tmp_path, "Shirt")
    async with scripted([sent(PNG)]) as server:
        complete(table, server.url)
        said = await download_pictures(table, "s3://no-such-bucket-here/pictures")
    assert said.missing == (2,)
    assert "Row 2: s3://no-such-bucket-here/pictures/0002-Shirt-ia_1.png cannot be" in caplog.text
