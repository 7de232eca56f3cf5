"""What must be true at every moment, seen from the API and not from the client."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from prefect_staticadslab.api.retries.policy import DEFAULT_MAX_TRIES
from tests.simulation.stories.job_kinds import JobKind, Row
from tests.simulation.world.clock import BEGINNING
from tests.simulation.world.existence import LONGEST_RUN_SECONDS, World
from tests.simulation.world.network import Fault, Sent
from tests.simulation.world.process import Process

POLL_SECONDS: Final = 2.0
"""No ad is asked for again sooner."""

GRACE_SECONDS: Final = 11.0
"""How long a process that was told to end may ask for the answers that it lacks: twice five
seconds, and a moment."""

A_MOMENT: Final = 0.01
"""Within which what was answered is not acted upon by everything."""

WINDOW_SECONDS: Final = 61.0
"""How long a request counts against the rate limit, and a moment."""


MOST_TRIES: Final = 2 * DEFAULT_MAX_TRIES
"""How often a process sends one create that gets no answer: it may ask once more before it ends."""

_IDS: Final = re.compile(rb"\b(?:ia|dt)_[0-9a-f]+")


class Watch:
    """Watches a world, and notes what must not be.

    Args:
        world: The world.
        kind: What jobs its campaign asks for.
    """

    def __init__(self, world: World, kind: JobKind) -> None:
        self.violations: list[str] = []
        self._world = world
        self._kind = kind
        self._bodies: dict[str, bytes] = {}
        self._key_of_process: defaultdict[Process, dict[str, float]] = defaultdict(dict)
        self._asked: dict[tuple[Process, str], float] = {}
        self._tries: Counter[tuple[Process, str]] = Counter()
        self._seen = 0
        world.network.carried_out = self.carried_out
        world.written = self.written

    def carried_out(self, sent: Sent, status: int) -> None:
        """The API has carried out a request: is more under way, or spent, than may be?"""
        # What arrives late may find that a run after it was allowed more.
        processes = self._world.processes
        since = processes[processes.index(sent.process) :]
        if status == 429:
            self._tries[sent.process, sent.key] -= 1
        limit = max(process.visit.limit_usd for process in since)
        if sent.method == "GET" and status == 200 and sent.fault is None:
            self._look_at_read(sent)
        if sent.method == "GET" or status >= 300 or math.isinf(limit):
            return
        now = BEGINNING + self._world.clock.now
        made = self._kind.made(self._world.api).values()
        paid = (m.price for m in made if m.failed_at is None or m.failed_at > now)
        if (spent := sum(paid, Decimal(0))) > Decimal(str(limit)):
            self._wrong(f"{sent.process.name} has spent {spent} USD of {limit} USD")

    def written(self, earlier: bytes, content: bytes) -> None:
        """A table was written: is an ad forgotten that was in it, and does not fail?"""
        if not (self._kind.has_ids and self._world.undoes_nothing):
            return
        made = self._kind.made(self._world.api)
        for identifier in set(_IDS.findall(earlier)) - set(_IDS.findall(content)):
            job = made.get(identifier.decode())
            if job is not None and job.failed_at is None:
                self._wrong(f"a write has undone {identifier.decode()}")

    def look(self) -> None:
        """Looks at what was sent since it last looked."""
        network = self._world.network
        for sent in network.sent[self._seen :]:
            if sent.method != "GET":
                self._look_at_create(sent)
        self._seen = len(network.sent)

    def _look_at_read(self, sent: Sent) -> None:
        # Who revises ads asks for what they look like besides.
        if not sent.path.startswith(self._kind.path) or not self._kind.has_ids:
            return
        for identifier in sent.ids:
            place = (sent.process, identifier)
            if sent.moment - self._asked.get(place, -math.inf) < POLL_SECONDS:
                self._wrong(f"{sent.process.name} asks for {identifier} twice within 2 s", sent)
            self._asked[place] = sent.moment

    def _look_at_create(self, sent: Sent) -> None:
        process = sent.process
        if not sent.key:
            self._wrong(f"{process.name} sends a create without a key", sent)
        if self._bodies.setdefault(sent.key, sent.body) != sent.body:
            self._wrong(f"{process.name} sends another body with the key {sent.key}", sent)
        keys = self._key_of_process[process]
        self._tries[process, sent.key] += sent.fault is not Fault.REFUSED
        if self._tries[process, sent.key] > MOST_TRIES:
            self._wrong(f"{process.name} sends {sent.key} more than {MOST_TRIES} times", sent)
        is_new = sent.key not in keys
        keys.setdefault(sent.key, sent.moment)
        refused_at, told_at = process.refused_at, process.told_at
        if is_new and refused_at is not None and sent.moment > refused_at + A_MOMENT:
            self._wrong(f"{process.name} creates after its key or wallet was refused", sent)
        if told_at is not None and sent.moment > told_at + (A_MOMENT if is_new else GRACE_SECONDS):
            self._wrong(f"{process.name} creates after it was told to end", sent)

    def ended(self, processes: list[Process], began: float) -> None:
        """Looks at a round of processes, once all of them have ended."""
        seconds = self._world.clock.now - began
        asleep = max(p.visit.asleep_seconds * (p.asleep_until > began) for p in processes)
        # The last of them may begin hours after the first.
        waited = max(asleep, sum(p.visit.starts_after for p in processes))
        if seconds > LONGEST_RUN_SECONDS + waited:
            self._wrong(f"a run took {seconds:.0f} s")
        for process in processes:
            if process.error is not None:
                self._wrong(f"{process.name} broke down: {process.error!r}")
        self._look_at_refusals(processes, began)

    def rests(self, processes: list[Process], began: float, table: Sequence[Row]) -> None:
        """Looks at what a round of processes has left of the rows that are wanted.

        A run to which nothing happened has done what it can for each: what is refused has failed.
        """
        network = self._world.network
        met = set(network.faults[bisect_left(network.faulty_at, began) :])
        if met - {Fault.UNKNOWN} or any(map(_was_hindered, processes)):
            return
        # Of several changes of one ad, the later wait for the first.
        may_wait = [row for row in table if "comes first" not in row["error"]]
        if waiting := sum(row["status"] == "pending" for row in may_wait):
            self._wrong(f"{waiting} rows are pending after a run that nothing happened to")

    def _look_at_refusals(self, processes: list[Process], began: float) -> None:
        """Refusals with 429 that neither a stranger nor a fault explains."""
        network = self._world.network
        if len(processes) > 1:
            return
        for moment, process in network.refused_at:
            since = moment - WINDOW_SECONDS
            strangers = since < began and any(
                s.moment > since and s.process is not process for s in network.sent
            )
            if process is not processes[0] or strangers:
                continue
            first_fault = bisect_left(network.faulty_at, since)
            if first_fault == len(network.faulty_at) or network.faulty_at[first_fault] > moment:
                self._wrong(f"{process.name} was refused with 429 at {moment:.3f}, on its own")

    def _wrong(self, what: str, sent: Sent | None = None) -> None:
        when = f"{sent.moment:.3f}: " if sent else ""
        if len(self.violations) < 20:
            self.violations.append(when + what)


def _was_hindered(process: Process) -> bool:
    """Whether a process was ended, refused, or held up."""
    was_ended = process.is_dead or process.told_at is not None or process.asleep_until > 0
    return was_ended or bool(process.refusal) or process.refused_at is not None
