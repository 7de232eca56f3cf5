"""What a web address from a stranger can make this machine ask, and how long and how much."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from prefect_staticadslab import bounds
from prefect_staticadslab.api.web import (
    ForbiddenAddressError,
    WebError,
    WebFile,
    WebGate,
    ask,
    read_web,
)
from tests.security.network.hostile import bomb, endless, head, hostile, trickling, whole

LIMIT = 1_000_000


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name == "SAL_ALLOWED_HOSTS":
            monkeypatch.delenv(name)


async def read(url: str, gate: WebGate, **options: Any) -> WebFile:
    """Reads from a server that lives in this thread's loop."""
    return await asyncio.to_thread(read_web, url, gate, **{"at_most": LIMIT, **options})


def looked_up(monkeypatch: pytest.MonkeyPatch, names: Mapping[str, list[list[str]]]) -> None:
    """Makes names stand for other addresses each time; the last of them stays."""
    left, real = {name: [*answers] for name, answers in names.items()}, socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in left:
            return real(host, port, *rest, **options)
        answers = left[name].pop(0) if len(left[name]) > 1 else left[name][0]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port or 0))
            for address in answers
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


# What is forbidden, in all its spellings


@pytest.mark.parametrize(
    "url",
    [
        # decimal, octal, hexadecimal, short
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://017700000001/",
        "http://0177.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://127.255.255.254/",
        "http://0/",
        "http://0.0.0.0:8000/",
        "http://0.1.2.3/",
        # names
        "http://localhost/",
        "http://LOCALHOST:4200/api",
        "http://LocalHost./",
        "https://localhost:8443/",
        "http://anything.localhost/",
        # dots and case
        "http://127.0.0.1./",
        "HTTP://127.0.0.1/",
        "http://127。0。0。1/",
        "http://127．0．0．1/",
        "http://１２７.0.0.1/",
        "http://%31%32%37.0.0.1/",
        "http://127%2e0.0.1/",
        # users, passwords and fragments
        "http://good@127.0.0.1/",
        "http://good.example:80@127.0.0.1/",
        "http://a:b@c@127.0.0.1/",
        "http://good.example%2F@127.0.0.1/",
        # IPv6, and IPv4 within it
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]:80/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://[64:ff9b:1::7f00:1]/",
    ],
)
def test_every_spelling_of_this_machine_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        WebGate.of().check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://169.254.1/",
        "http://[::ffff:169.254.169.254]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[febf::1]/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://[fd00:0ec2:0::0254]/",
        "http://100.100.100.200/latest/meta-data/",
        "http://168.63.129.16/machine",
        "http://[::ffff:168.63.129.16]/",
    ],
)
def test_the_link_and_the_metadata_services_of_clouds_are_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        WebGate.of().check(url)


@pytest.mark.parametrize(
    "url", ["http://224.0.0.1/", "http://239.255.255.250:1900/", "http://[ff02::1]/"]
)
def test_multicast_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        WebGate.of().check(url)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://10.0.0.1/a.png",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "reference://a.png::http://10.0.0.1/refs.json",
        "data:image/png;base64,AAAA",
        "//10.0.0.1/a.png",
        "/etc/passwd",
        "http:///a.png",
        "http:127.0.0.1",
        "http://10.0.0.1:0/",
        "http://10.0.0.1:65537/",
        f"http://{'a' * 64}.example/",
        "http://10.0.0.1:port/",
        "http://[::1/",
        "",
        "http://",
        "http://10.0.0.1/\0",
        "http://" + "a" * 70_000,
    ],
)
def test_what_is_no_http_address_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        WebGate.of().check(url)


@pytest.mark.parametrize("name", ["own", "both"])
def test_the_addresses_of_this_machines_own_cards_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # An address of a card is an address that a socket can be bound to.
    bind = socket.socket.bind

    class Own(socket.socket):
        def bind(self, address: Any) -> None:
            bind(self, ("127.0.0.1", 0) if address[0] == "198.51.100.7" else address)

    monkeypatch.setattr(socket, "socket", Own)
    looked_up(
        monkeypatch,
        {"own": [["198.51.100.7"]], "both": [["203.0.113.9", "198.51.100.7"]]},
    )
    with pytest.raises(ForbiddenAddressError, match="this machine itself"):
        WebGate.of().check(f"http://{name}/a.png")


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["203.0.113.9", "127.0.0.1"], ["203.0.113.9", "169.254.169.254"], ["::1"]],
)
def test_a_name_is_refused_if_any_of_its_addresses_is(
    monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    looked_up(monkeypatch, {"pictures.example": [answers]})
    with pytest.raises(ForbiddenAddressError, match=r"pictures\.example"):
        WebGate.of().check("https://pictures.example/a.png")


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/a.png",
        "http://192.168.1.20:8080/a.png",
        "http://172.16.0.1/a.png",
        "http://[fd12:3456::1]/a.png",
        "https://203.0.113.9/a.png",
        "https://no.such.host.invalid/a.png",
    ],
)
def test_the_companys_own_network_and_the_world_may_be_asked(url: str) -> None:
    WebGate.of().check(url)


# What is allowed all the same


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000/a"),
        ("127.0.0.1", "http://127.0.0.1:8000/a"),
        (" localhost , 10.0.0.1 ", "http://LOCALHOST.:99/a"),
        ("[::1]:80", "http://[0::1]/a"),
        ("::1", "http://[::1]:8000/a"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/a"),
        ("localhost:443", "https://localhost/a"),
    ],
)
def test_the_setting_allows_a_host_or_one_of_its_ports(
    monkeypatch: pytest.MonkeyPatch, setting: str, url: str
) -> None:
    monkeypatch.setenv("SAL_ALLOWED_HOSTS", setting)
    WebGate.of().check(url)
    with pytest.raises(ForbiddenAddressError):
        WebGate.of().check("http://127.0.0.2:8000/")


@pytest.mark.parametrize(
    "setting", ["", ",", "*", ":", "[", "127.0.0.1:port", "http://", "::1::2]"]
)
def test_a_setting_that_makes_no_sense_allows_nothing(
    monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("SAL_ALLOWED_HOSTS", setting)
    with pytest.raises(ForbiddenAddressError):
        WebGate.of().check("http://127.0.0.1:8000/")


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8001/"),
        ("http://127.0.0.1:8000", "http://127.0.0.1/"),
        ("http://127.0.0.1:8000", "http://localhost:8000/"),
        ("http://127.0.0.1:8000", "http://127.1:8000/"),
        ("https://localhost", "http://localhost/"),
        ("not an address", "http://127.0.0.1/"),
        ("s3://127.0.0.1:80/bucket", "http://127.0.0.1/"),
    ],
)
def test_an_allowed_origin_allows_no_other(origin: str, url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        WebGate.of(origin).check(url)


def test_a_refusal_tells_the_host_and_the_setting_and_no_secret() -> None:
    url = "http://user:hunter2@127.0.0.1:8000/a?signature=s3cr3t#f"
    with pytest.raises(ForbiddenAddressError) as refused:
        WebGate.of().check(url)
    assert "SAL_ALLOWED_HOSTS=127.0.0.1:8000" in str(refused.value)
    assert not {"user", "hunter2", "s3cr3t"} & set(str(refused.value).replace("?", " ").split())
    assert "hunter2" not in str(refused.value)


# Asking


async def test_an_allowed_origin_is_read() -> None:
    async with hostile(whole(b"a,b\r\n", ETag='"7"')) as server:
        file = await read(f"{server.url}/table.csv", WebGate.of(server.url))
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
        assert (await read(server.url, WebGate.of(server.url))).version == version


async def test_what_is_not_allowed_gets_no_connection() -> None:
    async with hostile(whole(b"secret")) as server:
        with pytest.raises(ForbiddenAddressError):
            await read(server.url, WebGate.of())
        assert server.received == []


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone", "500 Oops"])
async def test_a_refusal_tells_its_status(status: str) -> None:
    async with hostile(whole(b"no", status=status)) as server:
        with pytest.raises(WebError) as told:
            await read(f"{server.url}/a?key=s3cr3t", WebGate.of(server.url))
    assert told.value.status == int(status[:3])
    assert "s3cr3t" not in str(told.value)


@pytest.mark.parametrize("user", ["", "user:hunter2@"])
async def test_neither_cookies_nor_passwords_reach_another_host(user: str) -> None:
    async with hostile(whole(b"fine")) as second:
        there = whole(b"", "302 Found", Location=f"{second.url}/", Set_Cookie="session=s3cr3t")
        async with hostile(there) as first:
            url = first.url.replace("//", f"//{user}")
            await read(url, WebGate.of(first.url, second.url))
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
                await read(outer.url, WebGate.of(outer.url))
        assert inner.received == []


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/", "file:///etc/passwd", "http://[fe80::1]/", "http://["]
)
async def test_a_redirect_to_anything_else_that_is_forbidden_is_not_followed(location: str) -> None:
    async with hostile(whole(b"", "301 Moved", Location=location)) as server:
        with pytest.raises((ForbiddenAddressError, WebError)):
            await read(server.url, WebGate.of(server.url))
        assert len(server.received) == 1


async def test_a_forbidden_hop_in_a_chain_of_allowed_ones_is_not_asked() -> None:
    async with hostile(whole(b"secret")) as inner:
        last = whole(b"", "307 Temporary Redirect", Location=inner.url)
        async with (
            hostile(last) as second,
            hostile(whole(b"", "302 Found", Location=second.url)) as first,
        ):
            with pytest.raises(ForbiddenAddressError):
                await read(first.url, WebGate.of(first.url, second.url))
            assert len(second.received) == 1
        assert inner.received == []


async def test_a_redirect_to_itself_ends() -> None:
    async with hostile(whole(b"", "302 Found", Location="/again")) as server:
        with pytest.raises(WebError, match=f"more than {bounds.REDIRECTS} times"):
            await read(server.url, WebGate.of(server.url))
        assert len(server.received) == bounds.REDIRECTS + 1


async def test_the_body_of_a_redirect_is_not_read() -> None:
    async def answer(path: str, writer: asyncio.StreamWriter) -> None:
        if path == "/there":
            await whole(b"fine")(path, writer)
        else:
            await endless(bytes(65536), "302 Found", Location="/there")(path, writer)

    async with hostile(answer) as server:
        assert (await read(server.url, WebGate.of(server.url))).content == b"fine"


async def test_a_redirect_from_https_to_http_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"location": "http://198.51.100.7/a.png"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        with pytest.raises(WebError, match="from https to plain http"):
            async with ask(http, "https://198.51.100.7/a.png", WebGate.of()):
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
            WebGate.of().check("http://rebind.example/")
        with pytest.raises(ForbiddenAddressError, match=r"rebind\.example \(127\.0\.0\.1\)"):
            await read(f"http://rebind.example:{inner.port}/", WebGate.of())
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
                await read(outer.url, WebGate.of(outer.url))
        assert b"".join(inner.received) == b""


async def test_a_proxy_of_the_environment_may_be_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with hostile(whole(b"by proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        file = await read("http://203.0.113.9/a.png", WebGate.of())
        assert file.content == b"by proxy"
        with pytest.raises(ForbiddenAddressError):
            await read("http://169.254.169.254/", WebGate.of())
        assert len(proxy.received) == 1


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
async def test_what_is_allowed_of_this_machine_is_not_asked_of_a_proxy(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    async with hostile(whole(b"by proxy")) as proxy, hostile(whole(b"fine")) as server:
        monkeypatch.setenv(variable, proxy.url)
        assert (await read(server.url, WebGate.of(server.url))).content == b"fine"
        assert proxy.received == []


# How much, and how long


@pytest.mark.parametrize(
    "answer",
    [
        endless(b"x" * 65536),
        endless(b"10000\r\n" + b"x" * 65536 + b"\r\n", Transfer_Encoding="chunked"),
        whole(b"x" * (LIMIT + 1)),
        whole(bomb(100_000_000), Content_Encoding="gzip"),
        endless(b"x" * 65536, "206 Partial Content"),
    ],
    ids=["endless", "endless chunks", "one too many", "gzip bomb", "partial"],
)
async def test_a_body_that_is_too_large_is_refused(answer: Any) -> None:
    async with hostile(answer) as server:
        with pytest.raises(WebError, match="more than 1,000,000 bytes") as told:
            await read(f"{server.url}/a?key=s3cr3t", WebGate.of(server.url))
    assert "s3cr3t" not in str(told.value)


@pytest.mark.parametrize(
    "encoding",
    ["gzip, gzip", "gzip,deflate", "br", "zstd", "BR", "compress", "x-gzip", "a, b, gzip"],
)
async def test_a_compression_without_a_bound_is_refused(encoding: str) -> None:
    content = bomb(10_000_000, layers=2)
    async with hostile(whole(content, Content_Encoding=encoding)) as server:
        with pytest.raises(WebError, match="compressed as"):
            await read(server.url, WebGate.of(server.url))


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "identity", "gzip, identity"])
async def test_plain_and_gzip_are_read_and_nothing_else_is_asked_for(encoding: str) -> None:
    content = bomb(1000)() if "gzip" in encoding.lower() else bytes(1000)
    async with hostile(whole(content, Content_Encoding=encoding)) as server:
        assert (await read(server.url, WebGate.of(server.url))).content == bytes(1000)
    assert b"accept-encoding: gzip, deflate\r\n" in server.received[0].lower()


@pytest.mark.parametrize(
    "answer",
    [
        trickling([head()]),
        trickling([head(Content_Length="1000000")]),
        trickling([b"HTTP/1.1 200 OK\r\nX-Slow: "]),
        trickling([], b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "sized body", "headers", "informational answers"],
)
async def test_what_trickles_in_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(bounds, "WEB_GRACE_SECONDS", 0.2)
    async with hostile(answer) as server:
        with pytest.raises(WebError, match="was not there after"):
            await read(server.url, WebGate.of(server.url))


async def test_nothing_is_waited_for_longer_than_the_bound_however_fast_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "WEB_SECONDS", 0.2)
    monkeypatch.setattr(bounds, "SLOWEST_BYTES_PER_SECOND", 1)
    async with hostile(trickling([head()], b"x" * 1000)) as server:
        with pytest.raises(WebError, match="was not there after"):
            await read(server.url, WebGate.of(server.url), at_most=10**9)


async def test_what_is_fast_enough_may_take_longer_than_the_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "SLOWEST_BYTES_PER_SECOND", 1)

    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        # Not before, because connecting may take a busy machine longer than that.
        monkeypatch.setattr(bounds, "WEB_GRACE_SECONDS", 0.2)
        writer.write(head() + b"x" * 1000)
        await writer.drain()
        await asyncio.sleep(0.4)
        writer.write(b"y")

    async with hostile(answer) as server:
        content = (await read(server.url, WebGate.of(server.url))).content
    assert content == b"x" * 1000 + b"y"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Length: 20\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 99999999999999999999 OK\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_an_answer_that_is_none_is_an_error_in_words(answer: bytes) -> None:
    async def say(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async with hostile(say) as server:
        with pytest.raises((WebError, ForbiddenAddressError)) as told:
            await read(server.url, WebGate.of(server.url))
    assert len(str(told.value)) < 500


def test_nobody_there_is_an_error_in_words() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/a?key=s3cr3t"
        with pytest.raises(WebError, match="cannot be had") as told:
            read_web(url, WebGate.of(url), at_most=LIMIT)
    assert "s3cr3t" not in str(told.value)


@pytest.mark.parametrize("proxy", ["nonsense://x", "http://["])
def test_a_proxy_that_is_none_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(WebError):
        read_web("http://203.0.113.9/", WebGate.of(), at_most=LIMIT)
