"""Files, on this machine or wherever the gate of `locations` lets them be asked for."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from prefect_staticadslab import bounds
from prefect_staticadslab.api.web import ForbiddenAddressError, WebError, WebFile, read_web
from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.campaign.files import local_files
from prefect_staticadslab.campaign.files.locations import (
    WEB_PROTOCOLS,
    Location,
    folder_of,
    local_path,
    protocol_of,
    redacted,
    redacted_with_folder,
)

NOT_THERE = (404, 410)
"""What a web server answers for a file that it does not have, or no longer."""


def is_url(location: str) -> bool:
    """Whether `location` is a URL of something that is not on this machine."""
    return bool(protocol_of(location))


def is_web_address(location: str) -> bool:
    """Whether a location is one that a browser can open."""
    return protocol_of(location) in WEB_PROTOCOLS


def _as_location(location: str | Location) -> Location:
    """The location itself, or what `Location.typed` makes of a text, or raises."""
    return location if isinstance(location, Location) else Location.typed(location)


def _unchecked_path(location: str) -> Path:
    """The path of a local file, also if no file can have it."""
    try:
        return local_path(location)
    except StorageError:
        return Path(location)


def open_filesystem(location: str | Location, verb: str = "reached") -> tuple[Any, str]:
    """The fsspec filesystem of a place in an object store, without cached listings; and the path.

    Raises:
        StorageError: It is a web address, or no store's. The message says: it cannot be `verb`.
    """
    place = _as_location(location)
    if place.is_web:
        raise StorageError(f"{redacted(place.text)} is a web address, so it cannot be {verb}.")
    import fsspec

    with translate_errors(place.text, verb):
        urlsplit(place.text)  # raises for what is no URL; some backends take anything
        # A store's own class, and nothing that a URL could have chosen.
        protocol, _, rest = place.text.partition("://")
        filesystem, path = fsspec.core.url_to_fs(f"{protocol.lower()}://{rest}")
    # A listing from a minute ago would say that there is no table where there is one by now.
    filesystem.invalidate_cache()
    return filesystem, path


@contextlib.contextmanager
def translate_errors(
    location: str, verb: str, *, but: type[Exception] = StorageError
) -> Iterator[None]:
    """Raises the body's errors as "`location` cannot be `verb`: the reason".

    Raises:
        StorageError: In place of any error but `but` and a `StorageError`, which stay as they are.
    """
    try:
        yield
    except (StorageError, but):
        raise
    except (ForbiddenAddressError, WebError) as error:
        raise StorageError(f"{error}.") from error
    except Exception as error:  # every fsspec backend has exceptions of its own
        raise StorageError(f"{redacted(location)} cannot be {verb}: {reason(error)}.") from error


def name(location: str) -> str:
    """The file's name, without folders and a URL's query."""
    if not is_url(location):
        return _unchecked_path(location).name
    try:
        return PurePosixPath(urlsplit(location).path).name
    except ValueError:
        return PurePosixPath(re.split("[?#]", location)[0]).name


def suffix(location: str) -> str:
    """The file's ending in lower case, such as `.csv`; without a URL's query."""
    return PurePosixPath(name(location)).suffix.lower()


def canonical(location: str) -> str:
    """One name for a place however it is written: a URL as it is, a path as full `file://` URL."""
    if is_url(location):
        return location
    try:
        return local_path(location).resolve().as_uri()
    except (StorageError, OSError, RuntimeError):  # no file can have this name
        return location


def with_ending(location: str, ending: str) -> str:
    """A location with another ending: `results.csv` with `.html` is `results.html`."""
    old_ending = suffix(location)
    stem = (
        location[: -len(old_ending)]
        if old_ending and location.lower().endswith(old_ending)
        else location
    )
    return stem + ending


def join(base: str, name: str) -> str:
    """The location of a file in the folder `base`. A name that is not this program's own needs
    `Location.below` instead, which checks it.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.storage import join

        assert join("s3://ads/refs/", "a.png") == "s3://ads/refs/a.png"
        ```
    """
    if is_url(base):
        return f"{base.rstrip('/')}/{name}"
    return str(_unchecked_path(base) / name)


def is_folder(location: str) -> bool:
    """Whether there is a folder at `location`. A web server has none.

    Raises:
        StorageError: It cannot be found out.
    """
    if not is_url(location):
        with translate_errors(location, "read"):
            return local_path(location).is_dir()
    if is_web_address(location):
        return False
    with translate_errors(location, "reached"):
        filesystem, path = open_filesystem(location)
        return bool(filesystem.isdir(path))


def read_bytes(
    location: str | Location, *, most: int = bounds.TABLE_BYTES, what: str = "a table"
) -> bytes:
    """The content of a file.

    Args:
        location: Where it is.
        most: How many bytes it may have.
        what: What the file is, for the message.

    Raises:
        StorageError: It is not there, cannot be read, or has more bytes than it may.
    """
    content = read_start(location, most + 1)
    if len(content) > most:
        raise StorageError(
            f"{redacted(_as_location(location).text)} has more than "
            f"{bounds.in_megabytes(most)}, the most that is read of {what}."
        )
    return content


def read_start(location: str | Location, count: int) -> bytes:
    """The first `count` bytes of a file, or all of it if it has fewer.

    Raises:
        StorageError: It is not there, or cannot be read.
    """
    place = _as_location(location)
    with translate_errors(place.text, "read"):
        try:
            return _read_first_bytes(place, count)
        except FileNotFoundError:
            what = "no file" if place.is_local else "nothing at"
            raise StorageError(f"There is {what} {redacted_with_folder(place.text)}.") from None
        except IsADirectoryError:
            raise StorageError(f"{redacted(place.text)} is a folder, not a file.") from None


def _read_first_bytes(place: Location, count: int) -> bytes:
    """The first `count` bytes of a file, with the errors of whatever it is read by."""
    if place.is_local:
        return local_files.read_start(local_path(place.text), count)
    if place.is_web:
        return _fetch(place, count).content
    filesystem, path = open_filesystem(place, "read")
    size = filesystem.size(path)
    if size is not None and size <= count:
        content: bytes = filesystem.cat_file(path)
        return content
    with filesystem.open(path, "rb") as file:
        start: bytes = file.read(count)
        return start


def _fetch(place: Location, count: int) -> WebFile:
    """Downloads the first `count` bytes of a web address; `FileNotFoundError` for 404 and 410."""
    try:
        return read_web(place.text, place.gate, at_most=count)
    except WebError as error:
        if error.status in NOT_THERE:
            raise FileNotFoundError from error
        raise


def exists(location: str | Location) -> bool:
    """Whether there is something at `location`; a web address is downloaded to find out.

    Raises:
        StorageError: It cannot be found out.
    """
    return version(location) is not None


def version(location: str | Location) -> str | None:
    """A text that changes whenever the file is written; None if there is no file.

    A web address is downloaded for it.

    Raises:
        StorageError: It cannot be found out.
    """
    place = _as_location(location)
    with translate_errors(place.text, "read" if place.is_local else "reached"):
        try:
            if place.is_local:
                return local_files.version(local_path(place.text))
            if place.is_web:
                return _fetch(place, bounds.TABLE_BYTES).version
            filesystem, path = open_filesystem(place)
            # Not `exists`: to fsspec, what cannot be reached does not exist, and a table that
            # cannot be reached must not be taken for a new campaign.
            return str(filesystem.ukey(path))
        except (FileNotFoundError, NotADirectoryError):
            return None


def check_target(location: str) -> None:
    """Raises if no file can be written to `location`, as far as that can be told beforehand.

    Raises:
        StorageError: It is a web address; its folder is not there, or may not be written to; or
            there is a folder, a link, a pipe or a device in its place.
    """
    place = Location.typed(location)
    if place.is_web:
        raise StorageError(
            f"{redacted(location)} is a web address, and nothing can be written there. Choose a "
            "path, or a place in an object store."
        )
    if not place.is_local:
        return
    path = local_path(location)
    if not is_folder(str(path.parent)):
        raise _no_folder_error(location)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StorageError(f"The folder {redacted(str(path.parent))} cannot be written to.")
    with translate_errors(location, "written"):
        try:
            local_files.check_target(path)
        except IsADirectoryError:
            raise StorageError(f"{redacted(location)} is a folder, not a file.") from None


def check_own_folder(location: str) -> None:
    """Raises if a folder that this program makes for itself, on this machine, is a link.

    Raises:
        StorageError: It is a link.
    """
    if not is_url(location):
        local_files.check_own_folder(local_path(location))


def _no_folder_error(location: str) -> StorageError:
    parent = redacted_with_folder(folder_of(location))
    name = redacted(_unchecked_path(location).name)
    return StorageError(f"There is no folder {parent} to write {name} into.")


@contextlib.contextmanager
def write_lock(location: str) -> Iterator[None]:
    """Locks the folder of a local file while the body runs, as `local_files.write_lock` does; does
    nothing for a URL."""
    if is_url(location):
        yield
    else:
        with local_files.write_lock(local_path(location)):
            yield


def write_bytes(location: str | Location, content: bytes) -> str:
    """Writes a whole file. A local one appears at once and whole, or not at all.

    Returns:
        Its `version`.

    Raises:
        StorageError: It cannot be written, or there is a link or no regular file in its place.
    """
    place = _as_location(location)
    with translate_errors(place.text, "written"):
        if not place.is_local:
            filesystem, remote_path = open_filesystem(place, "written")
            # One PUT: a file that is opened and broken off could be left there in half.
            filesystem.pipe_file(remote_path, content)
            filesystem.invalidate_cache()
            return str(filesystem.ukey(remote_path))
        try:
            return local_files.replace(local_path(place.text), content)
        except FileNotFoundError:
            raise _no_folder_error(place.text) from None
        except IsADirectoryError:
            raise StorageError(f"{redacted(place.text)} is a folder, not a file.") from None


def reason(error: BaseException) -> str:
    """Why something could not be done, for a message; addresses in it are `redacted`."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    # An error may quote the address that it is about, with all that is secret in it.
    text = _ADDRESS.sub(lambda match: redacted(match[0]), str(error)).strip().rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://[^\s'\"]+")
