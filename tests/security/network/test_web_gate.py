"""Which web addresses a stranger can make this machine ask: none of its own, in any spelling."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from prefect_staticadslab.api.web import ForbiddenAddressError, WebGate
from tests.security.network.web_reads import looked_up

pytestmark = pytest.mark.usefixtures("no_settings")

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
        WebGate.allowing().check(url)


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
        WebGate.allowing().check(url)


@pytest.mark.parametrize(
    "url", ["http://224.0.0.1/", "http://239.255.255.250:1900/", "http://[ff02::1]/"]
)
def test_multicast_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        WebGate.allowing().check(url)


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
        WebGate.allowing().check(url)


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
        WebGate.allowing().check(f"http://{name}/a.png")


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["203.0.113.9", "127.0.0.1"], ["203.0.113.9", "169.254.169.254"], ["::1"]],
)
def test_a_name_is_refused_if_any_of_its_addresses_is(
    monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    looked_up(monkeypatch, {"pictures.example": [answers]})
    with pytest.raises(ForbiddenAddressError, match=r"pictures\.example"):
        WebGate.allowing().check("https://pictures.example/a.png")


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
    WebGate.allowing().check(url)


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
    WebGate.allowing().check(url)
    with pytest.raises(ForbiddenAddressError):
        WebGate.allowing().check("http://127.0.0.2:8000/")


@pytest.mark.parametrize(
    "setting", ["", ",", "*", ":", "[", "127.0.0.1:port", "http://", "::1::2]"]
)
def test_a_setting_that_makes_no_sense_allows_nothing(
    monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("SAL_ALLOWED_HOSTS", setting)
    with pytest.raises(ForbiddenAddressError):
        WebGate.allowing().check("http://127.0.0.1:8000/")


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
        WebGate.allowing(origin).check(url)


def test_a_refusal_tells_the_host_and_the_setting_and_no_secret() -> None:
    url = "http://user:hunter2@127.0.0.1:8000/a?signature=s3cr3t#f"
    with pytest.raises(ForbiddenAddressError) as refused:
        WebGate.allowing().check(url)
    assert "SAL_ALLOWED_HOSTS=127.0.0.1:8000" in str(refused.value)
    assert not {"user", "hunter2", "s3cr3t"} & set(str(refused.value).replace("?", " ").split())
    assert "hunter2" not in str(refused.value)
