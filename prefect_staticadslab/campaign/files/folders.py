"""Folders and what is in them, here or in an object store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from prefect_staticadslab.api.models import in_utc
from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.campaign.files import locations, storage


@dataclass(frozen=True)
class StoredFile:
    """A file of a folder.

    Attributes:
        name: Its name, without the folder.
        size: In bytes; None if it is not known.
        modified: When it was last written, in UTC; None if it is not known.
    """

    name: str
    size: int | None = None
    modified: datetime | None = None


def file_names(location: str) -> list[str]:
    """The names of a folder's files in order, without hidden ones, which begin with a full stop.

    Raises:
        StorageError: There is no such folder, or it cannot be read.
    """
    return [f.name for f in list_files(location) if not f.name.startswith(".")]


def list_files(location: str, *, missing_ok: bool = False, links: bool = True) -> list[StoredFile]:
    """A folder's files by name, hidden ones too.

    Args:
        location: A path, or a place in an object store.
        missing_ok: Whether a folder that is not there counts as one without files. Object stores
            have no folder where there is no file.
        links: Whether links to files count as files; object stores have none.

    Raises:
        StorageError: There is no such folder, if one must be there, or it cannot be read.
    """
    with storage.translate_errors(location, "read"):
        try:
            if storage.is_url(location):
                filesystem, path = storage.open_filesystem(location, "read")
                entries = filesystem.ls(path, detail=True)
                files = [file_from_listing(entry) for entry in entries if entry["type"] == "file"]
            else:
                files = list(_local_files(locations.local_path(location), links=links))
        except FileNotFoundError:
            if missing_ok:
                return []
            where = locations.redacted_with_folder(location)
            raise StorageError(f"There is no folder {where}.") from None
    return sorted((f for f in files if f.name), key=lambda f: f.name)


def _local_files(folder: Path, *, links: bool) -> Iterator[StoredFile]:
    """The regular files of a folder of this machine, in any order; `links` as in `list_files`."""
    for path in folder.iterdir():
        # A file that is being written takes its name from another one, which is gone by then.
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and (links or not path.is_symlink()):
                yield file_from_disk(path)


def file_from_disk(path: Path) -> StoredFile:
    """A file of this machine, looked at now.

    Raises:
        OSError: It is not there, or cannot be looked at.
    """
    status = path.stat()
    return StoredFile(path.name, status.st_size, _read_time(status.st_mtime))


_MODIFIED: Final = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")
"""What fsspec's backends call the time of a file's last change."""


def file_from_listing(entry: Mapping[str, Any]) -> StoredFile:
    """A file as an entry of one of fsspec's listings describes it."""
    modified = next((entry[key] for key in _MODIFIED if entry.get(key)), None)
    name = str(entry["name"]).rpartition("/")[2]
    return StoredFile(name, entry.get("size"), _read_time(modified))


def _read_time(value: object) -> datetime | None:
    """A time in UTC, of a text, seconds since 1970, or a `datetime`; None if it is none of them."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, int | float):
            value = datetime.fromtimestamp(value, UTC)
    return in_utc(value) if isinstance(value, datetime) else None


def make_folder(location: str) -> None:
    """Makes a folder, but not the one that it is in; does nothing if the name is taken already.

    Raises:
        StorageError: It cannot be made.
    """
    with storage.translate_errors(location, "made"), contextlib.suppress(FileExistsError):
        if storage.is_url(location):
            filesystem, path = storage.open_filesystem(location, "made")
            # With its parents it would make a bucket, if the name of one was mistyped.
            filesystem.mkdir(path, create_parents=False)
        else:
            locations.local_path(location).mkdir()
