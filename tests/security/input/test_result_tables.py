"""Attacks by a result table: whatever its cells name, no file of this machine is taken or shown."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.pictures.contact_sheet import contact_sheet
from prefect_staticadslab.campaign.pictures.pictures import download_pictures
from tests.campaign.job_types.test_templates import picture
from tests.campaign.pictures.test_contact_sheet import Page, opened
from tests.security.stranger import Stranger

DONE = JobState(RowStatus.COMPLETED, "ia_1")


@pytest.fixture
def table(tmp_path: Path) -> ImageAdTable:
    """A table in a folder of its own, beside a private picture."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "0002-Shirt-ia_1.png").write_bytes(picture("red"))
    (tmp_path / "ads").mkdir()
    return opened(tmp_path / "ads", "a")


NAMES = [
    "{root}/private/0002-Shirt-ia_1.png",
    "file://{root}/private/0002-Shirt-ia_1.png",
    "FILE://{root}/private/0002-Shirt-ia_1.png",
    "{root}/ads/../private/0002-Shirt-ia_1.png",
    "{root}/ads/link-ia_1.png",
    "{root}/ads/far/0002-Shirt-ia_1.png",
    "../private/0002-Shirt-ia_1.png",
]


def trapped(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a cell leads to, with links in the table's folder."""
    monkeypatch.chdir(root / "ads")
    (root / "ads" / "link-ia_1.png").symlink_to(root / "private" / "0002-Shirt-ia_1.png")
    (root / "ads" / "far").symlink_to(root / "private")
    return name.format(root=root)


@pytest.mark.skipif(os.name == "nt", reason="links are POSIX")
@pytest.mark.parametrize("name", NAMES)
async def test_no_private_picture_is_copied_or_put_into_the_zip(
    name: str, table: ImageAdTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.update(0, replace(DONE, image_path=trapped(tmp_path, name, monkeypatch)))
    archive = str(tmp_path / "ads" / "all.zip")
    had = await download_pictures(table, str(tmp_path / "ads" / "pictures"), images_zip=archive)
    assert (had.completed, had.failed) == (0, 1)
    assert [p for p in (tmp_path / "ads" / "pictures").rglob("*") if p.is_file()] == []


@pytest.mark.skipif(os.name == "nt", reason="links are POSIX")
@pytest.mark.parametrize("name", NAMES)
def test_the_contact_sheet_leads_to_nothing_outside_of_its_folder(
    name: str, table: ImageAdTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.update(0, replace(DONE, image_path=trapped(tmp_path, name, monkeypatch)))
    page = Page(contact_sheet(table, str(tmp_path / "ads" / "out.html"), "title"))
    assert page.all("img", "src") == page.links == []


async def test_a_picture_below_the_tables_folder_is_taken_only_under_its_own_name(
    table: ImageAdTable, tmp_path: Path
) -> None:
    folder = tmp_path / "ads" / "earlier"
    folder.mkdir()
    for name, is_ours in (("holiday.png", False), ("0002-Shirt-ia_1.png", True)):
        (folder / name).write_bytes(picture("blue"))
        table.update(0, replace(DONE, image_path=str(folder / name)))
        had = await download_pictures(table, str(tmp_path / "ads" / f"to-{name}"))
        assert had.completed == is_ours


async def test_no_picture_of_this_machines_servers_is_asked_for(
    table: ImageAdTable, tmp_path: Path, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SAL_ALLOWED_HOSTS", raising=False)
    stranger.serve("/1.png", picture("red"))
    for state in (
        replace(DONE, image_url=f"{stranger.url}/1.png"),
        replace(DONE, image_path=f"{stranger.url}/1.png"),
    ):
        table.update(0, state)
        had = await download_pictures(table, str(tmp_path / "ads" / "pictures"))
        assert had.completed == 0
        contact_sheet(table, str(tmp_path / "ads" / "out.html"), "title")
    assert stranger.asked == []


@pytest.mark.parametrize("folder", ["memory://strangers", "s3://strangers", "ftp://127.0.0.1"])
def test_the_contact_sheet_lists_no_folder_that_a_cell_names(
    folder: str, table: ImageAdTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def listed(place: str) -> list[str]:
        asked.append(place)
        return []

    links = "prefect_staticadslab.campaign.pictures.picture_links"
    monkeypatch.setattr(f"{links}.remote_thumbnails", listed)
    table.update(0, replace(DONE, image_path=f"{folder}/1.png"))
    contact_sheet(table, "memory://ours/out.html", "title")
    assert asked == []
    table.update(0, replace(DONE, image_path="memory://ours/pictures/1.png"))
    contact_sheet(table, "memory://ours/out.html", "title")
    assert asked == ["memory://ours/pictures"]
