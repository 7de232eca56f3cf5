"""Everything random, from one seed: how long jobs take, which fail, and which requests break."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

FAILURE_WORD: Final = "SIMULATE_FAILURE"
"""In a prompt, a tree's text or a reference's name: the job fails."""
ONE_FAILURE_WORD: Final = "SIMULATE_ONE_FAILURE"
"""In a prompt: the first job with this very body fails, and the next one succeeds."""

FAULTS: Final = (
    "dropped before",
    "dropped after",
    "cut",
    "slow",
    "429",
    "500",
    "503",
    "HTML before",
    "HTML after",
)
"""What can happen to a request: "before" and the statuses keep the API from acting on it; with
"after" and "cut" it does act, and only the answer is lost."""

PICTURE_FAULTS: Final = ("cut", "503", "HTML page")
"""What can happen to a picture's download."""


class Chance:
    """Draws what is left to chance; the same seed and the same calls draw the same."""

    def __init__(self, seed: int) -> None:
        self._jobs = random.Random(seed)
        # Of their own, so that faults do not change how long jobs take.
        self._faults = random.Random(seed + 1)
        self._jobs_by_body: Counter[str] = Counter()

    def job_seconds(self, shortest: float, longest: float) -> float:
        """Draws how many seconds a job takes."""
        return self._jobs.uniform(shortest, longest)

    def job_fails(self, body: Mapping[str, Any], failure_rate: float) -> bool:
        """Draws whether an image ad will fail, unless a word in its prompt decides that.

        How often a body with `ONE_FAILURE_WORD` was asked for is remembered.
        """
        drawn = self._jobs.random()
        prompt = body.get("prompt") or ""
        if ONE_FAILURE_WORD in prompt:
            fingerprint = json.dumps(body, sort_keys=True)
            self._jobs_by_body[fingerprint] += 1
            return self._jobs_by_body[fingerprint] == 1
        return FAILURE_WORD in prompt or drawn < failure_rate

    def fault(self, rate: float, faults: tuple[str, ...]) -> str | None:
        """Draws one of the faults for this share of all requests, and None for the others."""
        return None if self._faults.random() >= rate else self._faults.choice(faults)
