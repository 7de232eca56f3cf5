"""Image files on their way to the API."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import PIL.Image
import pytest

from prefect_staticadslab import ImageType, StaticAdsLabClient
from prefect_staticadslab.api.rate_limit import RateLimiter
from prefect_staticadslab.campaign.files.images import ImageFileError, read_image
from prefect_staticadslab.campaign.job_types import uploads
from prefect_staticadslab.campaign.job_types.uploads import UploadFields, upload_images
from prefect_staticadslab.simulator import SimulatorServer
from tests.support.scripted import Received, data, error, scripted

PRODUCT = UploadFields(ImageType.PRODUCT, product_id="prod_1")


def client_of(url: str) -> StaticAdsLabClient:
    return StaticAdsLabClient("sal_live_x", url, limiter=RateLimiter(), max_tries=1)


def picture(format: str = "PNG", color: str = "teal") -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), color).save(out, format)
    return out.getvalue()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The test's folder as a web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_an_image_is_read_whatever_its_name_says(tmp_path: Path, format: str) -> None:
    (tmp_path / "picture.dat").write_bytes(picture(format))
    image = read_image(str(tmp_path / "picture.dat"))
    assert image.media_type == f"image/{format.lower()}"
    assert image.filename == "picture.dat"


def test_an_image_is_read_from_anywhere(tmp_path: Path, web: str) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    read = [
        read_image(p) for p in (f"{tmp_path}/a.png", f"file://{tmp_path}/a.png", f"{web}/a.png")
    ]
    assert {image.digest for image in read} == {read[0].digest}
    assert {image.filename for image in read} == {"a.png"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "a.png is empty."),
        (b"Hello", "a.png is no PNG, JPEG, WebP or GIF."),
        (picture()[:50], "a.png is a broken image"),
        (picture()[:-30] + b"\0" * 30, "a.png is a broken image"),
        (
            picture() + os.urandom(15 * 1024 * 1024),
            "a.png has more than 15 MB, the most that the API takes.",
        ),
    ],
    ids=["empty", "text", "cut", "garbled", "large"],
)
def test_what_is_no_image_is_told_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(content)
    with pytest.raises(ImageFileError) as refused:
        read_image("a.png")
    assert str(refused.value).startswith(says)


async def test_all_that_is_wrong_is_told_at_once_and_nothing_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.png").write_bytes(picture())
    Path("notes.txt").write_bytes(b"Hello")
    Path("folder").mkdir()
    places = ["good.png", "none.png", "notes.txt", "folder", "http://127.0.0.1:9/a.png?key=SECRET"]
    async with scripted([data({"id": "img_1"})]) as server, client_of(server.url) as client:
        with pytest.raises(ImageFileError) as refused:
            await upload_images(client, places, PRODUCT)
    assert server.received == []
    told = str(refused.value).splitlines()
    assert told[:3] == [
        f"There is no file none.png in {Path.cwd()}.",
        "notes.txt is no PNG, JPEG, WebP or GIF.",
        "folder is a folder, not a file.",
    ]
    assert "http://127.0.0.1:9/a.png" in told[3]
    assert "SECRET" not in str(refused.value)


async def test_files_of_the_same_content_are_one_upload_and_one_image(tmp_path: Path) -> None:
    colors = {"a.png": "teal", "b.png": "red", "c.png": "teal"}
    for name, color in colors.items():
        (tmp_path / name).write_bytes(picture(color=color))
    places = [str(tmp_path / name) for name in [*colors, "a.png"]]
    async with (
        scripted([data({"id": "img_1"}), data({"id": "img_2"})]) as server,
        client_of(server.url) as client,
    ):
        found = await upload_images(client, places, PRODUCT)
    assert len(server.received) == 2
    assert found[0] == found[2] == found[3] != found[1]
    told = [received.body for received in server.received]
    assert all(b'name="image_type"\r\n\r\nproduct\r\n' in body for body in told)
    assert all(b'name="product_id"\r\n\r\nprod_1\r\n' in body for body in told)


async def test_the_key_is_the_same_for_the_same_upload_and_for_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "renamed.png").write_bytes(picture())
    uploads = [
        ("a.png", PRODUCT),
        ("a.png", PRODUCT),
        ("renamed.png", PRODUCT),
        ("a.png", UploadFields(ImageType.LOGO, product_id="prod_1")),
        ("a.png", UploadFields(ImageType.PRODUCT)),
    ]
    async with scripted([data({"id": "img_1"})]) as server, client_of(server.url) as client:
        for name, fields in uploads:
            await upload_images(client, [str(tmp_path / name)], fields)
    first, second, *others = server.received
    assert key_of(first) == key_of(second)
    assert first.body == second.body
    assert len({key_of(first), *map(key_of, others)}) == 4


REPLAYED = {"Idempotent_Replayed": "true"}


async def test_an_image_that_was_deleted_is_uploaded_anew_although_its_key_is_known(
    client: StaticAdsLabClient, simulator: SimulatorServer, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    places, logo = [str(tmp_path / "a.png")], UploadFields(ImageType.LOGO)
    (first,) = await upload_images(client, places, logo)
    assert await upload_images(client, places, logo) == [first]
    for _ in range(uploads.FRESH_KEYS - 1):
        (image,) = await upload_images(client, places, logo)
        del simulator.api.catalogue.images[image.id]
    (again,) = await upload_images(client, places, logo)
    assert again.id in simulator.api.catalogue.images
    del simulator.api.catalogue.images[again.id]
    with pytest.raises(ImageFileError, match=r"a\.png was uploaded 3 times within a day"):
        await upload_images(client, places, logo)


async def test_a_key_that_may_upload_but_not_read_gets_its_image_again(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    script = [data({"id": "img_1"}, 201, **REPLAYED), error(403, "FORBIDDEN")]
    async with scripted(script) as server, client_of(server.url) as client:
        (image,) = await upload_images(client, [str(tmp_path / "a.png")], PRODUCT)
    assert image.id == "img_1"
    assert [received.method for received in server.received] == ["POST", "GET"]


def key_of(received: Received) -> str:
    return received.headers["idempotency-key"]


async def test_few_files_are_held_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    held, most, lock = 0, 0, threading.Lock()
    original = read_image

    def counted(location: str) -> object:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        try:
            return original(str(tmp_path / "a.png"))
        finally:
            with lock:
                held -= 1

    monkeypatch.setattr("prefect_staticadslab.campaign.job_types.uploads.read_image", counted)
    async with scripted([data({"id": "img_1"})]) as server, client_of(server.url) as client:
        await upload_images(client, [f"{i}.png" for i in range(40)], PRODUCT)
    assert most <= uploads.OPEN_UPLOADS
    assert len(server.received) == 1
