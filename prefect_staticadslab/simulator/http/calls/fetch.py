"""Images that are given as an address, which the simulator fetches from this machine only."""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import SplitResult, urlsplit

from prefect_staticadslab.simulator.model import uploads
from prefect_staticadslab.simulator.model.errors import APIError, not_valid

FETCH_SECONDS: Final = 5.0
"""For the whole download, however slowly its bytes come."""


def fetch_image(url: object) -> uploads.Upload:
    """Fetches an image that is served on this machine; the simulator goes nowhere else.

    Raises:
        APIError: 422 if it cannot be fetched, 400 if it is no address or no image.
    """
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise not_valid(("reference_image_url", "must be the address of an image"))
    try:
        parts = urlsplit(url)
        if parts.hostname not in ("127.0.0.1", "localhost"):
            raise _unreachable("The simulator fetches from this machine only; upload a file.")
        content = _download(parts)
    except (OSError, ValueError, HTTPException) as error:
        raise _unreachable(f"The image could not be fetched: {error}") from None
    name = parts.path.rpartition("/")[2] + parts.query
    return uploads.read_image(name, content, "reference_image_url")


def _unreachable(message: str) -> APIError:
    """A 422."""
    return APIError(422, "UNREACHABLE_IMAGE", message)


def _download(parts: SplitResult) -> bytes:
    """What is at an address of this machine; redirects are not followed, proxies not used.

    It reads one byte more than an upload may have, so that a larger file is seen to be larger.

    Raises:
        OSError, ValueError, HTTPException: It cannot be fetched.
    """
    connection_type = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connection_type(parts.hostname or "", parts.port, timeout=FETCH_SECONDS)
    connection.connect()
    # A server that sends a byte now and then would keep to any time-out for one of them.
    too_slow = threading.Timer(FETCH_SECONDS, connection.sock.shutdown, [socket.SHUT_RDWR])
    too_slow.daemon = True
    too_slow.start()
    try:
        connection.request("GET", f"{parts.path or '/'}?{parts.query}")
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise OSError(f"{answer.status} {answer.reason}")
        return answer.read(uploads.MOST_BYTES + 1)
    finally:
        too_slow.cancel()
        connection.close()
