"""A reader of web addresses that nothing there can hold up or overfill."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from prefect_staticadslab import __version__, bounds
from prefect_staticadslab.api.connection import ACCEPT_ENCODING, loopback_mounts, unbounded_encoding
from prefect_staticadslab.api.errors import ForbiddenAddressError, WebError
from prefect_staticadslab.api.web.gate import LONGEST_SHOWN, PORTS, WebGate, redacted_url

if TYPE_CHECKING:
    import httpx

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


def web_client(gate: WebGate) -> httpx.AsyncClient:
    """A client for `open_web`, for the caller to close. It keeps no cookies.

    Raises:
        WebError: Proxies or certificates that the environment names cannot be used.
    """
    import httpx

    try:
        return httpx.AsyncClient(
            headers={
                "Accept-Encoding": ACCEPT_ENCODING,
                "User-Agent": f"prefect-staticadslab/{__version__}",
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=httpx.Timeout(bounds.READ_SECONDS, connect=bounds.CONNECT_SECONDS),
            mounts=loopback_mounts(*gate.hosts()),
        )
    except (ImportError, OSError, ValueError) as error:
        raise WebError(f"No HTTP client can be set up here: {error}") from None


@dataclass(frozen=True)
class WebAnswer:
    """An answer whose body is still to be read.

    Attributes:
        response: It as httpx has it, as a stream.
        _deadline: The time-out of the whole request; the more of the body is there, the later.
        _began: When the request began, by the event loop's clock.
    """

    response: httpx.Response
    _deadline: asyncio.Timeout
    _began: float

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status_code

    async def pieces(self, at_most: int) -> AsyncGenerator[bytes, None]:
        """Reads the body in pieces, decompressed; each of them gives the rest more time.

        Args:
            at_most: How many bytes it may have, decompressed.

        Raises:
            WebError: It has more, breaks off, or is compressed in a way that may fill the memory.
        """
        url, size = str(self.response.url), 0
        if encoding := unbounded_encoding(self.response):
            raise WebError(f"{redacted_url(url)} is compressed as {encoding}, which is not read")
        with _as_web_errors(url):
            async for piece in self.response.aiter_bytes():
                size += len(piece)
                if size > at_most:
                    raise WebError(f"{redacted_url(url)} has more than {at_most:,} bytes")
                received = self.response.num_bytes_downloaded
                self._deadline.reschedule(self._began + _allowed_seconds(received))
                yield piece


def _allowed_seconds(received: int) -> float:
    """How long a request may take in all, of whose body so many bytes have arrived."""
    earned = received / bounds.SLOWEST_BYTES_PER_SECOND
    return min(bounds.WEB_SECONDS, bounds.WEB_GRACE_SECONDS + earned)


@asynccontextmanager
async def open_web(
    http: httpx.AsyncClient, url: str, gate: WebGate, headers: Mapping[str, str] = _NO_HEADERS
) -> AsyncIterator[WebAnswer]:
    """Sends a GET to `url`, and to what it is redirected to, if the gate lets each of them pass.

    The answer, of whatever status, is closed at the end of the `async with`. The time that all of
    this takes, with what the body of the `async with` does, is bounded: see
    `prefect_staticadslab.bounds`.

    Raises:
        ForbiddenAddressError: See `WebGate.check`.
        WebError: There was no answer in time, or too many redirects, or one to plain http.
    """
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(began + _allowed_seconds(0)) as deadline:
            response = await _get_through_redirects(http, url, gate, headers)
            try:
                yield WebAnswer(response, deadline, began)
            finally:
                await response.aclose()
    except TimeoutError:
        if not deadline.expired():
            raise
        seconds = asyncio.get_running_loop().time() - began
        raise WebError(
            f"{redacted_url(url)} was not there after {seconds:.0f} s; what is slower than "
            f"{bounds.SLOWEST_BYTES_PER_SECOND:,} bytes a second is not waited for"
        ) from None


async def _get_through_redirects(
    http: httpx.AsyncClient, url: str, gate: WebGate, headers: Mapping[str, str]
) -> httpx.Response:
    """Sends a GET to an address, and to those that it is redirected to, each past the gate.

    Returns:
        The first answer that is no redirect, for the caller to read and to close.

    Raises:
        ForbiddenAddressError: One of them must not be asked.
        WebError: One does not answer, there are too many, or one leads from https to plain http.
    """
    with _as_web_errors(url):
        request = http.build_request("GET", url, headers=headers)
        # httpx, where it follows by itself, reads the body of a redirect, however long it is.
        for _ in range(1 + bounds.REDIRECTS):
            await asyncio.to_thread(gate.check, str(request.url))
            request.extensions["trace"] = _PeerCheck(gate, request.url)
            response = await http.send(request, stream=True, follow_redirects=False)
            if response.next_request is None:
                return response
            await response.aclose()
            if (request.url.scheme, response.next_request.url.scheme) == ("https", "http"):
                raise WebError(f"{redacted_url(url)} is redirected from https to plain http")
            request = response.next_request
    raise WebError(f"{redacted_url(url)} is redirected more than {bounds.REDIRECTS} times")


class _PeerCheck:
    """Checks the other end of each connection before a byte is sent on it: httpx's "trace" request
    extension.

    Args:
        gate: What may be asked.
        url: What is requested.
    """

    def __init__(self, gate: WebGate, url: httpx.URL) -> None:
        self._gate = gate
        self._url = url
        # Whether the connection is to the host itself, and not to a proxy.
        self._is_direct = True

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Takes an event of httpcore's; closes a connection to a machine that must not be asked.

        Args:
            event: Its name, such as `connection.connect_tcp.complete`.
            info: The arguments of the call that began, or what the one that ended returned.

        Raises:
            ForbiddenAddressError: The other end, which a name may have led to, must not be asked.
        """
        if event == "connection.connect_tcp.started":
            # The other end of a connection to a proxy is the proxy, whatever is asked of it.
            port = self._url.port or PORTS[self._url.scheme]
            host = self._url.raw_host.decode("ascii")
            self._is_direct = (info["host"], info["port"]) == (host, port)
        elif event == "connection.connect_tcp.complete" and self._is_direct:
            stream = info["return_value"]
            try:
                self._gate.check_peer(str(self._url), stream.get_extra_info("server_addr"))
            except ForbiddenAddressError:
                await stream.aclose()
                raise


@contextmanager
def _as_web_errors(url: str) -> Iterator[None]:
    """Turns httpx's errors, which hold the request, into `WebError` with a redacted address."""
    import httpx

    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = f"{type(error).__name__}: {error}"[:LONGEST_SHOWN]
        raise WebError(f"{redacted_url(url)} cannot be had ({reason})") from None


@dataclass(frozen=True)
class WebFile:
    """What a web address names.

    Attributes:
        content: Its bytes, decompressed.
        version: What changes with the content: its ETag, else its date, else its SHA-256.
    """

    content: bytes
    version: str


def read_web(
    url: str, gate: WebGate, *, at_most: int, headers: Mapping[str, str] = _NO_HEADERS
) -> WebFile:
    """Reads what a web address names; from any thread, whether an event loop runs there or not.

    Args:
        url: The address. A user and password in it go to its own host only.
        gate: What may be asked.
        at_most: How many bytes it may have, decompressed.
        headers: More headers of the request.

    Raises:
        ForbiddenAddressError: See `WebGate.check`.
        WebError: It cannot be had, has more bytes, or takes too long. `status` tells an answer
            that says no, such as 404.

    Example:
        ```python
        from prefect_staticadslab.api.web import WebError, WebGate, read_web

        try:
            read_web("http://no.such.host.invalid/table.csv", WebGate.allowing(), at_most=1_000_000)
        except WebError as error:
            assert error.status is None
        ```
    """
    from anyio.from_thread import start_blocking_portal

    # A loop in a thread of its own, since only a loop can end what trickles in for ever.
    with start_blocking_portal() as portal:
        return portal.call(_read_file, url, gate, at_most, headers)


async def _read_file(url: str, gate: WebGate, at_most: int, headers: Mapping[str, str]) -> WebFile:
    """Does what `read_web` does, in this event loop."""
    content = io.BytesIO()
    async with web_client(gate) as http, open_web(http, url, gate, headers) as answer:
        if not answer.response.is_success:
            raise WebError(f"{redacted_url(url)} answered {answer.status}", status=answer.status)
        async with aclosing(answer.pieces(at_most)) as pieces:
            async for piece in pieces:
                content.write(piece)
        answered = answer.response.headers
    body = content.getvalue()
    version = answered.get("etag") or answered.get("last-modified")
    version = version or hashlib.sha256(body).hexdigest()
    return WebFile(body, version[:LONGEST_SHOWN])
