"""Files, here or behind any URL that fsspec knows."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from prefect_staticadslab.campaign.errors import CampaignError

SILENCE_SECONDS: Final = 20.0
"""How long a web server may say nothing before a spreadsheet of its counts as unreadable."""


LOCK_SECONDS: Final = 10.0
"""How long to wait for somebody else's write, which takes a moment."""


LONGEST_SHOWN: Final = 300
"""Of a longer location a message shows the beginning and the end."""


class StorageError(CampaignError):
    """A file that cannot be read or written. The message says which, why, and what to do."""


def is_url(location: str) -> bool:
    """Whether `location` is a URL of something that is not a file of this machine."""
    return "://" in location and not location.startswith(_LOCAL)


def is_web_address(location: str) -> bool:
    """Whether a location is one that a browser can open."""
    return location.lower().startswith(("http://", "https://"))


_LOCAL = ("file://", "local://")


def local_path(location: str) -> Path:
    """The path of a local file, which may be given as a `file://` URL.

    Raises:
        StorageError: No file can have this name, or nobody knows whose home folder is meant.
    """
    try:
        path = Path(location)
        if location.startswith(_LOCAL):
            path = Path(url2pathname(urlsplit(location).path))
        if b"\0" in os.fsencode(path):
            raise ValueError
    except ValueError:
        raise StorageError(f"No file can be called {shown(location)}.") from None
    try:
        return path.expanduser()
    except RuntimeError:
        raise StorageError(
            f"{shown(location)} cannot be found: there is no home folder {path.parts[0]}."
        ) from None


def _path(location: str) -> Path:
    """The path of a local file, also of one that cannot be."""
    try:
        return local_path(location)
    except StorageError:
        return Path(location)


def remote(url: str, verb: str = "reached") -> tuple[Any, str]:
    """What fsspec opens for a URL: a filesystem and a path in it, with nothing remembered.

    Raises:
        StorageError: Nothing can be opened for it: it cannot be, say, "read".
        FileNotFoundError: It is in an archive that is not there.
    """
    import fsspec

    with in_words(url, verb, but=FileNotFoundError):
        urlsplit(url)  # raises for what is no URL; some backends take anything
        filesystem, path = fsspec.core.url_to_fs(url, **_options(url))
    # A listing from a minute ago would say that there is no table where there is one by now.
    filesystem.invalidate_cache()
    return filesystem, path


@contextlib.contextmanager
def in_words(location: str, verb: str, *, but: type[Exception] = StorageError) -> Iterator[None]:
    """Has every error but `but` say that `location` cannot be, say, "read".

    Raises:
        StorageError: There was one.
    """
    try:
        yield
    except (StorageError, but):
        raise
    except Exception as error:  # every fsspec backend has exceptions of its own
        raise StorageError(f"{shown(location)} cannot be {verb}: {reason(error)}.") from error


def _options(url: str) -> dict[str, Any]:
    """What fsspec is told besides the URL."""
    if not is_web_address(url):
        return {}
    import aiohttp

    # By itself it waits five minutes for a server that says nothing.
    timeout = aiohttp.ClientTimeout(sock_connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS)
    return {"client_kwargs": {"timeout": timeout}}


def name(location: str) -> str:
    """The file's name, without folders and a URL's query."""
    if not is_url(location):
        return _path(location).name
    try:
        return PurePosixPath(urlsplit(location).path).name
    except ValueError:
        return PurePosixPath(re.split("[?#]", location)[0]).name


def suffix(location: str) -> str:
    """The file's ending in lower case, such as `.csv`; without a URL's query."""
    return PurePosixPath(name(location)).suffix.lower()


def canonical(location: str) -> str:
    """The full name of a place: a URL as it is, a path made absolute."""
    if is_url(location):
        return location
    try:
        return local_path(location).resolve().as_uri()
    except (StorageError, OSError, RuntimeError):  # what cannot be has no fuller name
        return location


def sibling(location: str, ending: str) -> str:
    """The place beside `location` with another ending: `results.csv`, `.html` → `results.html`."""
    known = suffix(location)
    stem = location[: -len(known)] if known and location.lower().endswith(known) else location
    return stem + ending


def folder(location: str) -> str:
    """The folder that a file is in."""
    if is_url(location):
        return location.rpartition("/")[0]
    return str(_path(location).parent)


def join(base: str, name: str) -> str:
    """The place of `name` in the folder `base`; a full path or a URL is a place by itself.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.storage import join

        assert join("s3://ads/refs", "a.png") == "s3://ads/refs/a.png"
        assert join("refs", "https://cdn/a.png") == "https://cdn/a.png"
        ```
    """
    if "://" in name or _path(name).is_absolute():
        return name
    if is_url(base):
        return f"{base.rstrip('/')}/{name}"
    return str(_path(base) / name)


def is_folder(location: str) -> bool:
    """Whether there is a folder at `location`. A web server has none.

    Raises:
        StorageError: Nobody can say.
    """
    if not is_url(location):
        with in_words(location, "read"):
            return local_path(location).is_dir()
    if is_web_address(location):
        return False
    with in_words(location, "reached"):
        filesystem, path = remote(location)
        return bool(filesystem.isdir(path))


def read_bytes(location: str, *, at_most: int | None = None) -> bytes:
    """The content of a file, or its first `at_most` bytes.

    Raises:
        StorageError: It is not there, or cannot be read.
    """
    with in_words(location, "read"):
        try:
            return _content(location, at_most)
        except FileNotFoundError:
            what = "nothing at" if is_url(location) else "no file"
            raise StorageError(f"There is {what} {shown(location)}.") from None
        except IsADirectoryError:
            raise StorageError(f"{shown(location)} is a folder, not a file.") from None


def _content(location: str, at_most: int | None) -> bytes:
    if not is_url(location):
        with local_path(location).open("rb") as file:
            return file.read() if at_most is None else file.read(at_most)
    filesystem, path = remote(location, "read")
    if at_most is None:
        content: bytes = filesystem.cat_file(path)
        return content
    with filesystem.open(path, "rb") as file:
        start: bytes = file.read(at_most)
        return start


def exists(location: str) -> bool:
    """Whether there is something at `location`.

    Raises:
        StorageError: Nobody can say.
    """
    return version(location) is not None


def version(location: str) -> str | None:
    """What differs as soon as a file was written again; None if there is no file.

    Raises:
        StorageError: Nobody can say.
    """
    with in_words(location, "reached" if is_url(location) else "read"):
        try:
            if not is_url(location):
                return _local_version(local_path(location))
            filesystem, path = remote(location)
            # Not `exists`: to fsspec, what cannot be reached does not exist, and a table that
            # cannot be reached must not be taken for a new campaign.
            return str(filesystem.ukey(path))
        except (FileNotFoundError, NotADirectoryError):
            return None


def _local_version(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_ino} {stat.st_size} {stat.st_mtime_ns}"


def check_folder(location: str) -> None:
    """Raises if a local file cannot be at `location`, because of its folder.

    Raises:
        StorageError: The folder is not there, or may not be written to.
    """
    if is_url(location):
        return
    parent = local_path(location).parent
    if not is_folder(str(parent)):
        raise _no_folder(location)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StorageError(f"The folder {shown(str(parent))} cannot be written to.")


def _no_folder(location: str) -> StorageError:
    parent, name = shown(folder(location)), shown(_path(location).name)
    return StorageError(f"There is no folder {parent} to write {name} into.")


@contextlib.contextmanager
def one_writer(location: str) -> Iterator[None]:
    """Keeps other processes of this machine that ask for the same from writing beside `location`.

    Does nothing for a URL, on Windows, and on network drives that know no such locks.

    Raises:
        StorageError: Another program keeps its hand on the folder.
    """
    with contextlib.ExitStack() as stack:
        if not is_url(location) and os.name != "nt":
            # The folder itself is locked, so that no lock file is left beside people's tables.
            path = local_path(location)
            with contextlib.suppress(OSError, RuntimeError):
                folder = os.open(path.resolve().parent, os.O_RDONLY)
                stack.callback(os.close, folder)
                _lock(folder, location)
        yield


def _lock(folder: int, location: str) -> None:
    import fcntl

    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StorageError(
                    f"{shown(location)} cannot be written: its folder is locked by another program."
                ) from None
            time.sleep(0.01)
        else:
            return


def write_bytes(location: str, content: bytes) -> str:
    """Writes a whole file. A local one appears at once and whole, or not at all.

    Returns:
        Its `version`.

    Raises:
        StorageError: It cannot be written.
    """
    with in_words(location, "written"):
        if is_url(location):
            filesystem, remote_path = remote(location, "written")
            # One PUT: a file that is opened and broken off could be left there in half.
            filesystem.pipe_file(remote_path, content)
            filesystem.invalidate_cache()
            return str(filesystem.ukey(remote_path))
        try:
            return _replace(local_path(location), content)
        except FileNotFoundError:
            raise _no_folder(location) from None
        except IsADirectoryError:
            raise StorageError(f"{shown(location)} is a folder, not a file.") from None


def _replace(path: Path, content: bytes) -> str:
    if path.is_dir():
        raise IsADirectoryError
    path = path.resolve()
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        version_written = _local_version(temporary)
        temporary.replace(path)
        return version_written
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def reason(error: BaseException) -> str:
    """Why something could not be done, for a message."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(status := getattr(error, "status", None), int):
        said = getattr(error, "message", "")
        return f"the server answers {status} {said}".rstrip(" .")
    # An error may quote the address that it is about, with all that is secret in it.
    text = _ADDRESS.sub(lambda found: shown(found[0]), str(error)).strip().rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://[^\s'\"]+")


def shown(location: str) -> str:
    """A location for a message, on one line: a URL without its user, password and query."""
    text = location
    if is_url(location):
        scheme, _, rest = re.split("[?#]", location)[0].partition("://")
        host, slash, path = rest.partition("/")
        text = f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    if len(text) <= LONGEST_SHOWN:
        return text
    return f"{text[: LONGEST_SHOWN // 2]}…{text[-LONGEST_SHOWN // 2 :]}"
