"""The simulator answers this machine's own programs: no web page, and nothing that is too large."""

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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image, ImageFile

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.http import request_body
from prefect_staticadslab.simulator.http.calls import fetch
from prefect_staticadslab.simulator.model import uploads
from tests.conftest import simulated_ids
from tests.simulator.conftest import held

__all__ = ["held"]  # what is answered to nonsense is described as well

KEY = {"X-API-Key": SIMULATOR_API_KEY}
STATS, AGE = "/_simulator/stats", "/_simulator/age?seconds=90000"


@pytest.fixture
def api(simulator: SimulatorServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=simulator.url, headers=KEY, timeout=60) as client:
        yield client


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


# Web pages


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example@127.0.0.1",
        "127.0.0.1/evil.example",
        "192.168.0.1:{port}",
        "0.0.0.0:{port}",
        "2130706433",
        "",
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", STATS), ("POST", AGE), ("GET", "/v1/brands")])
def test_a_name_that_leads_here_reads_and_changes_nothing(
    api: httpx.Client, host: str, method: str, path: str
) -> None:
    """DNS rebinding: for the browser it is the page's own site."""
    name = host.format(port=api.base_url.port)
    answer = api.request(method, path, headers={"Host": name, "Origin": f"http://{name}"})
    assert answer.status_code in (400, 421)
    assert "created" not in answer.text


def test_a_request_with_two_hosts_is_refused(api: httpx.Client) -> None:
    with socket.create_connection(("127.0.0.1", api.base_url.port or 0)) as raw:
        raw.sendall(
            f"GET {STATS} HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n".encode()
        )
        assert raw.recv(100).split()[1] in (b"400", b"421")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", ""])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", STATS), ("GET", "/_simulator/ads"), ("POST", AGE), ("POST", "/v1/brands")],
)
def test_another_site_reads_no_truth_and_changes_nothing(
    api: httpx.Client, simulator: SimulatorServer, origin: str, method: str, path: str
) -> None:
    brands = len(simulator.api.catalog.brands)
    answer = api.request(method, path, json={"name": "Evil"}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert len(simulator.api.catalog.brands) == brands
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "127.1.2.3"]
)
def test_this_machines_own_programs_are_answered(api: httpx.Client, host: str) -> None:
    name = host.format(port=api.base_url.port)
    assert api.get(STATS, headers={"Host": name}).status_code == 200
    own = {"Host": name, "Origin": f"http://{name}"}
    assert api.post(AGE, headers=own).status_code == 200


@pytest.mark.parametrize("seconds", ["", "nan", "inf", "-1e300", "many"])
def test_time_is_moved_by_numbers_only(api: httpx.Client, seconds: str) -> None:
    assert api.post(f"/_simulator/age?seconds={seconds}").status_code == 400
    assert api.get("/v1/image-ads").status_code == 200


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


# Bodies


@pytest.mark.parametrize("length", ["told", "not told"])
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=b"])
def test_a_body_that_is_too_large_is_refused(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, length: str, kind: str
) -> None:
    monkeypatch.setattr(request_body, "MOST_BODY_BYTES", 1000)
    body = b" " * 2000
    content = body if length == "told" else iter([body[:900], body[:900], body])
    answer = api.post("/v1/brands", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 413
    assert api.post("/v1/brands", json={"name": "A small one"}).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"name": "A", "details": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        b'{"name": "A", "details": ' + b'{"a":' * 250 + b"1" + b"}" * 251,
        b'{"name": "A", "details": {"a": NaN}}',
        b'{"name": "A", "details": {"a": -Infinity}}',
        b'{"name": "A", "details": {"a": 1e999}}',
        b'{"name": "A", "details": {"a": ' + b"9" * 10_000 + b"}}",
        b'{"name": "A\\ud800"}',
        b'{"name": "\xff"}',
        b"",
        b"null",
    ],
    ids=lambda body: f"{body[:40]!r}",
)
def test_a_body_that_could_not_be_answered_as_json_is_refused(
    api: httpx.Client, body: bytes
) -> None:
    answer = api.post("/v1/brands", content=body)
    assert answer.status_code == 400, answer.text
    assert api.get("/v1/brands").status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"--b", b"--b\r\n\r\nx", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"],
)
@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=b"])
def test_a_broken_form_is_refused(api: httpx.Client, body: bytes, kind: str) -> None:
    answer = api.post("/v1/images", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400, answer.text


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NODES = st.fixed_dictionaries(
    {"type": st.sampled_from(["FRAME", "TEXT", "RECTANGLE"]) | VALUES, "id": VALUES},
    optional=dict.fromkeys(("name", "characters", "fills", "children"), VALUES),
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=VALUES, children=st.lists(NODES | VALUES, max_size=4))
def test_no_body_whatever_breaks_the_simulator(
    api: httpx.Client, body: object, children: list[object]
) -> None:
    tree = {"type": "FRAME", "id": "1", "children": children}
    template = simulated_ids()["design_template_id"]
    ad = api.post("/v1/image-ads", json={**simulated_ids(), "editable": True, "prompt": "a"})
    path = f"/v1/image-ads/{ad.json()['data']['id']}"
    api.post(AGE)
    asked = [
        api.post("/v1/image-ads", json=body),
        api.post("/v1/image-ads", json={**simulated_ids(), "node_overrides": {"1": body}}),
        api.post("/v1/brands", json=body),
        api.post(
            "/v1/brands", json={"name": "A", "color_palettes": [body], "details": {"a": body}}
        ),
        api.post("/v1/image-ads/sync", json={"items": [body]}),
        api.post("/v1/design-templates", json={"reference_image_url": body}),
        api.patch(f"/v1/design-templates/{template}", json={"change_summary": body}),
        api.patch(path, json={"current_json_tree": tree}),
        api.get(path.replace("/v1/image-ads", "/pictures") + ".png"),
    ]
    api.post(AGE)
    asked += [api.get(path), api.get(f"{path}/versions")]
    for version in asked[-1].json()["data"]:
        asked.append(api.get(version["image_url"]))
    assert [answer.status_code for answer in asked if answer.is_server_error] == []
