"""A campaign's story: its rows, the runs that bring it forward, and what must be true then."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from prefect_staticadslab import StaticAdsLabClient
from prefect_staticadslab.campaign.campaign import prepare, run
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.pipeline.chunk_run import generate
from prefect_staticadslab.campaign.pipeline.chunks import Chunk
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.campaign.pipeline.session import shared_session
from tests.simulation.stories.invariants import Watch
from tests.simulation.stories.job_kinds import ADS, Edit, JobKind, Made, Row
from tests.simulation.world.existence import World
from tests.simulation.world.process import Process, Visit


class Story:
    """One campaign in a world.

    Args:
        world: Where it happens.
        rows: The spreadsheet's rows.
        kind: What they ask for.

    Attributes:
        violations: What was not as it must be.
    """

    def __init__(self, world: World, rows: Sequence[Row], kind: JobKind = ADS) -> None:
        self.world = world
        self.rows = [dict(row) for row in rows]
        self.kind = kind
        self.watch = Watch(world, kind)
        self.spreadsheet = world.folder / "in.csv"
        self.output = world.place("out.csv")
        self._edits = 0
        self._copies: list[bytes] = []
        self._before = self.rows

    def run(self, *visits: Visit, order: Sequence[int] = ()) -> list[Process]:
        """Runs the campaign in so many processes side by side; see `World.run`."""
        write(self.spreadsheet, self.rows)
        self._copies += filter(None, [self.output.read()])
        began = self.world.clock.now
        processes = self.world.run(self._run_campaign, visits or (Visit(),), order)
        self.watch.look()
        self.watch.ended(processes, began)
        if not self.world.write_failed:
            self.watch.rests(processes, began, self.table()[: len(self.rows)])
        return processes

    async def _run_campaign(
        self, process: Process, url: str, new_client: Callable[[str, str], StaticAdsLabClient]
    ) -> list[ImageAdResult]:
        """What a flow does, without Prefect."""
        visit = process.visit
        if visit.edit:
            self.edit(Edit(visit.edit))
            write(self.spreadsheet, self.rows)
        batch = self.kind.open(str(self.spreadsheet), str(self.output), url, visit.campaign_name)
        return await run_batch(batch, url, process, new_client)

    def edit(self, edit: Edit) -> None:
        """Somebody changes something."""
        self._edits += 1
        number = 1000 * self._edits
        chance = random.Random(number + len(self.rows))
        row = chance.randrange(len(self.rows))
        self.world.log(f"somebody {edit}")
        before = [dict(row) for row in self.rows]
        match edit:
            case Edit.SHUFFLE:
                chance.shuffle(self.rows)
            case Edit.ADD:
                self.rows.append(self.kind.new_row(number, chance))
            case Edit.REPEAT:
                self.rows.append(dict(self.rows[row]))
            case Edit.REMOVE if len(self.rows) > 1:
                del self.rows[row]
            case Edit.CHANGE:
                self.rows[row] = self.kind.new_row(number, chance)
            case Edit.MOVE:
                self.output = self.output.renamed(f"out-{self._edits}.csv")
            case Edit.LOSE:
                self.output.delete()
            case Edit.RESTORE if self._copies:
                self.output.write(chance.choice(self._copies))
            case Edit.UNDO:
                self.rows = self._before
        self._before = before

    def is_settled(self) -> bool:
        """Whether nothing is left to do: rows are completed, and what is gone has ended."""
        table = self.table()
        wanted, gone = table[: len(self.rows)], table[len(self.rows) :]
        return all(row["status"] == "completed" for row in wanted) and not any(
            row["status"] in ("processing", "submitting") for row in gone
        )

    def table(self) -> list[Row]:
        """The result table."""
        content = self.output.read()
        return list(csv.DictReader(io.StringIO((content or b"").decode("utf-8-sig"))))

    def check(self) -> list[str]:
        """What is wrong at the end, when every row should be completed."""
        wrong = list(self.watch.violations)
        made = self.kind.made(self.world.api)
        paid = {i: job for i, job in made.items() if job.failed_at is None}
        table, id_column = self.table(), self.kind.id_column
        wanted, gone = table[: len(self.rows)], table[len(self.rows) :]
        names = list(self.rows[0])
        if [{name: row[name] for name in names} for row in wanted] != self.rows:
            wrong.append("the table's rows are not the spreadsheet's")
        if unfinished := [r for r in wanted if r["status"] != "completed"]:
            told = {f"{row['status']}: {row['error']}" for row in unfinished}
            wrong.append(f"{len(unfinished)} rows are not completed: {told}")
        if not self.kind.has_ids:
            return wrong + self._wrong_changes(table, made)
        known = Counter(row[id_column] for row in table if row["status"] == "completed")
        if lost := paid.keys() - set(known):
            wrong.append(f"{len(lost)} were paid for and are not in the table: {lost}")
        if unknown := {row[id_column] for row in table} - set(made) - {""}:
            wrong.append(f"the API does not know {unknown}")
        if shared := [i for i, count in known.items() if count > 1]:
            wrong.append(f"several rows have {shared}")
        completed = len(wanted) + sum(row["status"] == "completed" for row in gone)
        if len(paid) != completed:
            wrong.append(f"{len(paid)} for {len(wanted)} rows and {len(gone)} that are gone")
        return wrong + self._wrong_cells(table, made, paid)

    def _wrong_changes(self, table: Sequence[Row], made: dict[str, Made]) -> list[str]:
        shown = Counter(job.shows for job in made.values())
        wanted = Counter(self.kind.shown(row) for row in table if row["status"] == "completed")
        wrong = [f"{what} was made {n} times" for what, n in (shown - wanted).items()]
        return wrong + [f"{what} was never made" for what in wanted - shown]

    def _wrong_cells(
        self, table: Sequence[Row], made: dict[str, Made], paid: dict[str, Made]
    ) -> list[str]:
        wrong = []
        for row in table:
            job = made.get(row[self.kind.id_column])
            if row["status"] == "completed" and job and job.shows != self.kind.shown(row):
                wrong.append(f"a row has what another one asked for: {self.kind.shown(row)}")
        billed = sum((job.price for job in paid.values()), Decimal(0))
        told_usd = sum((Decimal(row["cost_usd"] or "0") for row in table), Decimal(0))
        if billed != told_usd:
            wrong.append(f"billed {billed} USD, and the table says {told_usd}")
        return wrong


async def run_batch(
    batch: Batch[Any],
    url: str,
    process: Process,
    new_client: Callable[[str, str], StaticAdsLabClient],
) -> list[ImageAdResult]:
    """Brings a batch forward, as a process was told to."""
    visit = process.visit
    async with (
        new_client(visit.api_key, url) as client,
        shared_session(visit.api_key, url) as session,
    ):
        prepared = await prepare(
            batch, [client], max_spend_usd=visit.limit_usd, preflight=visit.preflight
        )
        batch.table.save_now()

        async def run_chunk(chunk: Chunk) -> list[ImageAdResult]:
            return await generate(session, chunk.jobs, journal=batch.table, attempts=visit.attempts)

        async with batch.table.checkpoints(process.said.append):
            return await run(prepared, run_chunk, weights={client.api_key_hash: 1.0})


def write(place: Path, rows: Sequence[Row]) -> None:
    """Writes a spreadsheet."""
    with place.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
