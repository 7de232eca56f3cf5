"""Writes that happen only if nobody else has written meanwhile, in each object store's own way."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.campaign.files import local_files, storage
from prefect_staticadslab.campaign.files.locations import Location, local_path, redacted

logger = logging.getLogger(__name__)


class ChangedMeanwhileError(StorageError):
    """Somebody else has written since the version that was to be replaced: nothing was written."""


class WriteRefusal(Enum):
    """Why a store did not make a conditional write."""

    CHANGED = "somebody else has written meanwhile"
    NO_CONDITIONS = "it makes no conditional writes"


@dataclass(frozen=True)
class ConditionalStore:
    """How one kind of object store replaces an object only if nobody else has.

    Attributes:
        version_key: What fsspec's `info` calls the version of an object.
        write: Takes the filesystem, the path, the content and a version. Writes the object if it
            still has that version, or, for None, if there is no object. Returns its new version.
        refusal: Takes the error that `write` raised, and the version that it was given. Returns why
            the store refused; None if the error is no refusal.
        impossible_version: A version that no object has, to find out whether a store refuses a
            write over it: some stores that speak S3 ignore conditions in silence. "" where every
            store keeps them.
    """

    version_key: str
    write: Callable[[Any, str, bytes, str | None], str]
    refusal: Callable[[Exception, str | None], WriteRefusal | None]
    impossible_version: str = ""


_keeps_conditions: Final[dict[tuple[str, str], bool]] = {}
"""Whether stores keep conditions, by `_bucket_of`, as far as this process has found out."""


LocationLock: TypeAlias = Callable[[str], AbstractContextManager[None]]
"""Takes a location; while the body runs, no other run with this lock writes there."""

_lock: ContextVar[LocationLock | None] = ContextVar("lock", default=None)


def use_lock(lock: LocationLock | None) -> None:
    """Sets what `write_lock` takes in stores without conditional writes, in this context.

    Args:
        lock: None is no lock.
    """
    _lock.set(lock)


@contextmanager
def write_lock(location: str) -> Iterator[None]:
    """Keeps other runs from writing `location` while the body runs, unless its store does.

    A place on this machine is locked by `local_files.write_lock`; one in a store that keeps no
    conditions by the lock of `use_lock`, if there is one. In a store that keeps conditions, which
    refuses the later of two writes, nothing is locked.
    """
    place, lock = Location.typed(location), _lock.get()
    if place.is_local:
        with local_files.write_lock(local_path(location)):
            yield
    elif lock is None or _makes_conditional_writes(place):
        yield
    else:
        with lock(location):
            yield


def _bucket_of(place: Location) -> tuple[str, str]:
    """The protocol and the bucket, or container, of a place in a store."""
    return place.protocol, place.text.partition("://")[2].partition("/")[0]


def _makes_conditional_writes(place: Location) -> bool:
    """Whether a place's store keeps conditions; of one in `STORES`, True until it did not."""
    return place.protocol in STORES and _keeps_conditions.get(_bucket_of(place), True)


def version(location: str) -> str | None:
    """A text that changes whenever the content of a file does; None if there is no file.

    Raises:
        StorageError: It cannot be found out.
    """
    place = Location.typed(location)
    store = STORES.get(place.protocol)
    if store is None:
        return storage.version(place)
    with storage.translate_errors(location, "reached"):
        filesystem, path = storage.open_filesystem(place)
        try:
            found = filesystem.info(path)
        except FileNotFoundError:
            return None
    # A "folder" is made of the names of other files, and keeps none from having its name.
    return None if found["type"] == "directory" else str(found[store.version_key])


def write_if_unchanged(location: str, content: bytes, earlier: str | None) -> str:
    """Writes a whole file if it still has the version `earlier`, and raises if it has another one.

    A file of this machine is written whatever its version, and so is one in a store that makes no
    conditional writes: there, `write_lock` keeps others away. Whether a store that speaks S3 makes
    them is found out at this process's first write to the bucket, with a warning if not.

    Args:
        location: Where it is.
        content: What it is to hold.
        earlier: The `version` that was read; None if there was no file.

    Returns:
        Its new `version`.

    Raises:
        ChangedMeanwhileError: It has another version. It may be this very content, if the store
            had written it, its answer was lost, and its client asked once more.
        StorageError: It cannot be written.
    """
    place = Location.typed(location)
    store = STORES.get(place.protocol)
    if store is None:
        return storage.write_bytes(place, content)
    with storage.translate_errors(location, "written"):
        filesystem, path = storage.open_filesystem(place, "written")
        if store.impossible_version and _bucket_of(place) not in _keeps_conditions:
            answer = _try_impossible_write(store, place, filesystem, path, content)
            if isinstance(answer, str):
                return answer
        if not _makes_conditional_writes(place):
            filesystem.pipe_file(path, content)
            return str(filesystem.info(path)[store.version_key])
        answer = _try_write(store, filesystem, path, content, earlier)
        if isinstance(answer, str):
            return answer
    raise ChangedMeanwhileError(f"{redacted(location)} was written by somebody else meanwhile.")


def _try_impossible_write(
    store: ConditionalStore, place: Location, filesystem: Any, path: str, content: bytes
) -> str | WriteRefusal:
    """Writes over a version that no object has, and notes in `_keeps_conditions` if it is refused.

    It warns unless the write is refused as `CHANGED`. Returns what `_try_write` does: the version
    of an object that the store has written all the same, or the refusal.
    """
    answer = _try_write(store, filesystem, path, content, store.impossible_version)
    _keeps_conditions[_bucket_of(place)] = answer is WriteRefusal.CHANGED
    if answer is not WriteRefusal.CHANGED:
        _warn_of_no_conditions(place.text)
    return answer


def _try_write(
    store: ConditionalStore, filesystem: Any, path: str, content: bytes, earlier: str | None
) -> str | WriteRefusal:
    """Writes if the object has the version `earlier`. Returns its new version, or the refusal.

    Raises:
        Exception: The filesystem's, which may be any, if it is no refusal.
    """
    try:
        return store.write(filesystem, path, content, earlier)
    except Exception as error:  # each store has exceptions of its own
        refusal = store.refusal(error, earlier)
        if refusal is None:
            raise
        return refusal


def _warn_of_no_conditions(location: str) -> None:
    logger.warning(
        "The store of %s makes no conditional writes. Of two runs that write one table at the same "
        "instant, one may undo what the other wrote, until that one writes again; unless they "
        "have one Prefect server, which then keeps them apart.",
        redacted(location),
    )


_CHANGED: Final = (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED)
"""What S3 answers if another write came before, or at the very same time."""

# S3: `If-Match` and `If-None-Match` of PutObject, with ETags


def _write_s3(filesystem: Any, path: str, content: bytes, earlier: str | None) -> str:
    """Writes on a condition; see `ConditionalStore.write`."""
    condition = {"mode": "create"} if earlier is None else {"IfMatch": earlier}
    # In one PUT, however large: the parts of several are put together without a condition.
    answer = filesystem.pipe_file(path, content, chunksize=len(content) + 1, **condition)
    return str(answer["ETag"])


def _s3_refusal(error: Exception, earlier: str | None) -> WriteRefusal | None:
    """What an error of a write means; see `ConditionalStore.refusal`."""
    # s3fs makes errors of Python of those of botocore, which say what the store said.
    answer = getattr(error.__cause__ or error, "response", None) or {}
    code = answer.get("Error", {}).get("Code")
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    # "Not there" is said of a bucket, too, which nobody has removed meanwhile.
    if status in _CHANGED or (code == "NoSuchKey" and earlier is not None):
        return WriteRefusal.CHANGED
    return WriteRefusal.NO_CONDITIONS if status == HTTPStatus.NOT_IMPLEMENTED else None


# Google Cloud Storage: `ifGenerationMatch`, where 0 is an object that is not there


def _write_gcs(filesystem: Any, path: str, content: bytes, earlier: str | None) -> str:
    """Writes on a condition; see `ConditionalStore.write`."""
    # gcsfs has a condition for new objects only, so the request that it makes is made here.
    bucket, key, _ = filesystem.split_path(path)
    boundary = secrets.token_hex(16)
    answer = filesystem.call(
        "POST",
        filesystem.base.replace("/storage/", "/upload/storage/") + "b/{}/o",
        bucket,
        uploadType="multipart",
        ifGenerationMatch=earlier or "0",
        headers={"Content-Type": f"multipart/related; boundary={boundary}"},
        data=_multipart_body(boundary, key, content),
        json_out=True,
    )
    filesystem.invalidate_cache()
    return str(answer["generation"])


def _multipart_body(boundary: str, key: str, content: bytes) -> bytes:
    """The body of a request that uploads an object: its name, and its content."""
    start = (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
        f"{json.dumps({'name': key})}\r\n"
        f"--{boundary}\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    return start.encode() + content + f"\r\n--{boundary}--\r\n".encode()


def _gcs_refusal(error: Exception, earlier: str | None) -> WriteRefusal | None:
    """What an error of a write means; see `ConditionalStore.refusal`."""
    # What gcsfs makes of the status 412.
    return WriteRefusal.CHANGED if isinstance(error, FileExistsError) else None


# Azure Blob Storage: `If-Match` and `If-None-Match`, with ETags


def _write_azure(filesystem: Any, path: str, content: bytes, earlier: str | None) -> str:
    """Writes on a condition; see `ConditionalStore.write`."""
    if earlier is None:
        answer = filesystem.pipe_file(path, content, overwrite=False)
    else:
        from azure.core import MatchConditions

        unchanged = MatchConditions.IfNotModified
        answer = filesystem.pipe_file(path, content, etag=earlier, match_condition=unchanged)
    filesystem.invalidate_cache()
    return str(answer["etag"])


def _azure_refusal(error: Exception, earlier: str | None) -> WriteRefusal | None:
    """What an error of a write means; see `ConditionalStore.refusal`."""
    status = getattr(error, "status_code", None)
    changed = isinstance(error, FileExistsError) or status == HTTPStatus.PRECONDITION_FAILED
    return WriteRefusal.CHANGED if changed else None


_S3: Final = ConditionalStore("ETag", _write_s3, _s3_refusal, impossible_version=f'"{"0" * 32}"')
_GCS: Final = ConditionalStore("generation", _write_gcs, _gcs_refusal)
_AZURE: Final = ConditionalStore("etag", _write_azure, _azure_refusal)

STORES: Final[Mapping[str, ConditionalStore]] = {
    "s3": _S3,
    "gs": _GCS,
    "gcs": _GCS,
    "az": _AZURE,
    "abfs": _AZURE,
    "abfss": _AZURE,
}
"""The stores that make conditional writes, by the protocol of their addresses."""
