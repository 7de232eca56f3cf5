"""A folder of pictures and their thumbnails, here or in an object store."""

from __future__ import annotations

import contextlib
import errno
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import folders, local_files, locations, storage
from prefect_staticadslab.campaign.files.folders import StoredFile

THUMBNAILS: Final = "thumbnails"

_ABANDONED_SECONDS: Final = 3600.0
"""A partial file that nobody wrote to for so long is what a killed process left behind."""


@dataclass
class PictureFolder:
    """A folder of pictures, as it was listed and with what was put into it since.

    Attributes:
        location: What the user calls it.
        pictures: The files in it, by name.
        thumbnails: The names of the files in its folder of thumbnails.
    """

    location: str
    pictures: dict[str, StoredFile] = field(default_factory=dict)
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
            else:
                folder._make()
            folder.pictures.update(_list_files(location))
            folder.thumbnails.update(_list_files(folder._location(THUMBNAILS)))
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
            stored = put_file(file, self.place(name))
        else:
            stored = folders.file_from_disk(file)
            local_files.move(file, self.local_path(name))
        if name.startswith(f"{THUMBNAILS}/"):
            self.thumbnails.add(PurePosixPath(name).name)
        else:
            self.pictures[name] = stored

    def rename(self, name: str, to: str) -> None:
        """Renames a picture and its thumbnail.

        Raises:
            OSError, StorageError: That cannot be done.
        """
        small, new_small = thumbnail_name(name), thumbnail_name(to)
        # The thumbnail first: a picture without one gets a new one, and is not taken for lost.
        if small in self.thumbnails:
            self._move(f"{THUMBNAILS}/{small}", f"{THUMBNAILS}/{new_small}")
            self.thumbnails.discard(small)
            self.thumbnails.add(new_small)
        self._move(name, to)
        self.pictures[to] = replace(self.pictures.pop(name), name=to)

    def _move(self, name: str, to: str) -> None:
        if not self.is_remote:
            self.local_path(name).replace(self.local_path(to))
            return
        with storage.translate_errors(self.place(to), "written"):
            filesystem, path = storage.open_filesystem(self.place(name))
            _, target = storage.open_filesystem(self.place(to))
            filesystem.mv(path, target)
            filesystem.invalidate_cache()

    def remove(self, name: str) -> None:
        """Removes a broken picture."""
        self.pictures.pop(name, None)
        with contextlib.suppress(Exception):  # it is only tidier without it
            if self.is_remote:
                filesystem, path = storage.open_filesystem(self.place(name))
                filesystem.rm_file(path)
            else:
                self.local_path(name).unlink(missing_ok=True)

    def get(self, name: str, to: Path) -> None:
        """Copies a file of a remote folder to this machine.

        Raises:
            StorageError: It cannot be read.
        """
        with storage.translate_errors(self.place(name), "read"):
            filesystem, path = storage.open_filesystem(self.place(name))
            filesystem.get_file(path, str(to))

    def read(self, name: str) -> IO[bytes]:
        """A file of the folder, to be read piece by piece."""
        return open_file(self._location(name))

    def _location(self, name: str) -> str:
        return self.place(name) if self.is_remote else str(self.local_path(name))

    def _make(self) -> None:
        """Makes a folder of this machine, if it is not there yet; and tidies it."""
        place = locations.local_path(self.location)
        try:
            local_files.check_own_folder(place / THUMBNAILS)
            (place / THUMBNAILS).mkdir(parents=True, exist_ok=True)
            remove_abandoned(place)
        except OSError as error:
            raise CampaignError(
                f"There can be no folder {locations.redacted(self.location)}: "
                f"{storage.reason(error)}."
            ) from None


def thumbnail_name(picture: str) -> str:
    """The name of a picture's thumbnail."""
    return PurePosixPath(picture).with_suffix(".jpg").name


def remote_thumbnails(folder: str) -> list[str]:
    """The names of the thumbnails in a remote folder; none if nobody can say."""
    try:
        return list(_list_files(f"{folder}/{THUMBNAILS}"))
    except CampaignError:
        return []


def _list_files(folder: str) -> dict[str, StoredFile]:
    """The files in a folder by name; none if there is no such folder."""
    files = folders.list_files(folder, missing_ok=True, links=False)
    return {f.name: f for f in files if not local_files.is_temporary_name(f.name)}


def open_file(location: str) -> IO[bytes]:
    """Opens a file, here or behind a URL."""
    if not storage.is_url(location):
        return local_files.open_file(locations.local_path(location))
    filesystem, path = storage.open_filesystem(location)
    return cast(IO[bytes], filesystem.open(path, "rb"))


def put_file(file: Path, location: str) -> StoredFile:
    """Puts a local file behind a URL; it is there once it is whole.

    Returns:
        What a listing says of it.

    Raises:
        StorageError: It cannot be put there.
    """
    with storage.translate_errors(location, "written"):
        filesystem, path = storage.open_filesystem(location)
        filesystem.put_file(str(file), path)
        filesystem.invalidate_cache()
        return folders.file_from_listing(filesystem.info(path))


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk, or what one may use of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def remove_abandoned(folder: Path) -> None:
    """Removes the partial files that killed processes left behind in a folder."""
    for path in folder.iterdir():
        if local_files.is_temporary_name(path.name):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()
