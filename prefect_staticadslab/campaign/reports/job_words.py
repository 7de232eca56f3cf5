"""What texts for people call the jobs that a command creates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class JobWords:
    """What texts for people call the jobs that a command creates.

    Attributes:
        one: A single one: `ad`.
        several: More of them: `ads`.
        verb: What is done to them: `create`.
        note: A sentence about what they cost, with a space before it; "" if there is none.
    """

    one: str
    several: str
    verb: str = "create"
    note: str = ""

    def counted(self, count: int) -> str:
        """A number of them: `1 ad`, `2,400 ads`."""
        return f"{count:,} {self.one if count == 1 else self.several}"


ADS: Final = JobWords("ad", "ads")
TEMPLATES: Final = JobWords("design template", "design templates")
REVISIONS: Final = JobWords(
    "revision",
    "revisions",
    "make",
    " What a revision costs is not documented; this is what new editable ads cost.",
)
