"""Files, here or behind any URL that fsspec knows."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from prefect_staticadslab.campaign.problems import CampaignError


class StorageError(CampaignError):
    """A file that cannot be read or written. The message says which, why, and what to do."""


def is_url(location: str) -> bool:
    """Whether `location` is a URL and not a path."""
    return "://" in location


def name(location: str) -> str:
    """The file's name, without folders and a URL's query."""
    path = urlsplit(location).path if is_url(location) else Path(location).name
    return PurePosixPath(path).name


def suffix(location: str) -> str:
    """The file's ending in lower case, such as `.csv`; without a URL's query."""
    return PurePosixPath(name(location)).suffix.lower()


def canonical(location: str) -> str:
    """The full name of a place: a URL as it is, a path made absolute."""
    return location if is_url(location) else Path(location).expanduser().resolve().as_uri()


def sibling(location: str, ending: str) -> str:
    """The place beside `location` with another ending: `results.csv`, `.html` → `results.html`."""
    known = suffix(location)
    stem = location[: -len(known)] if known and location.lower().endswith(known) else location
    return stem + ending


def read_bytes(location: str) -> bytes:
    """The content of a file.

    Raises:
        StorageError: It is not there, or cannot be read.
    """
    if not is_url(location):
        try:
            return Path(location).expanduser().read_bytes()
        except FileNotFoundError:
            raise StorageError(f"There is no file {location}.") from None
        except IsADirectoryError:
            raise StorageError(f"{location} is a folder, not a spreadsheet.") from None
        except OSError as error:
            raise StorageError(f"{location} cannot be read: {_reason(error)}.") from None
    import fsspec

    try:
        with fsspec.open(location, "rb") as file:
            content: bytes = file.read()
            return content
    except FileNotFoundError:
        raise StorageError(f"There is nothing at {_shown(location)}.") from None
    except Exception as error:  # every fsspec backend has exceptions of its own
        raise StorageError(f"{_shown(location)} cannot be read: {_reason(error)}.") from error


def exists(location: str) -> bool:
    """Whether there is something at `location`.

    Raises:
        StorageError: Nobody can say.
    """
    if not is_url(location):
        return Path(location).expanduser().exists()
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(location)
        return bool(filesystem.exists(path))
    except Exception as error:
        raise StorageError(f"{_shown(location)} cannot be reached: {_reason(error)}.") from error


def check_folder(location: str) -> None:
    """Raises if a local file cannot be at `location` because its folder is not there.

    Raises:
        StorageError: It is not, or is no folder.
    """
    if not is_url(location) and not (parent := Path(location).expanduser().parent).is_dir():
        raise StorageError(f"There is no folder {parent} to write {name(location)} into.")


def write_bytes(location: str, content: bytes) -> None:
    """Writes a whole file. A local one appears at once and whole, or not at all.

    Raises:
        StorageError: It cannot be written.
    """
    if is_url(location):
        import fsspec

        try:
            with fsspec.open(location, "wb") as file:
                file.write(content)
        except Exception as error:
            raise StorageError(
                f"{_shown(location)} cannot be written: {_reason(error)}."
            ) from error
        return
    path = Path(location).expanduser()
    try:
        _replace(path, content)
    except FileNotFoundError:
        raise StorageError(f"There is no folder {path.parent} to write {path.name} into.") from None
    except IsADirectoryError:
        raise StorageError(f"{location} is a folder, not a file.") from None
    except OSError as error:
        raise StorageError(f"{location} cannot be written: {_reason(error)}.") from None


def _replace(path: Path, content: bytes) -> None:
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
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = str(error).strip().rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _shown(url: str) -> str:
    """A URL without what may be secret in it: user, password and query."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
