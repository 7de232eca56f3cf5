"""Where the result table is: a file, or an object in a store, as whoever looks at it finds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.simulation.world.store import ObjectStore

BUCKET = "ads"


class Place(Protocol):
    """Where a table is, or will be; as text, what a run is told."""

    def read(self) -> bytes | None:
        """What is there; None if nothing is."""

    def write(self, content: bytes) -> None:
        """Puts something there."""

    def renamed(self, name: str) -> Place:
        """Moves it to another name, if it is there."""

    def delete(self) -> None:
        """Deletes it, if it is there."""


@dataclass(frozen=True)
class FilePlace:
    """A file of this machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def read(self) -> bytes | None:
        """See `Place.read`."""
        return self.path.read_bytes() if self.path.exists() else None

    def write(self, content: bytes) -> None:
        """See `Place.write`."""
        self.path.write_bytes(content)

    def renamed(self, name: str) -> FilePlace:
        """See `Place.renamed`."""
        if not self.path.exists():
            return self
        return FilePlace(self.path.rename(self.path.with_name(name)))

    def delete(self) -> None:
        """See `Place.delete`."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class ObjectPlace:
    """An object in a bucket."""

    store: ObjectStore
    name: str

    def __str__(self) -> str:
        return f"s3://{BUCKET}/{self.name}"

    @property
    def _key(self) -> str:
        return f"{BUCKET}/{self.name}"

    def read(self) -> bytes | None:
        """See `Place.read`."""
        return self.store.objects.get(self._key)

    def write(self, content: bytes) -> None:
        """See `Place.write`."""
        self.store.objects[self._key] = content

    def renamed(self, name: str) -> ObjectPlace:
        """See `Place.renamed`."""
        if self._key not in self.store.objects:
            return self
        moved = ObjectPlace(self.store, name)
        self.store.objects[moved._key] = self.store.objects.pop(self._key)
        return moved

    def delete(self) -> None:
        """See `Place.delete`."""
        self.store.objects.pop(self._key, None)
