"""The disk: real files in memory, whose writes are points at which a process may die."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from prefect_staticadslab.campaign.files import local_files
from tests.simulation.process import Killed, current

IN_MEMORY = Path("/dev/shm")


@contextmanager
def new_disk(is_over: Callable[[], bool]) -> Iterator[Path]:
    """A folder while the body runs. A write is there before the process can die after it.

    Args:
        is_over: Whether nothing is written any more.
    """
    replace = local_files.replace

    def counted(path: Path, content: bytes) -> str:
        process = current.get()
        if is_over():
            raise Killed
        if process is None:
            return replace(path, content)
        process.reach(f"writes {path.name}")
        version = replace(path, content)
        process.reach(f"has written {path.name}")
        return version

    folder = tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
    try:
        with patch.object(local_files, "replace", counted), patch("os.fsync"):
            yield Path(folder)
    finally:
        shutil.rmtree(folder)
