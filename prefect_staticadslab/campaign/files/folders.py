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
        name: Its name.
        size: In bytes; None if nobody says.
        modified: When it was last written; None if nobody says.
    """

    name: str
    size: int | None = None
    modified: datetime | None = None


def file_names(location: str) -> list[str]:
    """The names of a folder's files in order, without hidden ones.

    Raises:
        StorageError: It cannot be read.
    """
    return [f.name for f in list_files(location) if not f.name.startswith(".")]


def list_files(location: str, *, missing_ok: bool = False, links: bool = True) -> list[StoredFile]:
    """A folder's files by name, hidden ones too.

    Args:
        location: A path, or a place in an object store.
        missing_ok: Whether a folder that is not there counts as one without files. Object stores
            have no folder where there is no file.
        links: Whether links to files count as files.

    Raises:
        StorageError: There is none, or it cannot be read.
    """
    with storage.translate_errors(location, "read"):
        try:
            if storage.is_url(location):
                filesystem, path = storage.remote(location, "read")
                entries = filesystem.ls(path, detail=True)
                files = [stored_file(entry) for entry in entries if entry["type"] == "file"]
            else:
                files = list(_local_files(locations.local_path(location), links=links))
        except FileNotFoundError:
            if missing_ok:
                return []
            where = locations.redacted_with_folder(location)
            raise StorageError(f"There is no folder {where}.") from None
    return sorted((f for f in files if f.name), key=lambda f: f.name)


def _local_files(folder: Path, *, links: bool) -> Iterator[StoredFile]:
    for path in folder.iterdir():
        # A file that is being written takes its name from another one, which is gone by then.
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and (links or not path.is_symlink()):
                yield local_file(path)


def local_file(path: Path) -> StoredFile:
    """What is known of a file of this machine."""
    status = path.stat()
    return StoredFile(path.name, status.st_size, _moment(status.st_mtime))


_MODIFIED: Final = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")
"""What fsspec's backends call the time of a file's last change."""


def stored_file(entry: Mapping[str, Any]) -> StoredFile:
    """What one of fsspec's listings says of a file; backends name its date differently."""
    modified = next((entry[key] for key in _MODIFIED if entry.get(key)), None)
    return StoredFile(str(entry["name"]).rpartition("/")[2], entry.get("size"), _moment(modified))


def _moment(value: object) -> datetime | None:
    """A time as backends write it: a text, seconds since 1970, or a time; None for any other."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, int | float):
            value = datetime.fromtimestamp(value, UTC)
    return in_utc(value) if isinstance(value, datetime) else None


def make_folder(location: str) -> None:
    """Makes a folder in one that is there, if it is not there yet.

    Raises:
        StorageError: It cannot be made.
    """
    with storage.translate_errors(location, "made"), contextlib.suppress(FileExistsError):
        if storage.is_url(location):
            filesystem, path = storage.remote(location, "made")
            # With its parents it would make a bucket, if the name of one was mistyped.
            filesystem.mkdir(path, create_parents=False)
        else:
            locations.local_path(location).mkdir()
