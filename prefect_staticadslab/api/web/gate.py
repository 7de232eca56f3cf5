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
"""`host:port`, or `host` for all its ports, with commas between them; see `WebGate.of`."""

PORTS: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 0xFFFF
_ANY_PORT: Final = "*"

_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
LONGEST_SHOWN: Final = 200

_METADATA: Final = frozenset(
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
_CARRY_IPV4: Final = tuple(
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

        gate = WebGate.of("http://127.0.0.1:8321")
        gate.check("http://127.0.0.1:8321/pictures/1.png")
        try:
            gate.check("http://127.0.0.1:4200/api")
        except ForbiddenAddressError as error:
            assert "SAL_ALLOWED_HOSTS=127.0.0.1:4200" in str(error)
        ```
    """

    allowed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *addresses: str) -> WebGate:
        """A gate for the hosts and ports of these addresses, and those of `SAL_ALLOWED_HOSTS`.

        Args:
            addresses: Web addresses; anything else among them is ignored.
        """
        listed = os.environ.get(ALLOWED_HOSTS_VARIABLE, "").split(",")
        entries = {*map(_origin, addresses), *(_entry(text.strip()) for text in listed)}
        return cls(frozenset(entries - {""}))

    def check(self, url: str) -> None:
        """Lets an address pass, or raises. Its host's name is looked up, which may take a while.

        A name that cannot be looked up passes: nothing is there that could be asked.

        Raises:
            ForbiddenAddressError: It is no http(s) address; or its host is this machine, or in its
                link-local network, or its cloud's metadata service, and not allowed.
        """
        target = _Target.of(url)
        if not self._allows(target):
            for address in target.addresses():
                target.check(address)

    def check_peer(self, url: str, peer: object) -> None:
        """Lets the other end of a connection pass, or raises.

        For the connection a name is looked up once more, maybe with another result.

        Args:
            url: What is to be asked there.
            peer: The socket's address, a tuple that begins with the IP address.

        Raises:
            ForbiddenAddressError: See `check`.
        """
        target = _Target.of(url)
        if self._allows(target):
            return
        if not isinstance(peer, tuple) or not peer:
            raise target.forbidden("where nobody knows")
        target.check(_ip(str(peer[0])))

    def hosts(self) -> list[str]:
        """The allowed hosts, whatever their ports."""
        return sorted({entry.rpartition(":")[0].strip("[]") for entry in self.allowed})

    def _allows(self, target: _Target) -> bool:
        return bool(self.allowed & {target.entry(target.port), target.entry(_ANY_PORT)})


@dataclass(frozen=True)
class _Target:
    """The host and port of an address, as the HTTP client that asks understands it."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> _Target:
        import httpx

        try:
            parts = httpx.URL(url)
            host = parts.raw_host.decode("ascii")
        except (httpx.InvalidURL, ValueError):
            raise ForbiddenAddressError(f"This is no web address: {redacted(url)}") from None
        if parts.scheme not in PORTS:
            raise ForbiddenAddressError(
                f"Only http:// and https:// addresses can be asked, not this one: {redacted(url)}"
            )
        port = PORTS[parts.scheme] if parts.port is None else parts.port
        if not _HOST.fullmatch(host) or not 0 < port <= _LAST_PORT:
            raise ForbiddenAddressError(f"This web address has no host: {redacted(url)}")
        return cls(host, port)

    def entry(self, port: int | str) -> str:
        return f"{_canonical(self.host)}:{port}"

    def addresses(self) -> list[Address]:
        """All that the name may stand for; none if nobody knows it.

        Raises:
            ForbiddenAddressError: It can be no name.
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
            found += [_ip(str(answer[4][0])) for answer in answers]
        return found

    def check(self, address: Address) -> None:
        reason = next(filter(None, map(_reason, (address, *_carried(address)))), "")
        if reason:
            raise self.forbidden(reason, "" if str(address) == self.host else f" ({address})")

    def forbidden(self, reason: str, address: str = "") -> ForbiddenAddressError:
        return ForbiddenAddressError(
            f"{self.host}{address} is {reason}, and not asked. If it is meant to be, set "
            f"{ALLOWED_HOSTS_VARIABLE}={self.entry(self.port)}"
        )


def _reason(address: Address) -> str:
    """Why an address must not be asked, or nothing."""
    if address in _METADATA:
        return "a metadata service of a cloud"
    if address.is_link_local:
        return "in this machine's link-local network"
    if address.is_multicast:
        return "no single host"
    if (
        address.is_loopback
        or address.is_unspecified
        or address in _THIS_NETWORK
        or _is_own(address)
    ):
        return "this machine itself"
    return ""


def _carried(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    carried: list[Address | None] = [address.ipv4_mapped, address.sixtofour]
    carried += address.teredo or ()
    if any(address in network for network in _CARRY_IPV4):
        carried.append(ipaddress.IPv4Address(address.packed[-4:]))
    return [each for each in carried if each is not None]


def _is_own(address: Address) -> bool:
    """Whether an address is of this machine: exactly if a socket can be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def _ip(text: str) -> Address:
    """An IP address without the interface that may stand after it."""
    return ipaddress.ip_address(text.partition("%")[0])


def _canonical(host: str) -> str:
    host = host.lower().rstrip(".")
    return f"[{_ip(host)}]" if ":" in host else host


def _origin(url: str) -> str:
    try:
        target = _Target.of(url)
    except ForbiddenAddressError:
        return ""
    return target.entry(target.port)


def _entry(text: str) -> str:
    """What the setting lists, as an entry of `WebGate.allowed`; nothing if it is no host."""
    bare = f"[{text}]" if text.count(":") > 1 and "[" not in text else text
    try:
        parts = urlsplit(text if "://" in text else f"//{bare}")
        return f"{_canonical(parts.hostname or '')}:{parts.port or _ANY_PORT}" * bool(
            parts.hostname
        )
    except ValueError:
        return ""


def redacted(url: str) -> str:
    """A web address for a message: without user, password and query, which may be secrets."""
    # Most commands name no web address, and are refused before anything is asked.
    import httpx

    try:
        parts = httpx.URL(url)
        scheme = parts.scheme and f"{parts.scheme}:"
        text = f"{scheme}//{parts.netloc.decode('ascii')}{parts.path}" if parts.host else parts.path
    except (httpx.InvalidURL, ValueError):
        text = url.rpartition("@")[2].partition("?")[0].partition("#")[0]
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
