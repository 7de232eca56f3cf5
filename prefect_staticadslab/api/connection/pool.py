"""Connections to the API: as few as there are requests at once, and each used again and again.

httpx's own pool looks at all connections for each request and once more for each answer, and asks
the operating system about each that is idle: with eight of them that is a fifth of what a create
costs in CPU. Here the connection that was used last is taken, and looked at alone. HTTP and TLS are
httpcore's, as they are in httpx.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import httpcore
import httpx

MOST_CONNECTIONS: Final = 100
IDLE_SECONDS: Final = 5.0
"""How many connections there are at most, and how long one is kept unused: as in httpx."""

WRITTEN_AT_ONCE: Final = 64 * 1024
"""Bytes of a request that are kept until it is whole; more are sent as they come."""

_CERTIFICATE_VARIABLES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")

_ERRORS: Final[dict[type[Exception], type[httpx.TransportError]]] = {
    getattr(httpcore, kind.__name__): kind
    for kind in (
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.ReadError,
        httpx.ReadTimeout,
        httpx.WriteError,
        httpx.WriteTimeout,
        httpx.LocalProtocolError,
        httpx.RemoteProtocolError,
        httpx.UnsupportedProtocol,
    )
}


class ConnectionPool(httpx.AsyncBaseTransport):
    """An httpx transport for one host, without a proxy, in one event loop.

    Args:
        origin: Any address of the host.

    Raises:
        OSError, ValueError: Certificates that the environment names cannot be used.

    Example:
        ```python
        import asyncio, os
        import httpx
        from prefect_staticadslab.api.connection.pool import ConnectionPool

        async def main():
            url = os.environ["SAL_BASE_URL"]
            async with httpx.AsyncClient(transport=ConnectionPool(url)) as http:
                assert (await http.get(f"{url}/v1/account")).status_code == 401

        asyncio.run(main())
        ```
    """

    def __init__(self, origin: str) -> None:
        url = httpx.URL(origin)
        self._origin = httpcore.URL(scheme=url.scheme, host=url.raw_host, port=url.port).origin
        self._ssl_context = None
        if url.scheme == "https":
            self._ssl_context = _ssl_context(*map(os.environ.get, _CERTIFICATE_VARIABLES))
        self._network = _Network()
        # A place for each request that has a connection, or is about to take one.
        self._places = asyncio.Semaphore(MOST_CONNECTIONS)
        # Each with when it was used last, by `time.monotonic`; the last used one is at the end.
        self._idle: deque[tuple[httpcore.AsyncHTTPConnection, float]] = deque()
        # Idle or in use.
        self._open: set[httpcore.AsyncHTTPConnection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request; the response's body is still to be read, and the response to be closed.

        Raises:
            httpx.TransportError: There was no answer, or none that is HTTP; `httpx.PoolTimeout` if
                too many connections are in use.
        """
        seconds: dict[str, float | None] = request.extensions.get("timeout", {})
        await self._acquire_place(seconds.get("pool"))
        connection: httpcore.AsyncHTTPConnection | None = None
        try:
            connection = await self._take_connection()
            with _as_httpx_errors():
                response = await connection.handle_async_request(
                    httpcore.Request(
                        request.method,
                        httpcore.URL(
                            scheme=request.url.raw_scheme,
                            host=request.url.raw_host,
                            port=request.url.port,
                            target=request.url.raw_path,
                        ),
                        headers=request.headers.raw,
                        content=request.stream,
                        extensions=request.extensions,
                    )
                )
        except BaseException:
            self._places.release()
            # Nothing else is to be sent on it: it may be in the middle of this request.
            if connection is not None:
                await self._close(connection)
            raise
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response, self, connection),
            extensions=response.extensions,
            request=request,
        )

    async def aclose(self) -> None:
        """Closes all connections, also those in use."""
        self._idle.clear()
        while self._open:
            await self._open.pop().aclose()

    async def _acquire_place(self, seconds: float | None) -> None:
        """Waits until fewer than `MOST_CONNECTIONS` are in use, and takes a place among them.

        Raises:
            httpx.PoolTimeout: There was none within so many seconds.
        """
        try:
            async with asyncio.timeout(seconds if self._places.locked() else None):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout(f"{MOST_CONNECTIONS} connections are in use") from None

    async def _take_connection(self) -> httpcore.AsyncHTTPConnection:
        """Takes the connection that was used last, if it still is one; else makes a new one, which
        connects with its first request. Closes those that were idle for too long."""
        oldest = time.monotonic() - IDLE_SECONDS
        while self._idle and self._idle[0][1] < oldest:
            await self._close(self._idle.popleft()[0])
        while self._idle:
            connection, _ = self._idle.pop()
            # Whoever is at the other end may have closed it meanwhile.
            if connection.is_idle() and not connection.has_expired():
                return connection
            await self._close(connection)
        connection = httpcore.AsyncHTTPConnection(
            self._origin, ssl_context=self._ssl_context, network_backend=self._network
        )
        self._open.add(connection)
        return connection

    async def _close(self, connection: httpcore.AsyncHTTPConnection) -> None:
        """Closes a connection that is not among the idle ones, and forgets it."""
        self._open.discard(connection)
        await connection.aclose()

    async def _give_back(self, connection: httpcore.AsyncHTTPConnection) -> None:
        """Frees a request's place, and keeps its connection for the next request; closes it if it
        cannot be used again."""
        self._places.release()
        if connection in self._open and connection.is_idle() and not connection.is_closed():
            self._idle.append((connection, time.monotonic()))
        else:
            # It failed, was left before its end, or the pool was closed meanwhile.
            await self._close(connection)


class _Body(httpx.AsyncByteStream):
    """A response's body, which gives its connection back to the pool when it is closed."""

    def __init__(
        self,
        response: httpcore.Response,
        pool: ConnectionPool,
        connection: httpcore.AsyncHTTPConnection,
    ) -> None:
        assert isinstance(response.stream, AsyncIterable)  # noqa: S101
        self._response = response
        self._pieces = response.stream
        self._pool = pool
        self._connection: httpcore.AsyncHTTPConnection | None = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors():
            async for piece in self._pieces:
                yield piece

    async def aclose(self) -> None:
        """Closes the response, and gives its connection back; does nothing the second time."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                with _as_httpx_errors():
                    await self._response.aclose()
            finally:
                await self._pool._give_back(connection)


class _Network(httpcore.AsyncNetworkBackend):
    """httpcore's network, with streams that send a request in one piece."""

    def __init__(self) -> None:
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to a host, as httpcore does; the connection is a `_Stream`."""
        return _Stream(
            await self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        )


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that keeps what is written until the answer is waited for, or it is too much.

    httpcore writes a request's head and its body one after the other; that is a packet, a call of
    the operating system and a turn of the event loop for each.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._unsent = b""
        # The time-out of the last `write`, for when it is made up for.
        self._write_timeout: float | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Sends what was kept, and reads what comes; empty at the connection's end."""
        try:
            await self._flush()
        except httpcore.WriteError:
            # Who does not want all of a request may have answered it, and httpcore reads on, too.
            self._unsent = b""
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Keeps what is to be sent, and sends it once it is more than `WRITTEN_AT_ONCE` bytes."""
        self._write_timeout = timeout
        self._unsent += buffer
        if len(self._unsent) > WRITTEN_AT_ONCE:
            await self._flush()

    async def aclose(self) -> None:
        """Closes the connection; what was kept is not sent any more."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The same connection, encrypted; closed if that fails."""
        try:
            return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        except BaseException:
            # httpcore does so after an error, but not when the handshake is cancelled.
            await self.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        """What httpcore knows of the connection by this name; None if nothing."""
        return self._stream.get_extra_info(info)

    async def _flush(self) -> None:
        """Sends what was kept."""
        unsent, self._unsent = self._unsent, b""
        if unsent:
            await self._stream.write(unsent, self._write_timeout)


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    """Turns httpcore's errors into those of httpx that are called the same."""
    try:
        yield
    except tuple(_ERRORS) as error:
        raise _ERRORS[type(error)](str(error)) from error


@cache
def _ssl_context(*_: str | None) -> ssl.SSLContext:
    """What certificates are checked against, as the environment says.

    It is read once for each value of the variables that the arguments are: that takes a tenth of a
    second.
    """
    return httpx.create_ssl_context()
