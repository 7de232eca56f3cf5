"""Folders and what is in them, here or in an object store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.campaign.files import locations, storage


class NoFolderError(StorageError):
    """There is no such folder."""


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


def list_files(location: str) -> list[StoredFile]:
    """A folder's files by name, hidden ones too.

    Raises:
        NoFolderError: There is none. Object stores have no folder where there is no file.
        StorageError: It cannot be read.
    """
    with storage.translate_errors(location, "read"):
        try:
            if storage.is_url(location):
                filesystem, path = storage.remote(location, "read")
                entries = filesystem.ls(path, detail=True)
                files = [_stored_file(f) for f in entries if f["type"] == "file"]
            else:
                files = list(_local_files(locations.local_path(location)))
        except FileNotFoundError:
            raise NoFolderError(f"There is no folder {locations.redacted(location)}.") from None
    return sorted((f for f in files if f.name), key=lambda f: f.name)


def _local_files(folder: Path) -> Iterator[StoredFile]:
    for path in folder.iterdir():
        # A file that is being written takes its name from another one, which is gone by then.
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                stat = path.stat()
                modified = datetime.fromtimestamp(stat.st_mtime, UTC)
                yield StoredFile(path.name, stat.st_size, modified)


_MODIFIED: Final = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")
"""What fsspec's backends call the time of a file's last change."""


def _stored_file(entry: Mapping[str, Any]) -> StoredFile:
    """A file as one of fsspec's listings describes it; backends name its date differently."""
    modified = next((entry[key] for key in _MODIFIED if entry.get(key)), None)
    with contextlib.suppress(ValueError, OverflowError, OSError):
        if isinstance(modified, str):
            modified = datetime.fromisoformat(modified)
        elif isinstance(modified, int | float):
            modified = datetime.fromtimestamp(modified, UTC)
    if isinstance(modified, datetime) and modified.tzinfo is None:
        modified = modified.replace(tzinfo=UTC)
    return StoredFile(
        name=str(entry["name"]).rpartition("/")[2],
        size=entry.get("size"),
        modified=modified if isinstance(modified, datetime) else None,
    )


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
