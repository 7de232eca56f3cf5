"""Pictures that are named by a column: safe on every system, found again, and nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.pictures.captions import (
    STEM_BYTES,
    check_naming_column,
    name_key,
    picture_stems,
)
from prefect_staticadslab.campaign.pictures.picture_report import Pictures
from prefect_staticadslab.campaign.pictures.pictures import download_pictures
from tests.campaign.pictures.scripted_pictures import PNG, complete, files, sent, table_of
from tests.support.scripted import Scripted, answer, scripted

pytestmark = pytest.mark.usefixtures("pictures_may_be_on_this_machine")


def named(folder: Path, *titles: str) -> ImageAdTable:
    """A table whose rows are completed, and called so."""
    table = table_of(folder, *titles)
    complete(table, "https://pictures.example")
    return table


def stems(folder: Path, *titles: str) -> list[str]:
    return [names[0] for names in picture_stems(named(folder, *titles), "title")]


@pytest.mark.parametrize(
    ("titles", "expected"),
    [
        (("HR-001", "HR-002"), ["HR-001", "HR-002"]),
        (("Größe 42 / blau", "../../etc"), ["Größe-42-blau", "etc"]),
        # A blank cell, and one of which nothing can be in a name.
        (("", "🎁", "A"), ["0002-prod_1-ia_1", "0003-ia_2", "A"]),
        # Systems that do not tell case, or ways to write an accent, would take these for one.
        (("Tee", "TEE", "Mug"), ["Tee-0002", "TEE-0003", "Mug"]),
        (("Straße", "STRASSE"), ["Straße-0002", "STRASSE-0003"]),
        (("caf\u00e9", "cafe\u0301"), ["caf\u00e9-0002", "caf\u00e9-0003"]),
        (("Tea!", "Tea?"), ["Tea-0002", "Tea-0003"]),
        # A name that another row's becomes.
        (("A", "A", "A-0002"), ["A-0002-ia_1", "A-0003", "A-0002-0004"]),
        # No file of Windows can be called so.
        (("CON", "nul", "Com1", "LPT9", "console"), None),
    ],
)
def test_names_are_the_columns_unless_they_cannot_be(
    tmp_path: Path, titles: Sequence[str], expected: list[str] | None
) -> None:
    if expected is None:
        expected = ["CON-0002", "nul-0003", "Com1-0004", "LPT9-0005", "console"]
    assert stems(tmp_path, *titles) == expected


def test_no_two_names_are_alike_and_none_is_long(tmp_path: Path) -> None:
    titles = ["x" * 300, "X" * 300, "a.b", "a b", "A-B", "con", "CON", "", "夏" * 200, "aux.txt"]
    found = stems(tmp_path, *titles * 3)
    assert len({name_key(stem) for stem in found}) == len(found)
    assert all(len(stem.encode()) <= STEM_BYTES + 40 for stem in found)
    assert not set("".join(found)) & set('/\\:*?"<>|. ')


def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    table = named(tmp_path, "Shirt")
    check_naming_column(table, " TITLE ")
    with pytest.raises(CampaignError, match=r"'SKU'.*no such column.*design_template_id, .*Title"):
        check_naming_column(table, "SKU")


async def fetched(
    table: ImageAdTable, folder: Path, *, name_by: str, answers: Sequence[bytes] = (sent(PNG),)
) -> tuple[Pictures, Scripted]:
    """Downloads a table's pictures from a server that gives everybody the same one."""
    async with scripted(list(answers)) as server:
        for position, state in enumerate(table.states):
            url = f"{server.url}/{state.job_id}.png"
            table.update(position, replace(state, image_url=url))
        return await download_pictures(table, str(folder), name_by=name_by), server


async def test_a_second_run_finds_its_files_and_downloads_nothing_twice(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    table = named(tmp_path, "Tee", "TEE", "")
    first, _ = await fetched(table, folder, name_by="Title")
    assert first.fetched == 3
    expected = ["0004-prod_1-ia_3", "TEE-0003", "Tee-0002"]
    assert [name for name in files(folder) if "/" not in name] == [f"{n}.png" for n in expected]
    for _ in range(2):
        again, server = await fetched(table, folder, name_by="Title")
        assert (again.fetched, again.completed, len(server.received)) == (0, 3, 0)
    # A table that says nothing of its pictures: these are known by their thumbnails.
    for position, state in enumerate(table.states):
        table.update(position, replace(state, image_path=None))
    again, server = await fetched(table, folder, name_by="Title")
    assert (again.fetched, again.completed, len(server.received)) == (0, 3, 0)
    assert table.states[1].image_path == str(folder / "TEE-0003.png")


async def test_pictures_that_were_named_otherwise_are_renamed(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    table = named(tmp_path, "Shirt")
    await fetched(table, folder, name_by="")
    assert files(folder) == ["0002-Shirt-ia_1.png", "thumbnails/0002-Shirt-ia_1.jpg"]
    said, server = await fetched(table, folder, name_by="prompt")
    assert (said.fetched, len(server.received)) == (0, 0)
    assert files(folder) == ["prompt-0.png", "thumbnails/prompt-0.jpg"]
    assert table.states[0].image_path == str(folder / "prompt-0.png")
    await fetched(table, folder, name_by="title")
    assert files(folder) == ["Shirt.png", "thumbnails/Shirt.jpg"]
    # Without a column nothing is renamed.
    said, _ = await fetched(table, folder, name_by="")
    assert said.fetched == 0
    assert files(folder) == ["Shirt.png", "thumbnails/Shirt.jpg"]


async def test_rows_that_moved_keep_the_names_of_their_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    table = named(tmp_path, "Tee", "TEE")
    await fetched(table, folder, name_by="title")
    before = files(folder)
    for position, row in enumerate(table.rows):
        table.rows[position] = replace(row, number=row.number + 5)
    said, _ = await fetched(table, folder, name_by="title")
    assert said.fetched == 0
    assert files(folder) == before


@pytest.mark.parametrize("name", ["Shirt.png", "SHIRT.jpg", "shirt.txt"])
async def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / name).write_bytes(b"a photo of hers")
    said, _ = await fetched(named(tmp_path, "Shirt"), folder, name_by="title")
    assert said.completed == 1
    assert (folder / name).read_bytes() == b"a photo of hers"
    assert (folder / "Shirt-0002.png").read_bytes() == PNG


async def test_the_next_campaigns_pictures_do_not_take_the_place_of_the_last_ones(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "pictures"
    await fetched(named(tmp_path, "Shirt"), folder, name_by="title")
    table = named(tmp_path, "Shirt")
    table.update(0, JobState(RowStatus.COMPLETED, "ia_next", "https://pictures.example/n.png"))
    said, _ = await fetched(table, folder, name_by="title")
    assert said.fetched == 1
    assert [n for n in files(folder) if "/" not in n] == ["Shirt-0002.png", "Shirt.png"]


async def test_a_broken_picture_is_fetched_again_under_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    table = named(tmp_path, "Shirt")
    await fetched(table, folder, name_by="title")
    (folder / "Shirt.png").write_bytes(PNG[:-9])
    said, _ = await fetched(table, folder, name_by="title")
    assert said.fetched == 1
    assert files(folder) == ["Shirt.png", "thumbnails/Shirt.jpg"]
    assert (folder / "Shirt.png").read_bytes() == PNG


async def test_a_picture_that_another_folder_has_is_copied_by_what_its_thumbnail_says(
    tmp_path: Path,
) -> None:
    table = named(tmp_path, "Shirt")
    await fetched(table, tmp_path / "pictures", name_by="title")
    gone = [answer("gone", 410)]
    said, server = await fetched(table, tmp_path / "other", name_by="title", answers=gone)
    assert (said.completed, len(server.received)) == (1, 0)
    assert files(tmp_path / "other") == ["Shirt.png", "thumbnails/Shirt.jpg"]


async def test_pictures_behind_a_url_are_named_and_renamed(tmp_path: Path) -> None:
    folder = f"memory://{tmp_path.name}/pictures"
    table = named(tmp_path, "Shirt")
    async with scripted([sent(PNG)]) as server:
        complete(table, server.url)
        await download_pictures(table, folder)
        said = await download_pictures(table, folder, name_by="title")
        assert len(server.received) == 1
    filesystem, path = fsspec.core.url_to_fs(folder)
    found = sorted(name.removeprefix(f"{path}/") for name in filesystem.find(path))
    assert said.fetched == 0
    assert found == ["Shirt.png", "thumbnails/Shirt.jpg"]
    assert table.states[0].image_path == f"{folder}/Shirt.png"
