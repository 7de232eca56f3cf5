"""A folder of pictures and their thumbnails, here or in an object store."""

from __future__ import annotations

import contextlib
import errno
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, cast

from prefect_staticadslab.campaign.errors import CampaignError, StorageError
from prefect_staticadslab.campaign.files import local_files, locations, storage

THUMBNAILS: Final = "thumbnails"

_ABANDONED_SECONDS: Final = 3600.0
"""A partial file that nobody wrote to for so long is what a killed process left behind."""


@dataclass(frozen=True)
class Entry:
    """A file of the folder: its size in bytes, and when it was written, in seconds since 1970."""

    size: int
    written: float | None = None


@dataclass
class PictureFolder:
    """A folder of pictures, as it was listed and with what was put into it since.

    Attributes:
        location: What the user calls it.
        pictures: The files in it, by name.
        thumbnails: The names of the files in its folder of thumbnails.
    """

    location: str
    pictures: dict[str, Entry] = field(default_factory=dict)
    thumbnails: set[str] = field(default_factory=set)
    _work: Path | None = None

    @classmethod
    @contextmanager
    def open(cls, location: str) -> Iterator[PictureFolder]:
        """The folder, made if it is not there, and listed.

        Raises:
            CampaignError: It cannot be made or listed.
        """
        folder = cls(location)
        with contextlib.ExitStack() as stack:
            if storage.is_url(location):
                work = tempfile.TemporaryDirectory(prefix="pictures-", ignore_cleanup_errors=True)
                folder._work = Path(stack.enter_context(work))
                folder._list_remote()
            else:
                folder._list_local()
            yield folder

    @property
    def is_remote(self) -> bool:
        """Whether it is in an object store, not on this machine."""
        return self._work is not None

    @property
    def disk(self) -> str:
        """Which folder of this machine files are written to."""
        return str(self._work or self.location)

    def place(self, name: str) -> str:
        """Where a file of the folder is, as the table says it."""
        if self.is_remote:
            return f"{self.location.rstrip('/')}/{name}"
        return str(Path(self.location) / name)

    def local_path(self, name: str) -> Path:
        """The path of a file of a folder of this machine."""
        return locations.local_path(self.location) / name

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A place for a file that is not whole yet, on the disk that it will be on, if here."""
        folder = self._work or locations.local_path(self.location)
        path = folder / local_files.temporary_name("picture")
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def put(self, file: Path, name: str) -> None:
        """Moves a whole file into the folder: it appears at once, or not at all.

        Raises:
            OSError, StorageError: It cannot be put there.
        """
        if self.is_remote:
            entry = put_file(file, self.place(name))
        else:
            status = file.stat()
            entry = Entry(status.st_size, status.st_mtime)
            file.replace(self.local_path(name))
        if name.startswith(f"{THUMBNAILS}/"):
            self.thumbnails.add(PurePosixPath(name).name)
        else:
            self.pictures[name] = entry

    def remove(self, name: str) -> None:
        """Removes a broken picture."""
        self.pictures.pop(name, None)
        with contextlib.suppress(Exception):  # it is only tidier without it
            if self.is_remote:
                filesystem, path = storage.remote(self.place(name))
                filesystem.rm_file(path)
            else:
                self.local_path(name).unlink(missing_ok=True)

    def get(self, name: str, to: Path) -> None:
        """Copies a file of a remote folder to this machine.

        Raises:
            StorageError: It cannot be read.
        """
        with storage.translate_errors(self.place(name), "read"):
            filesystem, path = storage.remote(self.place(name))
            filesystem.get_file(path, str(to))

    def read(self, name: str) -> IO[bytes]:
        """A file of the folder, to be read piece by piece."""
        if self.is_remote:
            filesystem, path = storage.remote(self.place(name))
            return cast(IO[bytes], filesystem.open(path, "rb"))
        return local_files.open_file(self.local_path(name))

    def _list_local(self) -> None:
        place = locations.local_path(self.location)
        try:
            local_files.check_own_folder(place / THUMBNAILS)
            (place / THUMBNAILS).mkdir(parents=True, exist_ok=True)
            for path in place.iterdir():
                if local_files.is_temporary_name(path.name):
                    remove_if_abandoned(path)
                elif stat.S_ISREG((status := path.lstat()).st_mode):
                    self.pictures[path.name] = Entry(status.st_size, status.st_mtime)
            self.thumbnails.update(
                path.name
                for path in (place / THUMBNAILS).iterdir()
                if stat.S_ISREG(path.lstat().st_mode)
            )
        except OSError as error:
            raise CampaignError(
                f"There can be no folder {locations.redacted(self.location)}: "
                f"{storage.reason(error)}."
            ) from None

    def _list_remote(self) -> None:
        self.pictures.update(_list_remote_files(self.location.rstrip("/")))
        self.thumbnails.update(_list_remote_files(self.place(THUMBNAILS)))


def thumbnail_name(picture: str) -> str:
    """The name of a picture's thumbnail."""
    return PurePosixPath(picture).with_suffix(".jpg").name


def remote_thumbnails(folder: str) -> list[str]:
    """The names of the thumbnails in a remote folder; none if nobody can say."""
    try:
        return list(_list_remote_files(f"{folder}/{THUMBNAILS}"))
    except CampaignError:
        return []


def _list_remote_files(url: str) -> dict[str, Entry]:
    """The files in a remote folder; none if there is no such folder."""
    try:
        filesystem, path = storage.remote(url)
        entries = filesystem.ls(path, detail=True)
    except FileNotFoundError:
        return {}
    except StorageError:
        raise
    except Exception as error:
        raise CampaignError(
            f"The folder {locations.redacted(url)} cannot be reached: {storage.reason(error)}."
        ) from error
    return {
        PurePosixPath(info["name"]).name: Entry(info["size"] or 0, _modified_seconds(info))
        for info in entries
        if info["type"] == "file"
    }


def put_file(file: Path, location: str) -> Entry:
    """Puts a local file behind a URL; it is there once it is whole.

    Returns:
        What a listing says of it.

    Raises:
        StorageError: It cannot be put there.
    """
    with storage.translate_errors(location, "written"):
        filesystem, path = storage.remote(location)
        filesystem.put_file(str(file), path)
        filesystem.invalidate_cache()
        info = filesystem.info(path)
        return Entry(info["size"] or 0, _modified_seconds(info))


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk, or what one may use of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _modified_seconds(info: dict[str, Any]) -> float | None:
    """When a remote file was written; every store says it in its own way, and some do not."""
    for name in ("LastModified", "last_modified", "mtime", "updated", "created"):
        value = info.get(name)
        if isinstance(value, int | float):
            return float(value)
        if isinstance(value, datetime):
            return value.timestamp()
    return None


def remove_if_abandoned(partial: Path) -> None:
    """Removes a partial file that a killed process left behind."""
    with contextlib.suppress(OSError):
        if time.time() - partial.stat().st_mtime > _ABANDONED_SECONDS:
            partial.unlink()
