"""What becomes of a campaign whose whole fate was drawn."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.simulation.stories.kinds import KINDS
from tests.simulation.stories.plan import HOUR, Plan, fault_of
from tests.simulation.stories.story import Story
from tests.simulation.world.existence import World
from tests.simulation.world.network import Fault
from tests.simulation.world.process import Visit

MOST_LAST_RUNS: Final = 8
"""Within which all is done, once nothing goes wrong any more."""

LAST_PAUSE_SECONDS: Final = 3 * HOUR
"""Between these, so that what another run may have sent counts as never created."""

JOBS_SPEED: Final = 5.0
"""How many times faster than the API jobs are."""


@dataclass
class Fate:
    """What becomes of one campaign.

    Attributes:
        plan: What was drawn.
        violations: What was not as it must be.
        counts: What happened how often.
        trace: All of it, a line each.
    """

    plan: Plan
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)


def live(plan: Plan) -> Fate:
    """Brings one campaign through its world, and says what became of it."""
    in_danger = True
    world = World(
        plan.seed,
        fault=lambda number, method: fault_of(plan, number, method) if in_danger else None,
        write_fails=lambda number: in_danger and number in plan.failing_writes,
        speed=JOBS_SPEED,
        wallet_usd=plan.wallet_usd,
        **plan.settings,
    )
    fate = Fate(plan, trace=world.trace)
    with world.existing():
        story = Story(world, plan.rows, KINDS[plan.job_kind])
        for each in plan.rounds:
            if each.edit is not None:
                story.edit(each.edit)
            world.let_pass(each.pause_seconds)
            story.run(*each.visits)
        in_danger = False
        world.fill_wallet(1_000_000.0)
        world.log("from here on nothing goes wrong")
        for _ in range(MOST_LAST_RUNS):
            story.run(Visit(preflight=False))
            if story.is_settled():
                break
            world.let_pass(LAST_PAUSE_SECONDS)
        fate.violations = story.check()
        _count(fate, story)
    return fate


def _count(fate: Fate, story: Story) -> None:
    world, counts = story.world, fate.counts
    counts["rows"] += len(fate.plan.rows)
    counts["edits"] += sum(each.edit is not None for each in fate.plan.rounds)
    counts["edits while a run goes on"] += sum(bool(p.visit.edit) for p in world.processes)
    counts["requests"] += len(world.network.sent)
    counts["jobs paid for or failed"] += len(story.kind.made(world.api))
    counts["runs"] += len(world.processes)
    counts["kills"] += sum(process.is_dead for process in world.processes)
    counts["refused runs"] += sum(bool(process.refusal) for process in world.processes)
    counts["empty wallets"] += sum(p.refused_at is not None for p in world.processes)
    counts["refusals with 429"] += len(world.network.refused_at)
    counts.update({f"fault: {f}": world.network.counts[f] for f in Fault})
