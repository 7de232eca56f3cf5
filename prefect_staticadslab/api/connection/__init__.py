"""Where the API is, what a key looks like, and what any HTTP client of ours is set up with."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from prefect_staticadslab import bounds
from prefect_staticadslab.api.errors import InvalidAPIKeyError, InvalidBaseURLError

if TYPE_CHECKING:
    import httpx

DEFAULT_BASE_URL: Final = "https://api.staticadslab.com"
API_KEY_VARIABLE: Final = "SAL_API_KEY"
BASE_URL_VARIABLE: Final = "SAL_BASE_URL"
KEY_PREFIX: Final = "sal_"

ACCEPT_ENCODING: Final = "gzip, deflate"
"""One of these inflates a thousandfold at most. Brotli, Zstandard and one in the other have no such
bound, and one piece of them may fill the memory."""

_ENCODINGS: Final = frozenset(ACCEPT_ENCODING.split(", "))


def hash_api_key(api_key: str) -> str:
    """What stands for an API key where that itself must not be: 16 hexadecimal digits.

    Example:
        ```python
        from prefect_staticadslab.api.connection import hash_api_key

        ours, theirs = hash_api_key("sal_live_simulator"), hash_api_key("sal_live_x")
        assert ours == hash_api_key("sal_live_simulator") != theirs
        ```
    """
    return hashlib.sha256(api_key.encode()).hexdigest()[:16]


def check_api_key(key: str) -> str:
    """Returns `key` if it looks like one of the API's, `sal_live_…`.

    Raises:
        InvalidAPIKeyError: It does not. The message gives a hint, and never the key.

    Example:
        ```python
        from prefect_staticadslab.api.connection import check_api_key

        assert check_api_key("sal_live_simulator") == "sal_live_simulator"
        ```
    """
    if not key.strip():
        raise InvalidAPIKeyError("The API key is empty.")
    if key.strip().lower().startswith("bearer"):
        raise InvalidAPIKeyError(
            "The API key starts with 'Bearer'. Leave that word out: "
            f"the key itself starts with {KEY_PREFIX!r}."
        )
    if any(character.isspace() for character in key):
        raise InvalidAPIKeyError(
            "The API key holds a space or a line break. Was something else copied along with it?"
        )
    if not key.isascii() or not key.isprintable() or key.strip("'\"") != key:
        raise InvalidAPIKeyError(
            "The API key holds quotes or characters that no key has. Copy it once more."
        )
    if not key.startswith(KEY_PREFIX) or key == KEY_PREFIX:
        raise InvalidAPIKeyError(
            f"The API key does not start with {KEY_PREFIX!r}. "
            "Copy it from the Static Ads Lab dashboard; it looks like sal_live_…"
        )
    return key


def check_base_url(url: str) -> str:
    """Returns `url` without a trailing slash or `/v1`, if the key may be sent there.

    Raises:
        InvalidBaseURLError: It is no http(s) URL, holds more than a host and a path, or is plain
            http to something else than this machine's loopback, where anybody on the way could read
            the key.

    Example:
        ```python
        from prefect_staticadslab.api.connection import check_base_url

        assert check_base_url("http://127.0.0.1:8000/v1/") == "http://127.0.0.1:8000"
        ```
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidBaseURLError(
            f"The base URL must look like {DEFAULT_BASE_URL}; this one does not."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidBaseURLError(
            "The base URL must hold a host and nothing secret: no user, password, ? or #."
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidBaseURLError(
            f"The base URL would send the API key to {host} unencrypted. Use https://; "
            "plain http:// is only for this machine itself (127.0.0.1 or localhost)."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself, so that what is sent to it crosses no network."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def loopback_mounts(*hosts: str) -> dict[str, None]:
    """httpx's `mounts` that keep from a proxy what is for this machine itself.

    A proxy of the environment is for what is elsewhere; it would be told the key of a plain-http
    address, and look for the host on its own machine.

    Returns:
        None, which is no proxy, for each of the hosts that is this machine; nothing for others.

    Example:
        ```python
        from prefect_staticadslab.api.connection import loopback_mounts

        assert loopback_mounts("127.0.0.1", "::1", "example.com") == {
            "all://127.0.0.1": None,
            "all://[::1]": None,
        }
        ```
    """
    loopback = (f"[{host}]" if ":" in host else host for host in hosts if is_loopback(host))
    return {f"all://{host}": None for host in loopback}


def unbounded_encoding(response: httpx.Response) -> str:
    """The encodings of a compressed body that may fill the memory, with commas between them; an
    empty text for a body that may be read."""
    if "content-encoding" not in response.headers:
        return ""
    encodings = response.headers.get_list("content-encoding", split_commas=True)
    names = [name for each in encodings if (name := each.strip().lower()) not in ("", "identity")]
    if len(names) > 1 or not _ENCODINGS.issuperset(names):
        return ", ".join(names)[: bounds.HEADER_LENGTH]
    return ""
