"""Campaigns whose whole fate is drawn: `python -m tests.simulation --campaigns 1000 --seed 1`."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.simulation.network import LATE_SECONDS, Fault
from tests.simulation.process import End
from tests.simulation.story import Row, Story, new_rows
from tests.simulation.world import World

RUNS_IN_DANGER: Final = 4
MOST_RUNS: Final = 12

_SETTINGS: Final = {"speed": 5.0, "rate_limit": 1_000, "wallet_usd": 1_000_000.0}


@dataclass
class Fate:
    """What becomes of one campaign.

    Attributes:
        seed: Of everything.
        violations: What was not as it must be.
        counts: What happened how often.
        trace: All of it, a line each.
    """

    seed: str
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)


def live(seed: str, *, most_rows: int = 30) -> Fate:
    """Brings one campaign through its world, and says what became of it."""
    chance = random.Random(f"fate {seed}")
    fate = Fate(seed)
    rate = chance.choice((0.0, 0.05, 0.3))
    dangers = {"is on": True}

    def fault(method: str, path: str) -> Fault | None:
        if not dangers["is on"] or chance.random() >= rate:
            return None
        drawn = chance.choice(tuple(Fault))
        return None if drawn in LATE_SECONDS and method != "POST" else drawn

    settings = _SETTINGS | {"failure_rate": chance.choice((0.0, 0.1))}
    world = World(seed, fault=fault, **settings)
    with world.existing():
        count = min(most_rows, int(chance.paretovariate(0.7)))
        story = Story(world, new_rows(count))
        fate.counts["rows"] += count
        for number in range(MOST_RUNS):
            dangers["is on"] = number < RUNS_IN_DANGER
            if number and dangers["is on"]:
                _edit(story, chance, number, fate.counts)
            _run(story, chance, dangers["is on"], fate.counts)
            if not dangers["is on"] and story.is_settled():
                break
        fate.violations = story.check()
        fate.counts.update({f"fault: {f}": world.network.counts[f] for f in Fault})
        fate.counts["requests"] += len(world.network.sent)
        fate.counts["ads"] += len(world.api.jobs)
    fate.trace = world.trace
    return fate


def _run(story: Story, chance: random.Random, in_danger: bool, counts: Counter[str]) -> None:
    together = 2 if in_danger and chance.random() < 0.25 else 1
    ends: list[dict[int, End]] = []
    for _ in range(together):
        ended = in_danger and chance.random() < 0.8
        ends.append(
            {int(chance.expovariate(1 / 25)) + 1: chance.choice(tuple(End))} if ended else {}
        )
    counts["runs"] += together
    for process in story.run(*ends):
        counts["kills"] += process.is_dead


def _edit(story: Story, chance: random.Random, number: int, counts: Counter[str]) -> None:
    rows: list[Row] = story.rows
    edits: list[Callable[[], object]] = [
        lambda: chance.shuffle(rows),
        lambda: rows.append(new_rows(1, f"row added {number},")[0]),
        lambda: rows.append(dict(chance.choice(rows))),
        lambda: rows.pop(chance.randrange(len(rows))) if len(rows) > 1 else None,
        lambda: chance.choice(rows).update(prompt=f"edited {number}"),
        story.move_table,
    ]
    if chance.random() < 0.6:
        chance.choice(edits)()
        counts["edits"] += 1
