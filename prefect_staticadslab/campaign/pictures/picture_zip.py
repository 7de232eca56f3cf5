"""All pictures of a table as one ZIP."""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.campaign.files import local_files, locations, storage
from prefect_staticadslab.campaign.pictures.folder import (
    PictureFolder,
    is_disk_full,
    open_file,
    put_file,
    remove_abandoned,
)

_BLOCK_BYTES: Final = 1024 * 1024

_ZIP_COMMENT: Final = b"prefect-staticadslab"
"""The comment of our ZIPs, which tells them from other people's."""

ZipDate = tuple[int, int, int, int, int, int]
"""Year, month, day, hour, minute and second."""

_UNKNOWN_DATE: Final[ZipDate] = (1980, 1, 1, 0, 0, 0)
"""The oldest date that a ZIP can hold."""


class _Stopped(Exception):
    """Whoever asked for the ZIP no longer waits for it."""


def check_zip(location: str) -> None:
    """Raises if no ZIP can be written to a location. Writes nothing.

    Raises:
        StorageError: Its name does not end in `.zip`, nothing can be written there, or a file is
            there that is not this program's.
    """
    if storage.suffix(location) != ".zip":
        raise StorageError(
            f"The file for all pictures, {locations.redacted(location)}, must end in .zip."
        )
    storage.check_target(location)
    if storage.exists(location) and not _may_be_replaced(location):
        raise StorageError(
            f"There is a {locations.redacted(location)} already that this program did not make, so "
            "it is left alone. Give another name, or move it away."
        )


def _may_be_replaced(location: str) -> bool:
    """Whether a file is a ZIP of this program's, or holds nothing that could be lost."""
    with storage.translate_errors(location, "read"), open_file(location) as file:
        if not file.seek(0, io.SEEK_END):
            return True
        try:
            with zipfile.ZipFile(file) as archive:
                return archive.comment == _ZIP_COMMENT or not archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError):
            return False


async def keep_zip(location: str, folder: PictureFolder, names: Sequence[str]) -> None:
    """Writes the ZIP of just these pictures, unless it holds them already.

    The pictures are stored as they are, since they are compressed already. The new ZIP takes the
    old one's place once it is whole.

    Args:
        location: A file that ends in `.zip`, here or behind a URL.
        folder: Where the pictures are.
        names: Their names.

    Raises:
        StorageError: It cannot be written, or a picture cannot be read.
    """
    stop = threading.Event()
    try:
        await asyncio.to_thread(_write_zip_if_changed, location, folder, names, stop)
    finally:
        # A thread cannot be cancelled, and gigabytes take a while.
        stop.set()


def _write_zip_if_changed(
    location: str, folder: PictureFolder, names: Sequence[str], stop: threading.Event
) -> None:
    """Does what `keep_zip` says; once `stop` is set, it ends early and leaves the old ZIP."""
    check_zip(location)
    try:
        if _zip_contents(location) == {
            n: (folder.pictures[n].size or 0, _zip_date(folder, n)) for n in names
        }:
            return
        if storage.is_url(location):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
                new_zip = Path(work) / "pictures.zip"
                with new_zip.open("xb") as file:
                    _write_pictures(file, folder, names, stop)
                put_file(new_zip, location)
        else:
            _write_local_zip(locations.local_path(location), folder, names, stop)
    except _Stopped:
        return
    except OSError as error:
        why = (
            "the disk is full. Make room there; the next run goes on" if is_disk_full(error) else ""
        )
        raise StorageError(
            f"{locations.redacted(location)} cannot be written: {why or storage.reason(error)}."
        ) from None


def _write_local_zip(
    path: Path, folder: PictureFolder, names: Sequence[str], stop: threading.Event
) -> None:
    """Writes a ZIP of this machine beside the old one, whose place it takes once it is whole.

    Removes abandoned partial files from its folder first.
    """
    remove_abandoned(path.parent)
    with local_files.open_replacement(path) as file:
        _write_pictures(file, folder, names, stop)


def _write_pictures(
    file: IO[bytes], folder: PictureFolder, names: Sequence[str], stop: threading.Event
) -> None:
    """Writes a whole ZIP of these pictures into a file.

    Raises:
        _Stopped: `stop` was set before it was whole.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = _ZIP_COMMENT
        for name in names:
            if stop.is_set():
                raise _Stopped
            entry = zipfile.ZipInfo(name, _zip_date(folder, name))
            entry.external_attr = 0o644 << 16
            entry.file_size = folder.pictures[name].size or 0
            with folder.read(name) as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target, _BLOCK_BYTES)


def _zip_contents(location: str) -> dict[str, tuple[int, ZipDate]] | None:
    """What a ZIP holds: each file's size in bytes and date, by name. None if none can be read."""
    try:
        if not storage.exists(location):
            return None
        with open_file(location) as file, zipfile.ZipFile(file) as archive:
            return {i.filename: (i.file_size, i.date_time) for i in archive.infolist()}
    except Exception:  # whatever it is, it is made anew
        return None


def _zip_date(folder: PictureFolder, name: str) -> ZipDate:
    """When a picture was written, as a ZIP says it: in local time, to two seconds."""
    written = folder.pictures[name].modified
    if written is None:
        return _UNKNOWN_DATE
    year, month, day, hour, minute, second, *_ = written.astimezone().timetuple()
    return max(_UNKNOWN_DATE, (year, month, day, hour, minute, second // 2 * 2))
