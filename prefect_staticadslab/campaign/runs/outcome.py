"""How a run ended: `Outcome`, which has an `End` in a word, and a message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.campaign.errors import CampaignError

REFUSED_TITLE: Final = "Nothing was created."
NOTHING_CHANGED: Final = "Nothing was changed."
NOTHING_DOWNLOADED: Final = "Nothing was downloaded."
NOTHING_TO_WATCH: Final = "There is nothing to watch."
"""What to say above the reasons, if a run is refused."""


class End(Enum):
    """How a run ended, in a word: `Outcome.end`."""

    COMPLETED = "completed"
    """All that it was for is done."""
    CREATED = "created"
    """It was not to wait, and all of its jobs are created."""
    INCOMPLETE = "incomplete"
    """It is at its end, and something is not done."""
    TIMED_OUT = "timed out"
    """What it waited for goes on without it."""
    REFUSED = "refused"
    """Something was wrong, and nothing was begun."""
    CANCELLED = "cancelled"
    """Somebody stopped it."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended, in a word and for people; what every run returns.

    Attributes:
        end: How, in a word.
        message: How, for people; of a run that was refused, why.
        title: What to say above the reasons, if it was refused.
        error: Why it was refused, if an error was the reason.
    """

    end: End
    message: str
    title: str = REFUSED_TITLE
    error: CampaignError | StaticAdsLabError | None = None

    @classmethod
    def refused(
        cls,
        error: CampaignError | StaticAdsLabError,
        *,
        title: str = REFUSED_TITLE,
        message: str = "",
    ) -> Outcome:
        """The outcome of a run that has begun nothing because of an error.

        Args:
            error: What is wrong.
            title: What to say above the reason.
            message: The reason, if it is not the error's message.
        """
        return cls(End.REFUSED, message or str(error), title, error)

    @property
    def is_success(self) -> bool:
        """Whether there is nothing left for another run."""
        return self.end is End.COMPLETED
