"""The disk: real files in memory, whose writes are points at which a process may die or fail."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from prefect_staticadslab.campaign.files import local_files
from tests.simulation.world.process import Killed, current

IN_MEMORY = Path("/dev/shm")


def _nothing(descriptor: int) -> None:
    """A disk in memory has nothing to be waited for."""


@contextmanager
def new_disk(
    is_over: Callable[[], bool],
    fails: Callable[[], bool],
    written: Callable[[bytes, bytes], None],
    now: Callable[[], float],
) -> Iterator[Path]:
    """A folder while the body runs. A write is there before the process can die after it.

    Args:
        is_over: Whether nothing is written any more.
        fails: Whether the next write does, with half of its file written.
        written: Is told what was written over what.
        now: The time.
    """
    replace, move = local_files.replace, local_files.move
    failing = False

    def counted(path: Path, content: bytes) -> str:
        nonlocal failing
        process = current.get()
        if is_over():
            raise Killed
        if process is None:
            return replace(path, content)
        process.reach(f"writes {path.name}", now())
        if failing := fails():
            process.log(f"  the disk is full, and half of {path.name} is written")
            content = content[: len(content) // 2]
        earlier = path.read_bytes() if path.exists() else b""
        version = replace(path, content)
        written(earlier, content)
        process.reach(f"has written {path.name}", now())
        return version

    def moved(file: Path, path: Path) -> None:
        if failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        move(file, path)

    folder = tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
    try:
        with (
            patch.object(local_files, "replace", counted),
            patch.object(local_files, "move", moved),
            patch.object(os, "fsync", _nothing),
        ):
            yield Path(folder)
    finally:
        shutil.rmtree(folder)
