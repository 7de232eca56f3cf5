"""What people call what a command makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Work:
    """What people call what a command makes.

    Attributes:
        one, several: The jobs.
        verb: What is done to them.
        note: What else there is to say of the cost.
    """

    one: str
    several: str
    verb: str = "create"
    note: str = ""

    def counted(self, count: int) -> str:
        """So many of them."""
        return f"{count:,} {self.one if count == 1 else self.several}"


ADS: Final = Work("ad", "ads")
TEMPLATES: Final = Work("design template", "design templates")
REVISIONS: Final = Work(
    "revision",
    "revisions",
    "make",
    " What a revision costs is not documented; this is what new editable ads cost.",
)
