"""Where things are: the gate that every place passes, whether people type it or a cell names it.

What people type may be a path, a web address, or a place in an object store. What *data* names, a
cell, a note or a result table, is narrower: spreadsheets come from strangers.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from prefect_staticadslab.api.web import WebGate
from prefect_staticadslab.campaign.errors import StorageError

PROTOCOLS_VARIABLE: Final = "SAL_ALLOWED_PROTOCOLS"
"""Names further protocols of fsspec that people may type, separated by commas."""

LOCAL_PROTOCOLS: Final = frozenset(("file", "local"))
WEB_PROTOCOLS: Final = frozenset(("http", "https"))
STORE_PROTOCOLS: Final = frozenset(("s3", "gs", "gcs", "az", "abfs", "abfss"))

LONGEST_SHOWN: Final = 300
"""Of a longer location a message shows the beginning and the end."""

_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


class LocationError(StorageError):
    """A location that may not be opened. The message says why, and what to do."""


@dataclass(frozen=True)
class Location:
    """A location that has been checked and may be opened; make it by `typed` or `named_by`.

    Attributes:
        text: The location as it is written.
        protocol: Such as `https` or `s3`, in lower case; "" for a path of this machine.
        gate: Which hosts may be asked for it, if it is a web address.
    """

    text: str
    protocol: str
    gate: WebGate

    @classmethod
    def typed(cls, text: str) -> Location:
        """Checks a location that a person named: in a command, a form, a deployment or code.

        Args:
            text: A path, an http(s) address, or a place in an object store: `s3://`, `gs://`,
                `az://` or `abfs://`. The environment variable `SAL_ALLOWED_PROTOCOLS` may name
                more of fsspec's protocols. fsspec's chains of addresses, with `::`, are refused.

        Raises:
            LocationError: It is none of these.

        Example:
            ```python
            from prefect_staticadslab.campaign.files.locations import Location

            assert Location.typed("ads/summer.csv").is_local
            assert Location.typed("S3://ads/summer.csv").protocol == "s3"
            ```
        """
        protocol = protocol_of(text)
        if protocol in WEB_PROTOCOLS:
            return cls(text, protocol, WebGate.allowing(text))
        if protocol and "::" in text:
            raise LocationError(
                f"{redacted(text)} is a chain of addresses, and these are not followed. Name the "
                "file itself."
            )
        if protocol and protocol not in STORE_PROTOCOLS | _allowed_protocols():
            raise LocationError(
                f"{redacted(text)} is of a kind that is not allowed: it may be a path, or begin "
                f"with http://, https://, s3://, gs://, az:// or abfs://. The environment variable "
                f"{PROTOCOLS_VARIABLE} may allow more."
            )
        return cls(text, protocol, WebGate())

    @classmethod
    def named_by(cls, table: str, text: str) -> Location:
        """Checks a location that a table names, in a cell or as the name of a file beside it.

        Args:
            table: Where the table is, as it was typed.
            text: An http(s) address; or a path that starts at the table's folder and stays below
                it, also if links lie on the way. A table from the web may only name what is there.

        Raises:
            LocationError: It is none of these.

        Example:
            ```python
            from prefect_staticadslab.campaign.files.locations import Location

            assert Location.named_by("s3://ads/refs.csv", "a.png").text == "s3://ads/a.png"
            ```
        """
        if protocol_of(text) in WEB_PROTOCOLS:
            return cls(text, protocol_of(text), WebGate.allowing(table))
        if "://" in text:
            raise LocationError(
                f"{redacted(text)} is of a kind that a table may not name: only http:// and "
                "https:// addresses, and files below its own folder."
            )
        return cls.below(folder_of(table), text)

    @classmethod
    def below(cls, folder: str, name: str) -> Location:
        """Checks the name of a file in a folder, or a path that starts there.

        Args:
            folder: The folder, as it was typed.
            name: What data, a listing included, calls the file.

        Raises:
            LocationError: It leads out of the folder: by `..`, as a full path, or through a link.
        """
        base = cls.typed(folder)
        parts = re.split(r"[/\\]", name)
        is_full = name.startswith(("/", "\\")) or bool(PureWindowsPath(name).drive)
        if is_full or ".." in parts or not name.strip():
            raise _outside_error(name, folder)
        if not base.is_local:
            place = cls.typed(f"{folder.rstrip('/')}/{name}")
            return cls(place.text, place.protocol, base.gate)
        start = local_path(folder)
        path = start / name
        try:
            inside = path.resolve().is_relative_to(start.resolve())
        except (OSError, RuntimeError, ValueError):  # no such file can be there
            inside = True
        if not inside:
            raise _outside_error(name, folder)
        # A name may begin with ~, and that is no home folder then.
        return cls(str(path.absolute()) if str(path).startswith("~") else str(path), "", base.gate)

    @property
    def is_local(self) -> bool:
        """Whether it is a file or folder of this machine."""
        return not self.protocol

    @property
    def is_web(self) -> bool:
        """Whether a web server has it."""
        return self.protocol in WEB_PROTOCOLS


def _outside_error(name: str, folder: str) -> LocationError:
    return LocationError(
        f"{redacted(name)} leads out of the folder {redacted(folder)}, and only what lies in that "
        "is read for a table. Put the file there, and write its path from there."
    )


def _allowed_protocols() -> frozenset[str]:
    """The protocols that the environment variable `SAL_ALLOWED_PROTOCOLS` adds, in lower case."""
    names = os.environ.get(PROTOCOLS_VARIABLE, "").lower().split(",")
    return frozenset(name.strip() for name in names if name.strip())


def file_below(location: str, folder: str) -> Path | None:
    """The path of a file of this machine that a table names, if it is in a folder or below it.

    Args:
        location: A path as a table has it: a full one, or one that starts where the table's
            program was run.
        folder: Which folder; a URL has no such file below it.

    Returns:
        The path without links in it. None if there is no regular file, or it lies elsewhere, also
        by a link.
    """
    if protocol_of(location) or protocol_of(folder):
        return None
    try:
        path, start = local_path(location).resolve(), local_path(folder).resolve()
        return path if path.is_relative_to(start) and path.is_file() else None
    except (StorageError, OSError, RuntimeError):  # no file can be called what the cell holds
        return None


def protocol_of(location: str) -> str:
    """The protocol of a URL in lower case; "" for a path of this machine, also as a `file://` URL.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.locations import protocol_of

        assert protocol_of("HTTPS://example.com/a.csv") == "https"
        assert protocol_of("file:///ads/a.csv") == protocol_of("ads/a.csv") == ""
        ```
    """
    if "://" not in location:
        return ""
    match = _PROTOCOL.match(location)
    # Whatever else is before the :// counts as a protocol, which nobody allows.
    protocol = match[1].lower() if match else location.partition("://")[0] or "://"
    return "" if protocol in LOCAL_PROTOCOLS else protocol


def local_path(location: str) -> Path:
    """The path of a local file, which may be given as a `file://` URL; `~` is a home folder.

    Raises:
        StorageError: No file can have this name, or nobody knows whose home folder is meant.
    """
    try:
        path = Path(location)
        if "://" in location and not protocol_of(location):
            path = Path(url2pathname(urlsplit(location).path))
        if b"\0" in os.fsencode(path):
            raise ValueError
    except ValueError:
        raise StorageError(f"No file can be called {redacted(location)}.") from None
    try:
        return path.expanduser()
    except RuntimeError:
        raise StorageError(
            f"{redacted(location)} cannot be found: there is no home folder {path.parts[0]}."
        ) from None


def folder_of(location: str) -> str:
    """The location of the folder that a file is in; of a URL, without the query."""
    if protocol_of(location):
        return re.split("[?#]", location)[0].rpartition("/")[0]
    try:
        return str(local_path(location).parent)
    except StorageError:
        return str(Path(location).parent)


def redacted(location: str) -> str:
    """A location for a message, on one line: a URL without its user, password and query, and of a
    long one the beginning and the end."""
    text = location
    if protocol_of(location):
        scheme, _, rest = re.split("[?#]", location)[0].partition("://")
        host, slash, path = rest.partition("/")
        text = f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    if len(text) <= LONGEST_SHOWN:
        return text
    return f"{text[: LONGEST_SHOWN // 2]}…{text[-LONGEST_SHOWN // 2 :]}"


def redacted_with_folder(location: str) -> str:
    """A location for a message that nothing is there: a relative path with the working folder.

    Whoever starts runs in a browser does not know in which folder they work.
    """
    text = redacted(location)
    with contextlib.suppress(StorageError, OSError):
        if not protocol_of(location) and not local_path(location).is_absolute():
            return f"{text} in {redacted(str(Path.cwd()))}"
    return text
