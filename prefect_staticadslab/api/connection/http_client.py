"""An HTTP client for one host: httpx's requests and answers, over connections of our own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.request import getproxies

import httpx

from prefect_staticadslab.api.connection import is_loopback, loopback_mounts
from prefect_staticadslab.api.connection.pool import ConnectionPool
from prefect_staticadslab.api.errors import APIConnectionError

_KEPT_URLS: Final = 16
"""Addresses that are made once: all creates have the same, and httpx takes its time to make one."""


class HTTPClient:
    """Makes and sends requests to one host, through the environment's proxy if it names one.

    Args:
        base_url: What every path is appended to.
        headers: Sent with each request.
        timeout: For requests that have none of their own.
        transport: An httpx transport, for tests.

    Raises:
        APIConnectionError: A proxy or certificates that the environment names cannot be used.

    Example:
        ```python
        import asyncio, os
        import httpx
        from prefect_staticadslab.api.connection.http_client import HTTPClient

        async def main():
            http = HTTPClient(os.environ["SAL_BASE_URL"], {}, httpx.Timeout(5))
            response = await http.send(http.build_request("GET", "/v1/account"))
            await response.aread()
            assert response.status_code == 401
            await response.aclose()
            await http.aclose()

        asyncio.run(main())
        ```
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        timeout: httpx.Timeout,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base_url = base_url
        self._cached_url = lru_cache(_KEPT_URLS)(self._absolute_url)
        # Our own connections; None where httpx's are used, because of a proxy or a transport.
        self._pool: ConnectionPool | None = None
        host = httpx.URL(base_url).host
        try:
            if transport is None and (is_loopback(host) or not _environment_has_proxy()):
                self._pool = transport = ConnectionPool(base_url)
            self._client = httpx.AsyncClient(
                headers=headers, timeout=timeout, transport=transport, mounts=loopback_mounts(host)
            )
        except (ImportError, OSError, ValueError) as error:
            # Proxies and certificates are taken from the environment.
            raise APIConnectionError(f"No HTTP client can be set up here: {error}") from None

    def build_request(self, method: str, path: str, **options: Any) -> httpx.Request:
        """A request for `send`; `options` are those of `httpx.AsyncClient.build_request`.

        Raises:
            httpx.InvalidURL: The path cannot be one.
        """
        return self._client.build_request(method, self._cached_url(path), **options)

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Sends a request. The answer's body is still to be read, and the answer to be closed.

        Raises:
            httpx.HTTPError: There was no answer.
        """
        if self._pool is None:
            return await self._client.send(request, stream=True)
        # What httpx's client does besides is for redirects, cookies and passwords: there are none.
        return await self._pool.handle_async_request(request)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    def _absolute_url(self, path: str) -> httpx.URL:
        return httpx.URL(self._base_url + path)


def _environment_has_proxy() -> bool:
    """Whether the environment names a proxy that httpx would use for some hosts."""
    return not {"all", "http", "https"}.isdisjoint(getproxies())
