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
from prefect_staticadslab.api.connection import ACCEPT_ENCODING, direct, unbounded_encoding
from prefect_staticadslab.api.errors import ForbiddenAddressError, WebError
from prefect_staticadslab.api.web.gate import LONGEST_SHOWN, PORTS, WebGate, redacted

if TYPE_CHECKING:
    import httpx

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def web_client(gate: WebGate) -> httpx.AsyncClient:
    """A client for `ask`. It takes no cookies.

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
            mounts=direct(*gate.hosts()),
        )
    except (ImportError, OSError, ValueError) as error:
        raise WebError(f"No HTTP client can be set up here: {error}") from None


@dataclass(frozen=True)
class WebAnswer:
    """An answer whose body is still to be read."""

    response: httpx.Response
    _limit: asyncio.Timeout
    _began: float

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status_code

    async def pieces(self, at_most: int) -> AsyncGenerator[bytes, None]:
        """The body in pieces, decompressed.

        Args:
            at_most: How many bytes it may have.

        Raises:
            WebError: It has more, or came to a bad end.
        """
        url, size = str(self.response.url), 0
        if encoding := unbounded_encoding(self.response):
            raise WebError(f"{redacted(url)} is compressed as {encoding}, which is not read")
        with _in_words(url):
            async for piece in self.response.aiter_bytes():
                size += len(piece)
                if size > at_most:
                    raise WebError(f"{redacted(url)} has more than {at_most:,} bytes")
                self._limit.reschedule(self._began + _seconds(self.response.num_bytes_downloaded))
                yield piece


def _seconds(received: int) -> float:
    earned = received / bounds.SLOWEST_BYTES_PER_SECOND
    return min(bounds.WEB_SECONDS, bounds.WEB_GRACE_SECONDS + earned)


@asynccontextmanager
async def ask(
    http: httpx.AsyncClient, url: str, gate: WebGate, headers: Mapping[str, str] = _NOTHING
) -> AsyncIterator[WebAnswer]:
    """Asks for `url`, and for what it is redirected to, if the gate lets each of them pass.

    The time that it takes, with what the body of the `async with` does, is bounded: see
    `prefect_staticadslab.bounds`.

    Raises:
        ForbiddenAddressError: See `WebGate.check`.
        WebError: There was no answer in time, or too many redirects, or one to plain http.
    """
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(began + _seconds(0)) as limit:
            response = await _follow(http, url, gate, headers)
            try:
                yield WebAnswer(response, limit, began)
            finally:
                await response.aclose()
    except TimeoutError:
        if not limit.expired():
            raise
        seconds = asyncio.get_running_loop().time() - began
        raise WebError(
            f"{redacted(url)} was not there after {seconds:.0f} s; what is slower than "
            f"{bounds.SLOWEST_BYTES_PER_SECOND:,} bytes a second is not waited for"
        ) from None


async def _follow(
    http: httpx.AsyncClient, url: str, gate: WebGate, headers: Mapping[str, str]
) -> httpx.Response:
    """Asks an address, and those that it is redirected to: each passes the gate before it is asked.

    Raises:
        ForbiddenAddressError: One of them must not be asked.
        WebError: One could not be, there are too many, or one leads from https to plain http.
    """
    with _in_words(url):
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
                raise WebError(f"{redacted(url)} is redirected from https to plain http")
            request = response.next_request
    raise WebError(f"{redacted(url)} is redirected more than {bounds.REDIRECTS} times")


class _PeerCheck:
    """Sees each connection before a byte is sent on it: httpx's "trace" request extension."""

    def __init__(self, gate: WebGate, url: httpx.URL) -> None:
        self._gate = gate
        self._url = url
        self._is_direct = True

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Hears from httpcore what becomes of a connection; closes one to a machine that is
        forbidden.

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
def _in_words(url: str) -> Iterator[None]:
    """Turns httpx's errors, which hold the request, into ours."""
    import httpx

    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = f"{type(error).__name__}: {error}"[:LONGEST_SHOWN]
        raise WebError(f"{redacted(url)} cannot be had ({reason})") from None


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
    url: str, gate: WebGate, *, at_most: int, headers: Mapping[str, str] = _NOTHING
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
            read_web("http://no.such.host.invalid/table.csv", WebGate.of(), at_most=1_000_000)
        except WebError as error:
            assert error.status is None
        ```
    """
    from anyio.from_thread import start_blocking_portal

    # A loop in a thread of its own, since only a loop can end what trickles in for ever.
    with start_blocking_portal() as portal:
        return portal.call(_read, url, gate, at_most, headers)


async def _read(url: str, gate: WebGate, at_most: int, headers: Mapping[str, str]) -> WebFile:
    """Reads a file of the web; see `read_web`. Its version is its ETag, the time of its last
    change, or a hash of its content: the first of these that there is."""
    content = io.BytesIO()
    async with web_client(gate) as http, ask(http, url, gate, headers) as answer:
        if not answer.response.is_success:
            raise WebError(f"{redacted(url)} answered {answer.status}", status=answer.status)
        async with aclosing(answer.pieces(at_most)) as pieces:
            async for piece in pieces:
                content.write(piece)
        told = answer.response.headers
    body = content.getvalue()
    version = told.get("etag") or told.get("last-modified") or hashlib.sha256(body).hexdigest()
    return WebFile(body, version[:LONGEST_SHOWN])
