"""Campaigns in the worst of worlds: `python -m tests.simulation.chaos --campaigns 200 --seed 1`.

Each campaign runs in processes of its own against a simulator in which requests meet with faults
(dropped, cut, slow, refused, answered with HTML). The processes are killed or terminated at random
moments, two may run at once, and in between the spreadsheet is edited, the table is moved, and
sometimes more than a day goes by, so that idempotency keys expire. Afterwards the server's own list
of ads is held against the result table. What is decided by chance comes from the seed; which
request meets a kill is up to the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import json
import logging
import os
import random
import re
import signal
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prefect_staticadslab.api.rate_limit import window, window_length
from prefect_staticadslab.api.retries import key_lock, tries
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pipeline import batch, session, submit_window
from prefect_staticadslab.campaign.pipeline.poll_schedule import Timing
from prefect_staticadslab.campaign.table import checkpoints
from tests.conftest import run_batch, simulated_ids
from tests.support.processes import start

COMPRESSED: dict[Any, dict[str, Any]] = {
    session: {"TIMING": Timing(poll_seconds=0.1, grace_seconds=1.0, work_seconds=0.9)},
    checkpoints: {"CHECKPOINT_SECONDS": 0.1},
    batch: {"CHUNK_JOBS": 5},
    submit_window: {"LEAST_ROWS": 10},
    key_lock: {"REPEAT_SECONDS": 0.25, "WORK_SECONDS": 0.9},
    tries: {"FIRST_BACKOFF_SECONDS": 0.01, "LONGEST_BACKOFF_SECONDS": 0.2},
    window: {"SHORTEST_REFUSAL_WAIT": 0.02},
    window_length: {"FIRST_GUESS_WINDOW": 1.0, "SHORTEST_WINDOW": 0.1},
}
"""Pauses that are seconds in earnest."""

SPEED = 100
LONGEST_RUN_SECONDS = 60
MOST_RUNS = 30
RUNS_IN_DANGER = 6
A_DAY_AND_MORE = timedelta(hours=25)

Row = dict[str, str]

_A_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def _a_day_before(moment: re.Match[str]) -> str:
    before = datetime.fromisoformat(moment[0]) - A_DAY_AND_MORE
    return before.isoformat().replace("+00:00", "Z")


def main(arguments: list[str] | None = None) -> int:
    """Runs campaigns, prints what happened, and returns 1 if any rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.chaos")
    parser.add_argument("--campaigns", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault-rate", type=float, default=0.3)
    parser.add_argument("--workers", type=int, default=4)
    given = parser.parse_args(arguments)
    for module, constants in COMPRESSED.items():
        for name, value in constants.items():
            setattr(module, name, value)
    logging.disable(logging.CRITICAL)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        children = [
            _forked(_work, given, number, Path(folder) / f"{number}.json")
            for number in range(given.workers)
        ]
        ended_well = [os.waitpid(child, 0)[1] == 0 for child in children]
        reports = [json.loads(file.read_text()) for file in Path(folder).glob("*.json")]
    counts: Counter[str] = Counter()
    violations: list[str] = []
    for report in reports:
        counts.update(report["counts"])
        violations += report["violations"]
    if not all(ended_well):
        violations.append("a worker broke down")
    for name in sorted(counts):
        print(f"{name + ':':24}{counts[name]:8}")
    print(f"{'violations:':24}{len(violations):8}")
    print(
        f"seed {given.seed}, {given.fault_rate:.0%} of requests with a fault, "
        f"{time.monotonic() - started:.0f} s"
    )
    for violation in violations:
        print(violation, file=sys.stderr)
    return 1 if violations else 0


def _work(given: argparse.Namespace, number: int, report: Path) -> None:
    """One worker: its own simulator, and its share of the campaigns one after another."""
    counts: Counter[str] = Counter()
    violations: list[str] = []
    with _simulator(given, number) as url, tempfile.TemporaryDirectory() as folder:
        for campaign in range(number, given.campaigns, given.workers):
            (place := Path(folder) / str(campaign)).mkdir()
            trial = _Trial(campaign, place, url, random.Random(f"{given.seed} {campaign}"), counts)
            violations += [f"campaign {campaign}: {what}" for what in trial.run()]
            counts["campaigns"] += 1
        stats = _ask(f"{url}/_simulator/stats")
        if stats.get("creates without a key"):
            violations.append(f"{stats['creates without a key']} creates without a key")
        for name in ("requests", "faults", "creates", "replayed"):
            counts[name] += stats.get(name, 0)
    report.write_text(json.dumps({"counts": counts, "violations": violations}))


class _Trial:
    """One campaign, from its first run to the last, and what is wrong with it then."""

    def __init__(
        self, number: int, folder: Path, url: str, chance: random.Random, counts: Counter[str]
    ) -> None:
        self._number = number
        self._url = url
        self._chance = chance
        self._counts = counts
        self._input, self._output = folder / "in.csv", folder / "out.csv"
        self._ids = simulated_ids()
        self._made = 0
        self._rows = [self._new_row() for _ in range(chance.randint(3, 25))]
        self._rows += [dict(row) for row in self._rows if chance.random() < 0.2]

    def run(self) -> list[str]:
        settled = 0
        for run in range(MOST_RUNS):
            in_danger = run < RUNS_IN_DANGER
            if run and in_danger:
                self._between_runs(run)
            _write(self._input, self._rows)
            if (trouble := self._run_once(in_danger)) is not None:
                return [trouble]
            table = self._table()
            wanted, gone = table[: len(self._rows)], table[len(self._rows) :]
            ended = all(row["status"] == "completed" for row in wanted)
            ended = ended and all(row["status"] != "processing" for row in gone)
            # A row that is gone and may have been sent is looked for once no equal row is on its
            # way; if it has no ad, it stays as it is for two hours.
            settled = settled + 1 if ended else 0
            if not in_danger and (settled > 1 or (ended and not _any_submitting(gone))):
                return self._violations()
        open_rows = [row for row in self._table() if row["status"] != "completed"]
        told = {f"{row['status']}: {row['error']}" for row in open_rows}
        return [f"not finished after {MOST_RUNS} runs: {told}"]

    def _between_runs(self, run: int) -> None:
        chance = self._chance.random()
        if chance < 0.2:
            self._chance.shuffle(self._rows)
        elif chance < 0.3:
            self._rows.append(self._new_row())
        elif chance < 0.4 and len(self._rows) > 1:
            self._rows.pop(self._chance.randrange(len(self._rows)))
        elif chance < 0.5:
            self._chance.choice(self._rows)["prompt"] += " (edited)"
        elif chance < 0.6 and self._output.exists():
            self._output = self._output.rename(self._output.with_name(f"out-{run}.csv"))
        else:
            return
        self._counts["edits"] += 1

    def _run_once(self, in_danger: bool) -> str | None:
        """A run, or two at once, that may be killed. Returns what went wrong besides."""
        if in_danger and self._chance.random() < 0.15 and self._output.exists():
            self._let_a_day_pass()
        together = 2 if in_danger and self._chance.random() < 0.15 else 1
        self._counts["runs"] += together
        children = [
            _forked(_campaign, str(self._input), str(self._output), self._url)
            for _ in range(together)
        ]
        for child in children:
            if in_danger and self._chance.random() < 0.8:
                time.sleep(self._chance.uniform(0, 0.5))
                number = signal.SIGKILL if self._chance.random() < 0.8 else signal.SIGTERM
                self._counts["kills" if number == signal.SIGKILL else "terminations"] += 1
                os.kill(child, number)
        statuses = [_waited(child) for child in children]
        if None in statuses:
            return f"a run took longer than {LONGEST_RUN_SECONDS} s"
        # 1 is an exception; 2 a campaign that was refused because the API did not answer.
        return "a run broke down" if 256 in statuses else None

    def _let_a_day_pass(self) -> None:
        self._counts["days passed"] += 1
        seconds = A_DAY_AND_MORE.total_seconds()
        _ask(f"{self._url}/_simulator/age?seconds={seconds}", method="POST")
        table = self._table()
        for row in table:
            row["submitted_at"] = _A_MOMENT.sub(_a_day_before, row["submitted_at"])
            row["error"] = _A_MOMENT.sub(_a_day_before, row["error"])
        _write(self._output, table)

    def _violations(self) -> list[str]:
        mine = f"campaign {self._number},"
        everything = {ad["id"]: ad for ad in _ask(f"{self._url}/_simulator/ads")}
        made = {i: ad for i, ad in everything.items() if (ad["prompt"] or "").startswith(mine)}
        paid = {i for i, ad in made.items() if ad["status"] != "failed"}
        self._counts["rows"] += len(self._rows)
        self._counts["ads"] += len(paid)
        self._counts["failed jobs"] += len(made) - len(paid)
        table = self._table()
        wanted, gone = table[: len(self._rows)], table[len(self._rows) :]
        known = Counter(row["image_ad_id"] for row in table if row["status"] == "completed")
        wrong = []
        if [{n: row[n] for n in (*self._ids, "prompt")} for row in wanted] != self._rows:
            wrong.append("the table's rows are not the spreadsheet's")
        if extra := paid - set(known):
            wrong.append(f"{len(extra)} ads were paid for and are not in the table: {extra}")
        if unknown := {row["image_ad_id"] for row in table} - set(made) - {""}:
            wrong.append(f"the server does not know {unknown}")
        if double := [i for i, count in known.items() if count > 1]:
            wrong.append(f"several rows have {double}")
        if len(paid) != len(wanted) + sum(row["status"] == "completed" for row in gone):
            wrong.append(f"{len(paid)} ads for {len(wanted)} rows and {len(gone)} that are gone")
        if other := [
            r
            for r in table
            if r["status"] == "completed"
            and made.get(r["image_ad_id"], {}).get("prompt") != r["prompt"]
        ]:
            wrong.append(f"{len(other)} rows have another row's ad")
        billed = sum(ad["price_usd"] for ad in made.values() if ad["status"] == "completed")
        told = sum(float(row["cost_usd"] or 0) for row in table)
        if billed != told:
            wrong.append(f"billed {billed} USD, and the table says {told}")
        return wrong

    def _new_row(self) -> Row:
        self._made += 1
        return {**self._ids, "prompt": f"campaign {self._number}, row {self._made}"}

    def _table(self) -> list[Row]:
        if not self._output.exists():
            return []
        with self._output.open(newline="") as file:
            return list(csv.DictReader(file))


def _any_submitting(rows: list[Row]) -> bool:
    return any(row["status"] == "submitting" for row in rows)


def _campaign(spreadsheet: str, output: str, url: str) -> None:
    """What the campaign flow does, without a Prefect server for each of hundreds of runs."""

    async def collected() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        campaign = Campaign.open(spreadsheet, output, base_url=url)
        await run_batch(campaign, url, preflight=True)

    # A campaign that is terminated or refused is one of the things that happen.
    with contextlib.suppress(asyncio.CancelledError, CampaignError):
        asyncio.run(collected())


@contextmanager
def _simulator(given: argparse.Namespace, number: int) -> Iterator[str]:
    command = ["-m", "prefect_staticadslab.simulator", "--port", "0"]
    command += ["--speed", str(SPEED), "--rate-limit", "1000000", "--rate-window", "1"]
    command += ["--failure-rate", "0.05"]
    command += ["--wallet-usd", "1000000", "--answer-seconds", "0.02"]
    command += ["--fault-rate", str(given.fault_rate), "--seed", f"{given.seed}{number}"]
    with start(*command, env=os.environ, stderr=None) as server:
        assert server.stdout is not None
        lines = [server.stdout.readline().strip() for _ in range(3)]
        try:
            yield lines[-1]
        finally:
            server.terminate()


def _forked(work: Any, *arguments: Any) -> int:
    """Does work in a process of its own, which costs a millisecond, and returns its id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work(*arguments)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    os._exit(status)


def _waited(child: int) -> int | None:
    """A process's wait status, once it ends; None, and no process any more, if it does not."""
    deadline = time.monotonic() + LONGEST_RUN_SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _ask(url: str, method: str = "GET") -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
        return json.load(answer)


def _write(place: Path, rows: list[Row]) -> None:
    with place.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
