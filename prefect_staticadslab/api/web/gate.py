"""Which web addresses may be asked."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from prefect_staticadslab.api.errors import ForbiddenAddressError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

ALLOWED_HOSTS_VARIABLE: Final = "SAL_ALLOWED_HOSTS"
"""`host:port`, or `host` for all its ports, with commas between them; see `WebGate.allowing`."""

PORTS: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 0xFFFF
_ANY_PORT: Final = "*"

_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
LONGEST_SHOWN: Final = 200
"""Characters of a web address, or of a text from the web, in a message."""

_METADATA_SERVICES: Final = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google Cloud
    )
)
"""Where clouds tell a machine its secrets, besides the link-local 169.254.169.254."""

_THIS_NETWORK: Final = ipaddress.ip_network("0.0.0.0/8")
_EMBEDS_IPV4: Final = tuple(
    ipaddress.ip_network(network) for network in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48")
)
"""IPv6 networks whose last 32 bits are an IPv4 address: IPv4-compatible ones, and NAT64."""


@dataclass(frozen=True)
class WebGate:
    """Decides which web addresses may be asked: any but those of this machine and its cloud.

    Private networks (10.0.0.0/8, 192.168.0.0/16 and so on) may be asked: a company's own web
    server is a good place for tables and pictures. What a proxy of the environment can reach is
    for its owner to say; only names that are forbidden as seen from here are kept from it.

    Attributes:
        allowed: What may be asked although it is forbidden: `host:port` each, or `host:*`.

    Example:
        ```python
        from prefect_staticadslab.api.web import ForbiddenAddressError, WebGate

        gate = WebGate.allowing("http://127.0.0.1:8321")
        gate.check("http://127.0.0.1:8321/pictures/1.png")
        try:
            gate.check("http://127.0.0.1:4200/api")
        except ForbiddenAddressError as error:
            assert "SAL_ALLOWED_HOSTS=127.0.0.1:4200" in str(error)
        ```
    """

    allowed: frozenset[str] = frozenset()

    @classmethod
    def allowing(cls, *addresses: str) -> WebGate:
        """A gate that also allows the hosts and ports of these addresses, and those that the
        environment lists in `SAL_ALLOWED_HOSTS`.

        Args:
            addresses: Web addresses; anything else among them is ignored.
        """
        listed = os.environ.get(ALLOWED_HOSTS_VARIABLE, "").split(",")
        entries = {_entry_of_address(address) for address in addresses}
        entries |= {_entry_of_setting(text.strip()) for text in listed}
        return cls(frozenset(entries - {""}))

    def check(self, url: str) -> None:
        """Lets an address pass, or raises. Its host's name is looked up, which may take a while.

        A name that cannot be looked up passes: nothing is there that could be asked.

        Raises:
            ForbiddenAddressError: It is no http(s) address; or its host is this machine, or in its
                link-local network, or its cloud's metadata service, and not allowed.
        """
        target = _Target.parse(url)
        if not self._allows(target):
            for address in target.look_up_addresses():
                target.check_address(address)

    def check_peer(self, url: str, peer: object) -> None:
        """Lets the other end of a connection pass, or raises.

        For the connection a name is looked up once more, maybe with another result.

        Args:
            url: What is to be asked there.
            peer: The socket's address, a tuple that begins with the IP address.

        Raises:
            ForbiddenAddressError: See `check`.
        """
        target = _Target.parse(url)
        if self._allows(target):
            return
        if not isinstance(peer, tuple) or not peer:
            raise target.forbidden_error("where nobody knows")
        target.check_address(_parse_ip(str(peer[0])))

    def hosts(self) -> list[str]:
        """The names of the allowed hosts, without their ports, in order."""
        return sorted({entry.rpartition(":")[0].strip("[]") for entry in self.allowed})

    def _allows(self, target: _Target) -> bool:
        """Whether `allowed` has the target's port, or all ports of its host."""
        return bool(
            self.allowed & {target.allowed_entry(target.port), target.allowed_entry(_ANY_PORT)}
        )


@dataclass(frozen=True)
class _Target:
    """The host and port of an address, as the HTTP client that asks understands it."""

    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> _Target:
        """The target of a web address.

        Raises:
            ForbiddenAddressError: It is no http(s) address, or has no host.
        """
        import httpx

        try:
            parts = httpx.URL(url)
            host = parts.raw_host.decode("ascii")
        except (httpx.InvalidURL, ValueError):
            raise ForbiddenAddressError(f"This is no web address: {redacted_url(url)}") from None
        if parts.scheme not in PORTS:
            raise ForbiddenAddressError(
                "Only http:// and https:// addresses can be asked, not this one: "
                f"{redacted_url(url)}"
            )
        port = PORTS[parts.scheme] if parts.port is None else parts.port
        if not _HOST.fullmatch(host) or not 0 < port <= _LAST_PORT:
            raise ForbiddenAddressError(f"This web address has no host: {redacted_url(url)}")
        return cls(host, port)

    def allowed_entry(self, port: int | str) -> str:
        """What allows this host with that port, or with `*` for all ports, in `WebGate.allowed`."""
        return f"{_canonical_host(self.host)}:{port}"

    def look_up_addresses(self) -> list[Address]:
        """Asks the system for all IP addresses of the host; none if nobody knows its name.

        Raises:
            ForbiddenAddressError: The host can be no name.
        """
        name = self.host.rstrip(".")
        if name == "localhost" or name.endswith(".localhost"):
            return [ipaddress.ip_address("127.0.0.1")]
        found: list[Address] = []
        for spelling in {name, self.host}:
            try:
                answers = socket.getaddrinfo(spelling, None, type=socket.SOCK_STREAM)
            except OSError:
                continue
            except UnicodeError:
                raise ForbiddenAddressError(f"{self.host} is no name of a host") from None
            found += [_parse_ip(str(answer[4][0])) for answer in answers]
        return found

    def check_address(self, address: Address) -> None:
        """Lets an IP address of the host pass, or raises.

        Raises:
            ForbiddenAddressError: It, or an IPv4 address within it, must not be asked.
        """
        addresses = (address, *_embedded_ipv4(address))
        reason = next(filter(None, map(_forbidden_reason, addresses)), "")
        if reason:
            raise self.forbidden_error(reason, "" if str(address) == self.host else f" ({address})")

    def forbidden_error(self, reason: str, address: str = "") -> ForbiddenAddressError:
        """The error that says what the host is, at which address, and what would allow it."""
        return ForbiddenAddressError(
            f"{self.host}{address} is {reason}, and not asked. If it is meant to be, set "
            f"{ALLOWED_HOSTS_VARIABLE}={self.allowed_entry(self.port)}"
        )


def _forbidden_reason(address: Address) -> str:
    """Why an IP address must not be asked, as the end of "It is …"; empty if it may be."""
    if address in _METADATA_SERVICES:
        return "a metadata service of a cloud"
    if address.is_link_local:
        return "in this machine's link-local network"
    if address.is_multicast:
        return "no single host"
    if (
        address.is_loopback
        or address.is_unspecified
        or address in _THIS_NETWORK
        or _is_of_this_machine(address)
    ):
        return "this machine itself"
    return ""


def _embedded_ipv4(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address stands for; none for an IPv4 address."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    embedded: list[Address | None] = [address.ipv4_mapped, address.sixtofour]
    embedded += address.teredo or ()
    if any(address in network for network in _EMBEDS_IPV4):
        embedded.append(ipaddress.IPv4Address(address.packed[-4:]))
    return [each for each in embedded if each is not None]


def _is_of_this_machine(address: Address) -> bool:
    """Whether an address is one of this machine's: binds a socket to it for a moment, which works
    with those only."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def _parse_ip(text: str) -> Address:
    """The IP address of a text, without the interface that may stand after it, as in `fe80::1%en0`.

    Raises:
        ValueError: It is none.
    """
    return ipaddress.ip_address(text.partition("%")[0])


def _canonical_host(host: str) -> str:
    """A host in the one spelling that `WebGate.allowed` has: lower case, and an IPv6 address in its
    shortest form, in brackets."""
    host = host.lower().rstrip(".")
    return f"[{_parse_ip(host)}]" if ":" in host else host


def _entry_of_address(url: str) -> str:
    """The entry that `WebGate.allowed` would have for a web address; empty if it is none."""
    try:
        target = _Target.parse(url)
    except ForbiddenAddressError:
        return ""
    return target.allowed_entry(target.port)


def _entry_of_setting(text: str) -> str:
    """The entry for `WebGate.allowed` of what `SAL_ALLOWED_HOSTS` lists; empty if it is no host."""
    bare = f"[{text}]" if text.count(":") > 1 and "[" not in text else text
    try:
        parts = urlsplit(text if "://" in text else f"//{bare}")
        if not parts.hostname:
            return ""
        return f"{_canonical_host(parts.hostname)}:{parts.port or _ANY_PORT}"
    except ValueError:
        return ""


def redacted_url(url: str) -> str:
    """A web address for a message: without user, password and query, which may be secrets, and cut
    to `LONGEST_SHOWN` characters."""
    # Most commands name no web address, and are refused before anything is asked.
    import httpx

    try:
        parts = httpx.URL(url)
        scheme = parts.scheme and f"{parts.scheme}:"
        text = f"{scheme}//{parts.netloc.decode('ascii')}{parts.path}" if parts.host else parts.path
    except (httpx.InvalidURL, ValueError):
        text = url.rpartition("@")[2].partition("?")[0].partition("#")[0]
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
