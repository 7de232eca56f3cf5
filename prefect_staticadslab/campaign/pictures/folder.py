"""A folder of pictures and their thumbnails, here or in an object store."""

from __future__ import annotations

import contextlib
import errno
import shutil
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
from prefect_staticadslab.campaign.pictures.captions import safe_id
from prefect_staticadslab.campaign.pictures.picture_files import comment_of

THUMBNAILS: Final = "thumbnails"
"""The name of the folder of thumbnails within a folder of pictures."""

_ABANDONED_SECONDS: Final = 3600.0
"""A partial file that nobody wrote to for so long is what a killed process left behind."""


@dataclass
class PictureFolder:
    """A folder of pictures, as it was listed and with what was put into it since.

    Attributes:
        location: What the user calls it: a path or a URL.
        pictures: The files in it, by name.
        thumbnails: The names of the files in its folder of thumbnails.
    """

    location: str
    pictures: dict[str, StoredFile] = field(default_factory=dict)
    thumbnails: set[str] = field(default_factory=set)
    # Of a folder in an object store, where files are written first; None of one of this machine.
    _work: Path | None = None

    @classmethod
    @contextmanager
    def open(cls, location: str) -> Iterator[PictureFolder]:
        """Lists a folder. A local one is made if need be, and abandoned partial files are removed.

        Raises:
            CampaignError: It cannot be made or listed.
        """
        folder = cls(location)
        with contextlib.ExitStack() as stack:
            if storage.is_url(location):
                work = tempfile.TemporaryDirectory(prefix="pictures-", ignore_cleanup_errors=True)
                folder._work = Path(stack.enter_context(work))
            else:
                folder._make_and_tidy()
            folder.pictures.update(_list_files(location))
            folder.thumbnails.update(_list_files(folder._openable_path(THUMBNAILS)))
            yield folder

    @property
    def is_remote(self) -> bool:
        """Whether it is in an object store, not on this machine."""
        return self._work is not None

    @property
    def disk(self) -> str:
        """The folder of this machine whose disk files are written to, for messages."""
        return str(self._work or self.location)

    def place(self, name: str) -> str:
        """The path or URL of a file of the folder, as the table records it."""
        if self.is_remote:
            return f"{self.location.rstrip('/')}/{name}"
        return str(Path(self.location) / name)

    def local_path(self, name: str) -> Path:
        """The path of a file of the folder, if that is one of this machine."""
        return locations.local_path(self.location) / name

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A path for a file that is not whole yet, which is removed at the end.

        It is on the folder's own disk, so that `put` moves it at once, unless the folder is remote.
        """
        folder = self._work or locations.local_path(self.location)
        path = folder / local_files.temporary_name("picture")
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def put(self, file: Path, name: str) -> None:
        """Puts a whole local file into the folder: it appears at once, or not at all.

        Args:
            file: The file. It is moved; to an object store it is copied.
            name: Its name in the folder, with the folder `THUMBNAILS` before that of a thumbnail.

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
        """Renames one file of the folder; a file that is called so already is replaced."""
        if not self.is_remote:
            self.local_path(name).replace(self.local_path(to))
            return
        with storage.translate_errors(self.place(to), "written"):
            filesystem, path = storage.open_filesystem(self.place(name))
            _, target = storage.open_filesystem(self.place(to))
            filesystem.mv(path, target)
            filesystem.invalidate_cache()

    def remove(self, name: str) -> None:
        """Removes a picture that is broken. An error is ignored, and only leaves the file there."""
        self.pictures.pop(name, None)
        with contextlib.suppress(Exception):
            if self.is_remote:
                filesystem, path = storage.open_filesystem(self.place(name))
                filesystem.rm_file(path)
            else:
                self.local_path(name).unlink(missing_ok=True)

    def copy_to_disk(self, name: str, to: Path) -> None:
        """Copies a file of a folder in an object store to this machine.

        Raises:
            StorageError: It cannot be read.
        """
        with storage.translate_errors(self.place(name), "read"):
            filesystem, path = storage.open_filesystem(self.place(name))
            filesystem.get_file(path, str(to))

    def read(self, name: str) -> IO[bytes]:
        """Opens a file of the folder for reading. The caller closes it."""
        return open_file(self._openable_path(name))

    def _openable_path(self, name: str) -> str:
        """A path of this machine, or a URL, by which a file of the folder can be opened."""
        return self.place(name) if self.is_remote else str(self.local_path(name))

    def _make_and_tidy(self) -> None:
        """Makes a folder of this machine, if it is not there, and removes abandoned files from it.

        Raises:
            CampaignError: It cannot be made.
        """
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
    """The name of the thumbnail of the picture that is called so: always a `.jpg`."""
    return PurePosixPath(picture).with_suffix(".jpg").name


def remote_thumbnails(folder: str) -> list[str]:
    """The names of the thumbnails of a folder in an object store; none if it cannot be listed."""
    try:
        return list(_list_files(f"{folder}/{THUMBNAILS}"))
    except CampaignError:
        return []


def _list_files(folder: str) -> dict[str, StoredFile]:
    """The files in a folder by name, without partial ones and links; none if there is no folder.

    Raises:
        CampaignError: It cannot be listed.
    """
    files = folders.list_files(folder, missing_ok=True, links=False)
    return {f.name: f for f in files if not local_files.is_temporary_name(f.name)}


def open_file(location: str) -> IO[bytes]:
    """Opens a file for reading, here or behind a URL. The caller closes it."""
    if not storage.is_url(location):
        return local_files.open_file(locations.local_path(location))
    filesystem, path = storage.open_filesystem(location)
    return cast(IO[bytes], filesystem.open(path, "rb"))


def copy_file(source: Path, target: Path) -> None:
    """Copies a file of this machine to a path where nothing is yet."""
    with local_files.open_file(source) as file, target.open("xb") as copy:
        shutil.copyfileobj(file, copy)


def put_file(file: Path, location: str) -> StoredFile:
    """Copies a local file to a URL, where it appears once it is whole.

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


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that a disk, or what one may use of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def remove_abandoned(folder: Path) -> None:
    """Removes the partial files of a local folder that nobody has written to for an hour.

    Killed processes have left these. One that cannot be removed stays.

    Raises:
        OSError: The folder cannot be listed.
    """
    for path in folder.iterdir():
        if local_files.is_temporary_name(path.name):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()


def has_id_in_thumbnail(picture: Path, picture_id: str) -> bool:
    """Whether there is a thumbnail beside a local picture, in which this id is noted."""
    thumbnail = picture.parent / THUMBNAILS / thumbnail_name(picture.name)
    with contextlib.suppress(OSError), local_files.open_file(thumbnail) as file:
        return bool(picture_id) and comment_of(file) == safe_id(picture_id)
    return False
