"""A seed tells one story, whatever was lived before it in the same process, or in which process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import pytest

from tests.simulation.stories.fate import live
from tests.simulation.stories.scenes import draw

EMPTY_WALLETS: Final = "1.2"
TOLD_TO_END: Final = "1.37"
ASLEEP: Final = "1.15"
TEMPLATES: Final = "1.14"

ORDERS: Final = (
    (ASLEEP, EMPTY_WALLETS, ASLEEP, TOLD_TO_END, ASLEEP),
    (TEMPLATES, TOLD_TO_END, EMPTY_WALLETS, TOLD_TO_END, TEMPLATES),
)


def lived(seeds: Sequence[str]) -> list[tuple[str, str]]:
    """Each seed, and what stands for all that happened in its campaign."""
    traces = ("\n".join(live(draw(seed, most_rows=10, clocks_differ=True)).trace) for seed in seeds)
    return list(zip(seeds, (sha256(trace.encode()).hexdigest() for trace in traces), strict=True))


@pytest.mark.parametrize("order", ORDERS)
def test_a_seed_tells_one_story_whatever_was_lived_before(order: Sequence[str]) -> None:
    assert len(set(lived(order))) == len(set(order))


def test_a_seed_tells_one_story_in_another_process() -> None:
    seeds = (ASLEEP, TOLD_TO_END, TEMPLATES)
    there = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", __name__, *seeds],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert there.stdout.splitlines() == [" ".join(each) for each in lived(seeds[::-1])][::-1]


if __name__ == "__main__":
    for each in lived(sys.argv[1:]):
        print(*each)
