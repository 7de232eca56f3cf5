"""Pictures are downloaded under names that people find, once, and only if they are pictures."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import sys
import threading
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
import stamina
from PIL import Image

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.api.errors import AuthenticationError
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.local_files import temporary_name
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ResultTable
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.pictures import downloading
from prefect_staticadslab.campaign.pictures.contact_sheet import write_contact_sheet
from prefect_staticadslab.campaign.pictures.picture_files import check_and_shrink
from prefect_staticadslab.campaign.pictures.picture_report import Pictures
from prefect_staticadslab.campaign.pictures.pictures import check_places, download_pictures
from prefect_staticadslab.simulator import SimulatorServer
from tests.campaign.files.s3_bucket import Store
from tests.conftest import ROOT, run_campaign, write_campaign
from tests.support.processes import can_make_small_disks
from tests.support.scripted import HANG, Scripted, answer, scripted


@pytest.fixture(autouse=True)
def pictures_may_be_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAL_ALLOWED_HOSTS", "127.0.0.1")


def picture(kind: str = "PNG", size: tuple[int, int] = (1200, 900), mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    shades = Image.linear_gradient("L").resize(size)
    shades.convert(mode).save(out, kind)
    return out.getvalue()


PNG, JPEG = picture(), picture("JPEG")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n"


def sent(body: bytes, length: int | None = None) -> bytes:
    said = len(body) if length is None else length
    return HEAD + f"content-length: {said}\r\n\r\n".encode() + body


def table_of(folder: Path, *titles: str, output: str = "") -> ResultTable:
    lines = [f"dt_1,brand_1,prod_1,aud_1,prompt {i},{t}" for i, t in enumerate(titles)]
    header = "design_template_id,brand_id,product_id,audience_id,prompt,Title"
    (folder / "in.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return Campaign.open(str(folder / "in.csv"), output or str(folder / "out.csv")).table


def complete(table: ResultTable, url: str) -> None:
    for position in range(len(table.rows)):
        ad = f"ia_{position + 1}"
        table.update(position, JobState(RowStatus.COMPLETED, ad, f"{url}/{ad}.png", attempts=1))


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


NAME, SMALL = "0002-Shirt-ia_1.png", "thumbnails/0002-Shirt-ia_1.jpg"


async def downloaded(
    tmp_path: Path, script: Sequence[bytes], **options: Any
) -> tuple[Pictures, ResultTable, Scripted]:
    """One picture from a scripted server into `pictures`."""
    table = table_of(tmp_path, "Shirt")
    async with scripted(script) as server:
        complete(table, server.url)
        with stamina.set_testing(True, attempts=4):
            had = await download_pictures(table, str(tmp_path / "pictures"), **options)
        await asyncio.sleep(0.02)  # the server sees that its connections are closed
    return had, table, server


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


# URLs that died


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_dead_url_is_asked_for_anew_once(tmp_path: Path, status: int) -> None:
    table = table_of(tmp_path, "Shirt")
    asked = []
    async with scripted([answer("no", status), sent(PNG)]) as server:
        complete(table, f"{server.url}/old")

        async def fresh(image_ad_id: str) -> str | None:
            asked.append(image_ad_id)
            return f"{server.url}/new/1.png"

        said = await download_pictures(table, str(tmp_path / "pictures"), fresh_url=fresh)
    assert (said.completed, asked) == (1, ["ia_1"])
    assert [r.path for r in server.received] == ["/old/ia_1.png", "/new/1.png"]
    assert table.states[0].image_url == f"{server.url}/new/1.png"


async def test_a_url_that_stays_dead_is_told_and_not_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = table_of(tmp_path, "Shirt")
    async with scripted([answer("no", 404)]) as server:
        complete(table, server.url)
        table.update(0, replace(table.states[0], image_url=f"{server.url}/1.png?signature=SECRET"))

        async def fresh(_: str) -> str | None:
            return f"{server.url}/2.png?signature=SECRET"

        said = await download_pictures(table, str(tmp_path / "pictures"), fresh_url=fresh)
    assert said.missing == (2,)
    assert len(server.received) == 2
    assert "Row 2: The picture answered 404" in caplog.text
    assert "SECRET" not in caplog.text
    assert "row 2" in said.notes()[0]


async def test_a_refused_key_is_not_shown_again_for_every_picture(tmp_path: Path) -> None:
    table = table_of(tmp_path, *"abcd" * 10)
    asked = []
    async with scripted([answer("no", 404)]) as server:
        complete(table, server.url)

        async def refused(image_ad_id: str) -> str | None:
            asked.append(image_ad_id)
            raise AuthenticationError("No.", status=401)

        said = await download_pictures(table, str(tmp_path / "pictures"), fresh_url=refused)
    assert len(said.missing) == 40
    assert len(asked) <= downloading.OPEN_DOWNLOADS


async def test_the_simulator_is_asked_for_the_url_of_a_picture_that_moved(
    tmp_path: Path,
    simulator: SimulatorServer,
    client: StaticAdsLabClient,
) -> None:
    place = write_campaign(tmp_path, "a", "b")
    table = (await run_campaign(place, str(tmp_path / "out.csv"), simulator.url))[0].table
    url = table.states[0].image_url or ""
    table.update(0, replace(table.states[0], image_url=f"{simulator.url}/pictures/ia_none.png"))

    async def fresh(image_ad_id: str) -> str | None:
        return (await client.get_image_ad(image_ad_id)).image_url

    said = await download_pictures(table, str(tmp_path / "pictures"), fresh_url=fresh)
    assert said.line().startswith("2 of 2 pictures are there, 2 of them downloaded now")
    assert table.states[0].image_url == url


# Trouble


async def test_a_server_that_is_away_is_not_waited_for_with_every_picture(tmp_path: Path) -> None:
    table = table_of(tmp_path, *"abcd" * 25)
    async with scripted([b""]) as server:
        complete(table, server.url)
        with stamina.set_testing(True, attempts=1):
            said = await download_pictures(table, str(tmp_path / "pictures"))
    assert len(said.missing) == 100
    assert len(server.received) < 40
    assert "server does not answer" in said.stopped_by


@pytest.mark.skipif(not can_make_small_disks(), reason="needs Linux with user namespaces")
async def test_a_full_disk_is_told_in_words_and_the_next_run_goes_on(tmp_path: Path) -> None:
    noise = io.BytesIO()
    Image.effect_noise((400, 400), 90).save(noise, "PNG")
    table = table_of(tmp_path, *"abcdefgh")
    (tmp_path / "disk").mkdir()
    code = """
import asyncio, os, sys
from prefect_staticadslab.campaign.pictures.pictures import download_pictures
from prefect_staticadslab.campaign.job_types.image_ads import ResultTable
table, big, small = ResultTable.reopen(sys.argv[1]), *sys.argv[2:]
said = asyncio.run(download_pictures(table, small))
print(said.completed, len(said.missing))
print("\\n".join(said.notes()))
for name in (f"{small}/{name}" for name in os.listdir(small)):
    os.path.isfile(name) and os.unlink(name)
said = asyncio.run(download_pictures(table, big, images_zip=f"{small}/all.zip"))
print(said.line(), *said.notes(), os.listdir(small))
"""
    async with scripted([sent(noise.getvalue())]) as server:
        complete(table, server.url)
        table.save_now()
        mount = f"mount -t tmpfs -o size=600k tmpfs {tmp_path}/disk && exec " + '"$@"'
        done = await asyncio.create_subprocess_exec(
            *["unshare", "-rm", "sh", "-c", mount, "sh", sys.executable, "-c", code],
            *[str(tmp_path / name) for name in ("out.csv", "pictures", "disk")],
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        out = (await done.communicate())[0].decode()
    had, missing = map(int, out.splitlines()[0].split())
    assert had + missing == 8
    assert missing > 0
    assert f"The disk of {tmp_path}/disk is full" in out
    *_, last = out.splitlines()
    assert last.startswith("8 of 8 pictures are there")
    assert (
        f"The ZIP was not made: {tmp_path}/disk/all.zip cannot be written: the disk is full" in last
    )
    assert last.endswith("['thumbnails']")


async def test_no_more_downloads_and_decodes_than_allowed_are_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding, most_decoding, two = 0, 0, threading.Event()
    check = check_and_shrink

    def counted(path: Path, small: Path, comment: str) -> str:
        nonlocal decoding, most_decoding
        decoding += 1
        most_decoding = max(most_decoding, decoding)
        # The first waits for the second, which is there unless they come one by one.
        if decoding == 2:
            two.set()
        two.wait(timeout=60)
        try:
            return check(path, small, comment)
        finally:
            decoding -= 1

    monkeypatch.setattr(downloading, "check_and_shrink", counted)
    open_, most_open, eight = 0, 0, asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_, most_open
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                open_ += 1
                most_open = max(most_open, open_)
                if open_ == 8:
                    eight.set()
                await asyncio.wait_for(eight.wait(), 60)
                await asyncio.sleep(0.02)
                open_ -= 1
                writer.write(sent(small))
        except asyncio.IncompleteReadError:
            writer.close()

    small = picture(size=(60, 60))
    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    table = table_of(tmp_path, *"abcd" * 10)
    complete(table, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
    async with listener:
        said = await download_pictures(table, str(tmp_path / "pictures"))
        await asyncio.sleep(0.02)  # the server sees that its connections are closed
    assert said.completed == 40
    assert (most_open, most_decoding) == (8, 2)


async def test_what_a_killed_process_left_behind_is_tidied_up(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    ours, in_use = temporary_name("picture"), temporary_name("picture")
    for name, hours in ((ours, 2), (in_use, 0), (".movie.mkv.part", 2)):
        (folder / name).write_bytes(b"\x89PNG")
        os.utime(folder / name, (time.time() - hours * 3600,) * 2)
    await downloaded(tmp_path, [sent(PNG)])
    assert files(folder) == sorted([in_use, ".movie.mkv.part", NAME, SMALL])


def test_places_that_cannot_be_are_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CampaignError, match="There can be no folder"):
        check_places(str(tmp_path / "file" / "sub"))
    with pytest.raises(CampaignError, match=r"must end in \.zip"):
        check_places("", str(tmp_path / "all.rar"))
    with pytest.raises(CampaignError, match="There is no folder"):
        check_places("", str(tmp_path / "none" / "all.zip"))
    with pytest.raises(CampaignError, match="of a kind that is not allowed"):
        check_places("nosuchprotocol://bucket/pictures")


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
        check_places(str(tmp_path / "pictures"), str(place))
    assert not (tmp_path / "pictures").exists()
    said, _, _ = await downloaded(tmp_path, [sent(PNG)], images_zip=str(place))
    assert (said.archive, said.completed) == ("", 1)
    assert "left alone" in said.archive_error
    assert place.read_bytes() == content


@pytest.mark.parametrize("content", [b"", zipped()])
async def test_an_empty_zip_is_filled(tmp_path: Path, content: bytes) -> None:
    place = tmp_path / "all.zip"
    place.write_bytes(content)
    check_places("", str(place))
    await downloaded(tmp_path, [sent(PNG)], images_zip=str(place))
    assert zipfile.ZipFile(place).namelist() == [NAME]
    check_places("", str(place))


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


async def test_a_url_that_is_none_is_told_per_row(tmp_path: Path) -> None:
    table = table_of(tmp_path, "Shirt")
    table.update(0, JobState(RowStatus.COMPLETED, "ia_1", "http://[x/y"))
    with stamina.set_testing(True, attempts=1):
        said = await download_pictures(table, str(tmp_path / "pictures"))
    assert said.missing == (2,)


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
