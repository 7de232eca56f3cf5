"""An object store, as fsspec's S3 shows it, with or without conditional writes.

Each request to it takes its time, and another process may come between any two.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import fsspec

from prefect_staticadslab.campaign.files import conditional_writes
from prefect_staticadslab.campaign.table import checkpoints
from tests.simulation.world.process import Killed, current
from tests.simulation.world.threads import Lock, Threads

REQUEST_SECONDS: Final = (0.002, 0.15)
"""How long a request takes on each way, at least and at most."""

LONGEST_WRITE_SECONDS: Final = 1.5
"""How long a write may take to arrive, as that of a long table does."""


class RefusedError(OSError):
    """What s3fs raises of a write whose condition does not hold."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.response = {
            "Error": {"Code": code},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }


@dataclass
class ObjectStore:
    """Objects by their paths.

    Attributes:
        keeps_conditions: Whether it takes notice of the conditions of writes.
        chance: Draws how long requests take.
        threads: Who lets others run meanwhile.
        is_over: Whether nothing is written any more.
        fails: Whether the next write does: it is carried out or not, and there is no answer.
        written: Is told what was written over what.
        now: The time.
    """

    keeps_conditions: bool
    chance: random.Random
    threads: Threads
    is_over: Callable[[], bool]
    fails: Callable[[], bool]
    written: Callable[[bytes, bytes], None]
    now: Callable[[], float]

    def __post_init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def info(self, path: str) -> dict[str, Any]:
        """What fsspec tells of an object."""
        self._travel()
        content = self._content(path)
        return {"name": path, "type": "file", "size": len(content), "ETag": _etag(content)}

    def size(self, path: str) -> int:
        """An object's bytes."""
        self._travel()
        return len(self._content(path))

    def cat_file(self, path: str) -> bytes:
        """An object's content."""
        self._travel()
        return self._content(path)

    def invalidate_cache(self) -> None:
        """Nothing is kept."""

    def pipe_file(
        self,
        path: str,
        content: bytes,
        *,
        chunksize: int | None = None,
        mode: str = "overwrite",
        IfMatch: str | None = None,
    ) -> dict[str, str]:
        """Writes an object, on a condition."""
        if self.is_over():
            raise Killed
        process, name = current.get(), path.rpartition("/")[2]
        if process is not None:
            process.reach(f"writes {name}", self.now())
        self.threads.rest(self.chance.uniform(REQUEST_SECONDS[0], LONGEST_WRITE_SECONDS))
        fails = process is not None and self.fails()
        if fails and self.chance.random() < 0.5:
            raise ConnectionError("the store is not reached")
        earlier = self.objects.get(path)
        if self.keeps_conditions:
            _check(earlier, IfMatch, is_new=mode == "create")
        self.written(earlier or b"", content)
        self.objects[path] = content
        self._travel()
        if fails:
            raise ConnectionError("the store's answer is lost")
        if process is not None:
            process.reach(f"has written {name}", self.now())
        return {"ETag": _etag(content)}

    def _content(self, path: str) -> bytes:
        if path not in self.objects:
            raise FileNotFoundError(path)
        return self.objects[path]

    def _travel(self) -> None:
        self.threads.rest(self.chance.uniform(*REQUEST_SECONDS))


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _check(earlier: bytes | None, if_match: str | None, *, is_new: bool) -> None:
    if if_match is not None and earlier is None:
        raise RefusedError(404, "NoSuchKey")
    if (is_new and earlier is not None) or (if_match and _etag(earlier or b"") != if_match):
        raise RefusedError(412, "PreconditionFailed")


class _OfProcesses(dict[Any, Any]):
    """What each process knows for itself."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get((current.get(), key), default)

    def __contains__(self, key: object) -> bool:
        return super().__contains__((current.get(), key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__((current.get(), key), value)


@contextmanager
def reached(store: ObjectStore, clock_sleep: Callable[[float], None]) -> Iterator[None]:
    """Has all places in object stores be in this one while the body runs.

    Args:
        store: The store.
        clock_sleep: Lets time pass for who is no thread.
    """
    threads = store.threads

    def sleep(seconds: float) -> None:
        if not threads.rest(seconds):
            clock_sleep(seconds)

    def open_store(url: str) -> tuple[ObjectStore, str]:
        return store, url.partition("://")[2]

    with ExitStack() as stack:
        stack.enter_context(patch.object(fsspec.core, "url_to_fs", open_store))
        stack.enter_context(patch.object(conditional_writes, "_keeps_conditions", _OfProcesses()))
        new_lock = SimpleNamespace(Lock=lambda: Lock(threads))
        stack.enter_context(patch.object(checkpoints, "threading", new_lock))
        stack.enter_context(patch("time.sleep", sleep))
        yield
