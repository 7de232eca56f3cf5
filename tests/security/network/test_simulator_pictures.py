"""The simulator decodes no picture and fetches no address with which a stranger could harm it."""

from __future__ import annotations

import io
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from PIL import EpsImagePlugin, Image, ImageFile

from prefect_staticadslab.simulator.http.calls import fetch
from prefect_staticadslab.simulator.model import uploads
from tests.simulator.conftest import held

__all__ = ["held"]  # what is answered to nonsense is described as well


def png(width: int = 8, height: int = 8) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "PNG")
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def large_png(width: int, height: int) -> bytes:
    """A PNG of one colour, which is small however many pixels it has."""
    packer = zlib.compressobj(9)
    row = b"\0" * (width + 1)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    )


# Images


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[tuple[int, int]] = []
    load = ImageFile.ImageFile.load

    def noted(image: ImageFile.ImageFile) -> object:
        decoded.append(image.size)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", noted)
    bomb = large_png(20_000, 19_000)
    assert len(bomb) < 1_000_000
    for field, path in (("images", "/v1/images"), ("templates", "/v1/design-templates")):
        files = {"file": (f"{field}.png", bomb)}
        answer = api.post(path, files=files, data={"image_type": "product"})
        assert answer.status_code == 413, answer.text
        assert "pixels" in answer.text
    assert decoded == []


def test_an_image_just_above_the_bound_is_refused_and_one_within_is_taken(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_PIXELS", 100)
    told = [
        api.post(
            "/v1/images",
            files={"file": ("a.png", png(width, 10))},
            data={"image_type": "product"},
        ).status_code
        for width in (11, 10)
    ]
    assert told == [413, 201]


def test_no_decoder_but_those_of_the_four_formats_sees_an_upload(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An EPS would be given to Ghostscript, which is a language."""
    opened: list[object] = []

    def noted(image: object) -> None:
        opened.append(image)

    monkeypatch.setattr(EpsImagePlugin.EpsImageFile, "_open", noted)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) print\n"
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "BMP")
    for content in (eps, out.getvalue(), b"<svg xmlns='http://www.w3.org/2000/svg'/>", b""):
        answer = api.post(
            "/v1/images", files={"file": ("a.png", content)}, data={"image_type": "product"}
        )
        assert answer.status_code == 400, content
    assert opened == []


# Addresses that the simulator fetches


@contextmanager
def answering(answer: bytes, *, then: str = "close") -> Iterator[str]:
    """A server that says this to everybody, and then closes or goes on byte by byte."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.recv(10_000)
                        connection.sendall(answer)
                        while then == "drip" and not ended.wait(0.05):
                            connection.sendall(b"x")
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=600)


def reference(api: httpx.Client, url: str) -> httpx.Response:
    return api.post("/v1/design-templates", json={"reference_image_url": url})


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.png",
        "http://192.168.0.1/a.png",
        "http://127.0.0.1.evil.example/a.png",
        "http://127.0.0.1@evil.example/a.png",
        "http://[/a.png",
        "http://127.0.0.1:99999/a.png",
        "http://127.0.0.1:x/a.png",
        "http://127.0.0.1:9/a b\r\nX: y",
    ],
)
def test_a_reference_elsewhere_is_not_fetched(api: httpx.Client, url: str) -> None:
    answer = reference(api, url)
    assert answer.status_code in (400, 422), answer.text
    assert "root:" not in answer.text


def test_no_redirect_leads_a_fetch_elsewhere(api: httpx.Client) -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n" + png()) as secret:
        head = f"HTTP/1.1 302 Found\r\nLocation: {secret}/\r\nContent-Length: 0\r\n\r\n"
        with answering(head.encode()) as url:
            answer = reference(api, f"{url}/a.png")
            assert (answer.status_code, "302" in answer.text) == (422, True)
        assert reference(api, f"{secret}/a.png").status_code == 202


@pytest.mark.parametrize("so_far", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_reference_that_never_ends_is_given_up(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, so_far: bytes
) -> None:
    """It sends a byte now and then, so no time-out for a single one ever passes."""
    monkeypatch.setattr(fetch, "FETCH_SECONDS", 0.5)
    with answering(so_far, then="drip") as url:
        assert reference(api, f"{url}/a.png").status_code in (400, 422)


def test_of_a_reference_without_an_end_no_more_is_read_than_an_upload_may_have(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 10_000)
    with answering(b"HTTP/1.1 200 OK\r\n\r\n" + png() + bytes(1_000_000)) as url:
        assert reference(api, f"{url}/a.png").status_code == 413
