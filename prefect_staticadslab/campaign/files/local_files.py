"""Files of this machine: only regular ones are opened, and none is written through a link."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from prefect_staticadslab.campaign.errors import OpenElsewhereError, StorageError
from prefect_staticadslab.campaign.files.locations import redacted

logger = logging.getLogger(__name__)

LOCK_SECONDS: Final = 10.0
"""How long to wait for somebody else's write, which takes a moment."""

_IS_WINDOWS: Final = os.name == "nt"

# Flags of `os.open`, where the system has them.
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_READ: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)

_ACCESS_DENIED: Final = 5
_SHARING_VIOLATION: Final = 32
_LOCK_VIOLATION: Final = 33
"""What Windows says of a file that another program has open: the first one if it is replaced."""

_held_by_others: set[Path] = set()
"""Folders whose lock somebody kept for longer than any write takes."""


class IrregularFileError(OSError):
    """A pipe, a device or a socket where a file should be; `strerror` says so."""


def open_file(path: Path) -> BinaryIO:
    """Opens a regular file for reading, and nothing else: a pipe or a device may never answer.

    Raises:
        IrregularFileError: It is no regular file.
        OpenElsewhereError: Another program keeps it to itself.
        OSError: It cannot be opened; a folder raises `IsADirectoryError`.
    """
    with _translate_open_elsewhere(path, "read"):
        # Looked at first, because opening some devices does something by itself.
        _check_regular(path.stat(), path)
        descriptor = os.open(path, _READ | _BINARY)
    try:
        _check_regular(os.fstat(descriptor), path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_start(path: Path, count: int) -> bytes:
    """The first `count` bytes of a file, or all of it if it has fewer.

    Raises:
        OSError, StorageError: See `open_file`.
    """
    with open_file(path) as file, _translate_open_elsewhere(path, "read"):
        return file.read(count)


@contextmanager
def _translate_open_elsewhere(path: Path, verb: str) -> Iterator[None]:
    """Turns an error of the body that another program causes into one that says so.

    Args:
        path: What is opened or replaced.
        verb: What it cannot be: `read` or `written`.

    Raises:
        OpenElsewhereError: Another program has the file open.
        OSError: The body's other errors, as they are.
    """
    try:
        yield
    except OSError as error:
        if not _is_open_elsewhere(error, path):
            raise
        raise OpenElsewhereError(
            f"{redacted(str(path))} is open in another program, such as Excel, so it cannot be "
            f"{verb}. Close it there."
        ) from error


def _is_open_elsewhere(error: OSError, path: Path) -> bool:
    """Whether an error of opening or replacing `path` is that another program has it open."""
    number = getattr(error, "winerror", None)
    if number in (_SHARING_VIOLATION, _LOCK_VIOLATION):
        return True
    # The same is said of a file that is read-only. Opening one, Windows gives no number.
    denied = number == _ACCESS_DENIED or (
        _IS_WINDOWS and number is None and error.errno == errno.EACCES
    )
    return denied and path.is_file() and os.access(path, os.W_OK)


def _check_regular(status: os.stat_result, path: Path) -> None:
    """Raises if `path`, which has this status, is no regular file.

    Raises:
        IsADirectoryError: It is a folder.
        IrregularFileError: It is a pipe, a device or a socket.
    """
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise IrregularFileError(errno.EINVAL, f"it is {_file_type(status.st_mode)}, not a file")


def _file_type(mode: int) -> str:
    """What something with this mode is, for a message: `a named pipe`, `a socket`, `a device`."""
    kinds = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


def check_target(path: Path) -> None:
    """Raises if no file may be written to a path, because of what is there already.

    Raises:
        IsADirectoryError: It is a folder.
        StorageError: It is a link, a pipe, a device or a socket.
    """
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISLNK(mode):
        raise StorageError(
            f"{redacted(str(path))} is a link to somewhere else, and nothing is written through "
            "links. Name the file that is meant, or remove the link."
        )
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise StorageError(
            f"{redacted(str(path))} is {_file_type(mode)}, not a file, so nothing is written to it."
        )


def check_own_folder(path: Path) -> None:
    """Raises if a folder that this program makes for itself is a link to another one.

    Raises:
        StorageError: It is a link.
    """
    if path.is_symlink():
        raise StorageError(
            f"The folder {redacted(str(path))} is a link to somewhere else, and nothing is written "
            "through links. Remove the link."
        )


def version(path: Path) -> str:
    """A text that changes whenever the file is written.

    Raises:
        OSError: It is not there.
    """
    return _version_from(path.stat())


def _version_from(status: os.stat_result) -> str:
    """A file's `version`, which is made of its inode, its size and when it was written."""
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"


@contextmanager
def open_replacement(path: Path) -> Iterator[BinaryIO]:
    """Gives a file to write, which takes the place of `path` at once when the body ends.

    If the body raises, `path` stays as it is. A link in its place would be replaced, never
    followed, whoever puts it there meanwhile. A file that is replaced keeps its permissions.

    Raises:
        OpenElsewhereError: Another program has `path` open.
        OSError, StorageError: See `check_target`; or it cannot be written.
    """
    check_target(path)
    temporary = path.with_name(temporary_name(path.name))
    # With these rights the system leaves out what people left out of theirs.
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY, 0o666
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            with suppress(FileNotFoundError):
                _keep_permissions(file.fileno(), path.lstat())
            yield file
            file.flush()
            os.fsync(file.fileno())
        move(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def move(file: Path, path: Path) -> None:
    """Moves `file` to `path` at once; a file that is there is gone then.

    Raises:
        OpenElsewhereError: Another program has `path` open.
        OSError: It cannot be put there.
    """
    with _translate_open_elsewhere(path, "written"):
        file.replace(path)


def _keep_permissions(descriptor: int, earlier: os.stat_result) -> None:
    """Gives an open file the permissions of the one that it replaces, where systems have them."""
    if stat.S_ISREG(earlier.st_mode) and hasattr(os, "fchmod"):
        os.fchmod(descriptor, earlier.st_mode & 0o777)


def replace(path: Path, content: bytes) -> str:
    """Writes a whole file in the place of `path`. It is there at once and whole, or not at all.

    Returns:
        Its `version`.

    Raises:
        OSError, StorageError: See `open_replacement`.
    """
    with open_replacement(path) as file:
        file.write(content)
        file.flush()
        new_version = _version_from(os.fstat(file.fileno()))
    return new_version


_PROGRAM: Final = "staticadslab"
_RANDOM_BYTES: Final = 16


def temporary_name(name: str) -> str:
    """A random hidden name for a file while it is being written; see `is_temporary_name`."""
    # A file system takes names of 255 bytes.
    short = name.encode(errors="surrogateescape")[:120].decode(errors="ignore")
    return f".{short}.{_PROGRAM}-{secrets.token_hex(_RANDOM_BYTES)}.part"


def is_temporary_name(name: str) -> bool:
    """Whether a name is one that `temporary_name` gives, and not of another program's partial file.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.local_files import (
            is_temporary_name, temporary_name
        )

        assert is_temporary_name(temporary_name("a.png"))
        assert not is_temporary_name(".movie.mkv.part")
        ```
    """
    stem, _, token = name.removesuffix(".part").rpartition(f".{_PROGRAM}-")
    digits = len(token) == 2 * _RANDOM_BYTES and not token.strip("0123456789abcdef")
    return stem.startswith(".") and name.endswith(".part") and digits


@contextmanager
def write_lock(path: Path) -> Iterator[None]:
    """Locks the folder of `path` against other processes that lock it so, while the body runs.

    The body runs without the lock on Windows, on network drives that know no such locks, and if
    another process keeps it for longer than `LOCK_SECONDS`: whoever may read a folder may lock it,
    and must not stop a campaign by that. Two runs are kept apart by the lock; without it, the next
    checkpoint mends what they write at the same instant.
    """
    with ExitStack() as stack:
        if os.name != "nt":
            # The folder itself is locked, so that no lock file is left beside people's tables.
            with suppress(OSError, RuntimeError):
                folder = path.absolute().parent.resolve()
                descriptor = os.open(folder, os.O_RDONLY)
                stack.callback(os.close, descriptor)
                _lock_folder(descriptor, folder)
        yield


def _lock_folder(descriptor: int, folder: Path) -> None:
    """Locks an open folder until its descriptor is closed, or returns without the lock.

    It waits for `LOCK_SECONDS`, and warns then; the next time, it does not wait for that folder.
    """
    import fcntl

    deadline = time.monotonic() + (0.0 if folder in _held_by_others else LOCK_SECONDS)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                if folder not in _held_by_others:
                    _held_by_others.add(folder)
                    logger.warning(
                        "The folder %s is locked by another program, which is not waited for.",
                        redacted(str(folder)),
                    )
                return
            time.sleep(0.01)
        else:
            _held_by_others.discard(folder)
            return
