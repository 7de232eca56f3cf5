"""What the address of a picture can make this machine ask, and how long and how much."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina

from prefect_staticadslab import bounds
from prefect_staticadslab.api.errors import (
    APIConnectionError,
    ForbiddenAddressError,
    StaticAdsLabError,
)
from prefect_staticadslab.api.web import WebGate
from prefect_staticadslab.api.web.downloads import MAX_TRIES, PictureDownloader
from prefect_staticadslab.campaign.pictures.pictures import download_pictures
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import run_campaign, write_campaign
from tests.security.network.hostile import Hostile, bomb, endless, head, hostile, trickling, whole

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture(autouse=True)
def no_pauses_and_no_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name == "SAL_ALLOWED_HOSTS":
            monkeypatch.delenv(name)
    with stamina.set_testing(True, attempts=MAX_TRIES):
        yield


async def fetched(url: str, tmp_path: Path, gate: WebGate | None = None) -> bytes:
    async def check(path: Path) -> bytes:
        return path.read_bytes()

    async with PictureDownloader(gate) as downloader:
        return await downloader.download(url, tmp_path / "picture", check)


def of(server: Hostile) -> WebGate:
    return WebGate.allowing(server.url)


async def test_a_picture_of_an_allowed_origin_is_had(tmp_path: Path) -> None:
    async with hostile(whole(PNG)) as server:
        assert await fetched(f"{server.url}/1.png", tmp_path, of(server)) == PNG
    assert b"api-key" not in server.received[0].lower()


@pytest.mark.parametrize(
    "spelling", ["127.0.0.1", "localhost", "2130706433", "127.1", "good@[::1]"]
)
async def test_a_picture_on_this_machine_is_not_asked_for(tmp_path: Path, spelling: str) -> None:
    async with hostile(whole(PNG)) as server:
        with pytest.raises(ForbiddenAddressError):
            await fetched(f"http://{spelling}:{server.port}/1.png", tmp_path)
        assert server.received == []
    assert not (tmp_path / "picture").exists()


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "/etc/passwd", "s3://b/1.png", "ftp://x/1.png", "", "http://[x"]
)
async def test_what_is_no_web_address_is_not_asked_for(tmp_path: Path, url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        await fetched(url, tmp_path)


async def test_a_redirect_to_this_machine_is_not_followed_and_not_tried_again(
    tmp_path: Path,
) -> None:
    async with hostile(whole(PNG)) as inner:
        there = whole(b"", "302 Found", Location=f"{inner.url}/1.png")
        async with hostile(there) as outer:
            with pytest.raises(ForbiddenAddressError):
                await fetched(outer.url, tmp_path, of(outer))
        assert inner.received == []
    assert len(outer.received) == 1


async def test_redirects_without_an_end_are_given_up(tmp_path: Path) -> None:
    async with hostile(whole(b"", "302 Found", Location="/1.png")) as server:
        with pytest.raises(APIConnectionError, match="redirected more than"):
            await fetched(server.url, tmp_path, of(server))
    assert len(server.received) == MAX_TRIES * (1 + bounds.REDIRECTS)


@pytest.mark.parametrize(
    "reply",
    [
        trickling([head(), PNG]),
        trickling([head(Content_Length="1000000"), PNG]),
        trickling([b"HTTP/1.1 200 OK\r\nX: "]),
        trickling([head("302 Found", Location="/"), PNG], b"HTTP"),
    ],
    ids=["body", "sized body", "headers", "redirects"],
)
async def test_a_picture_that_trickles_in_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: Any
) -> None:
    monkeypatch.setattr(bounds, "WEB_GRACE_SECONDS", 0.2)
    async with hostile(reply) as server:
        with pytest.raises(APIConnectionError, match=r"was not there after|redirected more than"):
            await fetched(f"{server.url}/1.png?signature=s3cr3t", tmp_path, of(server))


@pytest.mark.parametrize(
    "reply",
    [
        endless(PNG),
        whole(PNG + bytes(200_000)),
        whole(bomb(10_000_000), Content_Encoding="gzip"),
        whole(bomb(10_000_000, layers=2), Content_Encoding="gzip, gzip"),
        whole(bomb(1000), Content_Encoding="br"),
        endless(b"x" * 1000, "302 Found", Location="/"),
    ],
    ids=["endless", "large", "bomb", "bomb in a bomb", "brotli", "endless redirect"],
)
async def test_a_picture_without_an_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: Any
) -> None:
    monkeypatch.setattr(bounds, "PICTURE_BYTES", 100_000)
    async with hostile(reply) as server:
        with pytest.raises(StaticAdsLabError) as told:
            await fetched(f"{server.url}/1.png?signature=s3cr3t", tmp_path, of(server))
    assert "s3cr3t" not in str(told.value)
    if (tmp_path / "picture").exists():
        assert (tmp_path / "picture").stat().st_size <= bounds.PICTURE_BYTES


async def test_a_table_that_names_this_machine_gets_a_line_per_row(
    tmp_path: Path, simulator: SimulatorServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    place = write_campaign(tmp_path, "a", "b")
    table = (await run_campaign(place, str(tmp_path / "out.csv"), simulator.url))[0].table
    async with hostile(whole(PNG)) as inner:
        table.update(0, JobState(RowStatus.COMPLETED, "ia_1", f"{inner.url}/admin", attempts=1))
        had = await download_pictures(
            table, str(tmp_path / "pictures"), gate=WebGate.allowing(simulator.url)
        )
        assert inner.received == []
    assert (had.completed, had.missing) == (1, (2,))
    assert "Row 2: 127.0.0.1 is this machine itself, and not asked." in caplog.text
    assert f"SAL_ALLOWED_HOSTS=127.0.0.1:{inner.port}" in caplog.text


async def test_many_downloads_of_a_slow_server_end(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(bounds, "WEB_GRACE_SECONDS", 0.2)
    async with hostile(trickling([head(), PNG])) as server:
        ends = await asyncio.gather(
            *(fetched(f"{server.url}/{n}.png", tmp_path, of(server)) for n in range(8)),
            return_exceptions=True,
        )
    assert {type(end) for end in ends} == {APIConnectionError}
