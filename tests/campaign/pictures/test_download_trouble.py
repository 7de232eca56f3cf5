"""URLs that died, servers that are away, full disks: what is lost is told, and no more is asked."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import stamina
from PIL import Image

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.api.errors import AuthenticationError
from prefect_staticadslab.campaign.files.local_files import temporary_name
from prefect_staticadslab.campaign.pictures import downloading
from prefect_staticadslab.campaign.pictures.picture_files import check_and_shrink
from prefect_staticadslab.campaign.pictures.pictures import download_pictures
from prefect_staticadslab.simulator import SimulatorServer
from tests.campaign.pictures.scripted_pictures import (
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
from tests.conftest import ROOT, run_campaign, write_campaign
from tests.support.processes import can_make_small_disks
from tests.support.scripted import answer, scripted

pytestmark = pytest.mark.usefixtures("pictures_may_be_on_this_machine")


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


async def test_what_is_there_already_is_no_missing_picture_though_no_server_answers(
    tmp_path: Path,
) -> None:
    """The last ten of a hundred rows have their pictures, under the paths of their table."""
    table, folder, archive = (
        table_of(tmp_path, *"abcd" * 25),
        tmp_path / "pictures",
        tmp_path / "a.zip",
    )
    folder.mkdir()
    async with scripted([b""]) as server:
        complete(table, server.url)
        for position in range(90, 100):
            (folder / f"{position}-{table.states[position].job_id}.png").write_bytes(PNG)
        with stamina.set_testing(True, attempts=1):
            said = await download_pictures(table, str(folder), images_zip=str(archive))
    assert (said.completed, len(said.missing)) == (10, 90)
    with zipfile.ZipFile(archive) as pictures:
        assert len(pictures.namelist()) == 10
    assert all(state.image_path for state in table.states[90:])


@pytest.mark.skipif(not can_make_small_disks(), reason="needs Linux with user namespaces")
async def test_a_full_disk_is_told_in_words_and_the_next_run_goes_on(tmp_path: Path) -> None:
    noise = io.BytesIO()
    Image.effect_noise((400, 400), 90).save(noise, "PNG")
    table = table_of(tmp_path, *"abcdefgh")
    (tmp_path / "disk").mkdir()
    code = """
import asyncio, os, sys
from prefect_staticadslab.campaign.pictures.pictures import download_pictures
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
table, big, small = ImageAdTable.reopen(sys.argv[1]), *sys.argv[2:]
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


async def test_a_url_that_is_none_is_told_per_row(tmp_path: Path) -> None:
    table = table_of(tmp_path, "Shirt")
    table.update(0, JobState(RowStatus.COMPLETED, "ia_1", "http://[x/y"))
    with stamina.set_testing(True, attempts=1):
        said = await download_pictures(table, str(tmp_path / "pictures"))
    assert said.missing == (2,)
