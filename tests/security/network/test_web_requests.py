"""What is sent to whom once an address may be asked: redirects, changing names, and proxies."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from prefect_staticadslab import bounds
from prefect_staticadslab.api.web import ForbiddenAddressError, WebError, WebFile, WebGate, open_web
from tests.security.network.hostile import endless, hostile, whole
from tests.security.network.web_reads import looked_up, read

pytestmark = pytest.mark.usefixtures("no_settings")


async def test_an_allowed_origin_is_read() -> None:
    async with hostile(whole(b"a,b\r\n", ETag='"7"')) as server:
        file = await read(f"{server.url}/table.csv", WebGate.allowing(server.url))
    assert file == WebFile(b"a,b\r\n", '"7"')


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({"Last-Modified": "Tue, 01 Jul 2025 10:00:00 GMT"}, "Tue, 01 Jul 2025 10:00:00 GMT"),
        ({}, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ],
)
async def test_a_version_is_told_without_an_etag(headers: dict[str, str], version: str) -> None:
    async with hostile(whole(b"a", **headers)) as server:
        assert (await read(server.url, WebGate.allowing(server.url))).version == version


async def test_what_is_not_allowed_gets_no_connection() -> None:
    async with hostile(whole(b"secret")) as server:
        with pytest.raises(ForbiddenAddressError):
            await read(server.url, WebGate.allowing())
        assert server.received == []


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone", "500 Oops"])
async def test_a_refusal_tells_its_status(status: str) -> None:
    async with hostile(whole(b"no", status=status)) as server:
        with pytest.raises(WebError) as told:
            await read(f"{server.url}/a?key=s3cr3t", WebGate.allowing(server.url))
    assert told.value.status == int(status[:3])
    assert "s3cr3t" not in str(told.value)


@pytest.mark.parametrize("user", ["", "user:hunter2@"])
async def test_neither_cookies_nor_passwords_reach_another_host(user: str) -> None:
    async with hostile(whole(b"fine")) as second:
        there = whole(b"", "302 Found", Location=f"{second.url}/", Set_Cookie="session=s3cr3t")
        async with hostile(there) as first:
            url = first.url.replace("//", f"//{user}")
            await read(url, WebGate.allowing(first.url, second.url))
    assert (b"authorization" in first.received[0].lower()) == bool(user)
    sent = second.received[0].lower()
    assert b"cookie" not in sent
    assert b"authorization" not in sent


@pytest.mark.parametrize(
    "spelling",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "//127.0.0.1:{port}/",
        "HTTP://2130706433:{port}",
    ],
)
async def test_a_redirect_to_another_port_of_this_machine_is_not_followed(spelling: str) -> None:
    async with hostile(whole(b"secret")) as inner:
        there = whole(b"", "302 Found", Location=spelling.format(port=inner.port))
        async with hostile(there) as outer:
            with pytest.raises(ForbiddenAddressError, match=str(inner.port)):
                await read(outer.url, WebGate.allowing(outer.url))
        assert inner.received == []


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/", "file:///etc/passwd", "http://[fe80::1]/", "http://["]
)
async def test_a_redirect_to_anything_else_that_is_forbidden_is_not_followed(location: str) -> None:
    async with hostile(whole(b"", "301 Moved", Location=location)) as server:
        with pytest.raises((ForbiddenAddressError, WebError)):
            await read(server.url, WebGate.allowing(server.url))
        assert len(server.received) == 1


async def test_a_forbidden_hop_in_a_chain_of_allowed_ones_is_not_asked() -> None:
    async with hostile(whole(b"secret")) as inner:
        last = whole(b"", "307 Temporary Redirect", Location=inner.url)
        async with (
            hostile(last) as second,
            hostile(whole(b"", "302 Found", Location=second.url)) as first,
        ):
            with pytest.raises(ForbiddenAddressError):
                await read(first.url, WebGate.allowing(first.url, second.url))
            assert len(second.received) == 1
        assert inner.received == []


async def test_a_redirect_to_itself_ends() -> None:
    async with hostile(whole(b"", "302 Found", Location="/again")) as server:
        with pytest.raises(WebError, match=f"more than {bounds.REDIRECTS} times"):
            await read(server.url, WebGate.allowing(server.url))
        assert len(server.received) == bounds.REDIRECTS + 1


async def test_the_body_of_a_redirect_is_not_read() -> None:
    async def answer(path: str, writer: asyncio.StreamWriter) -> None:
        if path == "/there":
            await whole(b"fine")(path, writer)
        else:
            await endless(bytes(65536), "302 Found", Location="/there")(path, writer)

    async with hostile(answer) as server:
        assert (await read(server.url, WebGate.allowing(server.url))).content == b"fine"


async def test_a_redirect_from_https_to_http_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"location": "http://198.51.100.7/a.png"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        with pytest.raises(WebError, match="from https to plain http"):
            async with open_web(http, "https://198.51.100.7/a.png", WebGate.allowing()):
                pass
    assert asked == ["https://198.51.100.7/a.png"]


@pytest.mark.parametrize("checks", [1, 2])
async def test_a_name_that_changes_its_address_sends_nothing_to_this_machine(
    monkeypatch: pytest.MonkeyPatch, checks: int
) -> None:
    # DNS rebinding: harmless when the gate looks, this machine when the connection is made.
    async with hostile(whole(b"secret")) as inner:
        harmless = [["203.0.113.9"]] * checks
        looked_up(monkeypatch, {"rebind.example": [*harmless, ["127.0.0.1"]]})
        for _ in range(checks - 1):
            WebGate.allowing().check("http://rebind.example/")
        with pytest.raises(ForbiddenAddressError, match=r"rebind\.example \(127\.0\.0\.1\)"):
            await read(f"http://rebind.example:{inner.port}/", WebGate.allowing())
        await asyncio.sleep(0.01)
        assert b"".join(inner.received) == b""


async def test_a_redirect_to_a_name_that_changes_its_address_sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with hostile(whole(b"secret")) as inner:
        looked_up(monkeypatch, {"rebind.example": [["203.0.113.9"], ["127.0.0.1"]]})
        there = whole(b"", "302 Found", Location=f"http://rebind.example:{inner.port}/")
        async with hostile(there) as outer:
            with pytest.raises(ForbiddenAddressError):
                await read(outer.url, WebGate.allowing(outer.url))
        assert b"".join(inner.received) == b""


async def test_a_proxy_of_the_environment_may_be_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with hostile(whole(b"by proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        file = await read("http://203.0.113.9/a.png", WebGate.allowing())
        assert file.content == b"by proxy"
        with pytest.raises(ForbiddenAddressError):
            await read("http://169.254.169.254/", WebGate.allowing())
        assert len(proxy.received) == 1


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
async def test_what_is_allowed_of_this_machine_is_not_asked_of_a_proxy(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    async with hostile(whole(b"by proxy")) as proxy, hostile(whole(b"fine")) as server:
        monkeypatch.setenv(variable, proxy.url)
        assert (await read(server.url, WebGate.allowing(server.url))).content == b"fine"
        assert proxy.received == []
