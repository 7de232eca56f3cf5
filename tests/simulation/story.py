"""A campaign's story: its rows, the runs that bring it forward, and what must be true then."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from tests.conftest import simulated_ids
from tests.simulation.clock import BEGINNING
from tests.simulation.process import End, Process
from tests.simulation.world import World

Row = dict[str, str]

LONGEST_RUN_SECONDS = 3 * 3600.0
"""A row that another run may have sent long ago is looked for for up to two hours."""


@dataclass
class Story:
    """One campaign in a world.

    Attributes:
        world: Where it happens.
        rows: The spreadsheet's rows.
        violations: What was not as it must be.
    """

    world: World
    rows: list[Row]
    violations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.spreadsheet = self.world.folder / "in.csv"
        self.output = self.world.folder / "out.csv"
        self.moves = 0

    def run(self, *ends: Mapping[int, End]) -> list[Process]:
        """Runs the campaign in so many processes side by side, each ended so."""
        write(self.spreadsheet, self.rows)
        began = self.world.clock.now
        processes = self.world.run(*ends, spreadsheet=self.spreadsheet, output=self.output)
        if self.world.clock.now - began > LONGEST_RUN_SECONDS:
            self.violations.append(f"a run took {self.world.clock.now - began:.0f} s")
        return processes

    def move_table(self) -> None:
        """Moves the table to another name, as people do."""
        if self.output.exists():
            self.moves += 1
            self.output = self.output.rename(self.output.with_name(f"out-{self.moves}.csv"))

    def is_settled(self) -> bool:
        """Whether nothing is left to do: rows are completed, and what is gone has ended."""
        table = self.table()
        wanted, gone = table[: len(self.rows)], table[len(self.rows) :]
        return all(row["status"] == "completed" for row in wanted) and not any(
            row["status"] in ("processing", "submitting") for row in gone
        )

    def table(self) -> list[Row]:
        """The result table."""
        if not self.output.exists():
            return []
        with self.output.open(newline="") as file:
            return list(csv.DictReader(file))

    def check(self) -> list[str]:
        """What is wrong at the end, when every row should be completed."""
        world, wrong = self.world, list(self.violations)
        moment = world.clock.now + 10_000.0
        ads = {i: job.resource(BEGINNING + moment) for i, job in world.api.jobs.items()}
        paid = {i for i, ad in ads.items() if ad["status"] != "failed"}
        table = self.table()
        wanted, gone = table[: len(self.rows)], table[len(self.rows) :]
        names = list(self.rows[0])
        if [{name: row[name] for name in names} for row in wanted] != self.rows:
            wrong.append("the table's rows are not the spreadsheet's")
        if unfinished := [r for r in wanted if r["status"] != "completed"]:
            told = {f"{row['status']}: {row['error']}" for row in unfinished}
            wrong.append(f"{len(unfinished)} rows are not completed: {told}")
        known = Counter(row["image_ad_id"] for row in table if row["status"] == "completed")
        if lost := paid - set(known):
            wrong.append(f"{len(lost)} ads were paid for and are not in the table: {lost}")
        if unknown := {row["image_ad_id"] for row in table} - set(ads) - {""}:
            wrong.append(f"the API does not know {unknown}")
        if shared := [i for i, count in known.items() if count > 1]:
            wrong.append(f"several rows have {shared}")
        if len(paid) != len(wanted) + sum(row["status"] == "completed" for row in gone):
            wrong.append(f"{len(paid)} ads for {len(wanted)} rows and {len(gone)} that are gone")
        for row in table:
            ad = ads.get(row["image_ad_id"])
            if row["status"] == "completed" and ad and (ad["prompt"] or "") != row["prompt"]:
                wrong.append(f"a row has another row's ad: {row['prompt']}")
        billed = sum((world.api.jobs[i].price for i in paid), Decimal(0))
        told_usd = sum((Decimal(row["cost_usd"] or "0") for row in table), Decimal(0))
        if billed != told_usd:
            wrong.append(f"billed {billed} USD, and the table says {told_usd}")
        return wrong + _requests_that_must_not_be(world)


def _requests_that_must_not_be(world: World) -> list[str]:
    wrong = []
    network = world.network
    creates = [sent for sent in network.sent if sent.method == "POST"]
    if any(not sent.key for sent in creates):
        wrong.append("a create without a key")
    if several := [key for key, bodies in network.bodies.items() if len(bodies) > 1]:
        wrong.append(f"several bodies with one key: {several}")
    last: dict[tuple[str, str], float] = {}
    for sent in network.sent:
        if sent.method == "GET" and sent.path.startswith("/v1/image-ads/"):
            place = (sent.process, sent.path)
            if sent.moment - last.get(place, -10.0) < 2.0:
                wrong.append(f"{sent.path} was asked for twice within 2 s")
            last[place] = sent.moment
    return wrong


def new_rows(count: int, word: str = "row") -> list[Row]:
    """Rows that ask for an ad each."""
    return [{**simulated_ids(), "prompt": f"{word} {number}"} for number in range(count)]


def write(place: Path, rows: Sequence[Row]) -> None:
    """Writes a spreadsheet."""
    with place.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
