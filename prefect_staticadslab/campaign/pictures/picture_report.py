"""What became of a table's pictures, in counts and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LISTED_ROWS: Final = 10
"""How many rows a note lists."""


@dataclass(frozen=True)
class Pictures:
    """What became of a table's pictures.

    Attributes:
        folder: Where they are: a path or a URL.
        rows: How many there should be: one for each completed row.
        completed: How many are there.
        fetched: How many of these this run has put there.
        missing: The numbers of the rows whose picture could not be had.
        megabytes: How much was downloaded.
        stopped_by: What stopped all further downloads, a sentence; "" if nothing did.
        archive: Where the ZIP is; "" if there is none.
        archive_error: Why the ZIP that was asked for could not be made; or "".
    """

    folder: str
    rows: int
    completed: int = 0
    fetched: int = 0
    missing: tuple[int, ...] = ()
    megabytes: float = 0.0
    stopped_by: str = ""
    archive: str = ""
    archive_error: str = ""

    @property
    def failed(self) -> int:
        """How many pictures could not be had."""
        return len(self.missing)

    @property
    def is_complete(self) -> bool:
        """Whether all pictures are there, and the ZIP if one was asked for."""
        return not self.missing and not self.archive_error

    def line(self) -> str:
        """The counts in one line."""
        parts = [f"{self.completed} of {self.rows} pictures are there"]
        if self.fetched:
            parts.append(f"{self.fetched} of them downloaded now, {self.megabytes:.0f} MB")
        if self.missing:
            parts.append(f"{self.failed} missing")
        return ", ".join(parts)

    def notes(self) -> list[str]:
        """What else there is to say, a sentence each: `troubles`, and rows without a picture."""
        notes = self.troubles()
        if self.missing:
            rows = ", ".join(map(str, self.missing[:LISTED_ROWS]))
            more = len(self.missing) - LISTED_ROWS
            notes.append(
                f"No picture could be had for row{'s' if self.failed > 1 else ''} {rows}"
                f"{f' and {more} more' if more > 0 else ''}; the next run tries again."
            )
        return notes

    def troubles(self) -> list[str]:
        """What kept all further pictures, or the ZIP, from being there, a sentence each."""
        archive = f"The ZIP was not made: {self.archive_error}" if self.archive_error else ""
        return [trouble for trouble in (self.stopped_by, archive) if trouble]


NO_PICTURES: Final = Pictures("", rows=0)
"""The report of a run that was not to download any."""
