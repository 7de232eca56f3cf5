"""What a campaign's run and its workers tell each other, and what carries it.

A worker has no table. So it asks before it sends anything, and sends once the run says that the
rows are on disk; it tells what it knows of each row as it learns it; and it hears that the run is
cancelled. Nothing here knows of Prefect, Dask or Ray.
"""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from prefect_staticadslab.campaign.table.job_state import JobState

PAUSE_SECONDS: Final = 0.5
"""How often each side looks into its mailbox."""

HEARTBEAT_SECONDS: Final = 10.0
"""How often a worker is heard of that has nothing to tell."""


class Mailboxes(Protocol):
    """Boxes that both sides reach, each by its name. What is put in comes out in that order.

    They are pickled on their way to a worker. A call may block for seconds, so it belongs into a
    thread; and it may raise whatever the cluster raises that cannot be reached.
    """

    def put(self, box: str, message: bytes) -> None:
        """Puts a message into a box."""

    def take(self, box: str) -> list[bytes]:
        """Takes out what is in a box at this moment; returns at once, also if that is nothing."""

    def close(self, box: str) -> None:
        """The box is not used any more by whoever calls this."""


@dataclass(frozen=True)
class Report:
    """What a worker tells.

    Attributes:
        chunk: Which chunk it works on.
        box: Where it is to be answered: a box for each time that a chunk is begun, so that what a
            lost worker told is not taken for what its successor tells.
        number: Counts the reports from this box, from 0.
        states: What is known by now of rows, by their positions.
        ask: Counts what was asked from this box, from 1; 0 if nothing is asked. A report that
            may not have arrived is told once more, with what it asked.
        to_send: What is asked: the rows that are to be sent once they are on disk.
        to_look: What is asked instead: of which rows other runs have written something.
        is_stopping: Whether it has heard that the run is cancelled, and sends nothing more.
    """

    chunk: str
    box: str
    number: int
    states: Mapping[int, JobState] = field(default_factory=dict)
    ask: int = 0
    to_send: Mapping[int, JobState] = field(default_factory=dict)
    to_look: Collection[int] = ()
    is_stopping: bool = False


@dataclass(frozen=True)
class Answer:
    """What the run answers to a worker that asked whether it may send, or what others have written.

    Attributes:
        ask: What is answered.
        known: What is on disk of these rows by now; of those that it only looks at, what is new.
        refusal: Why nothing must be sent; "" if it may.
    """

    ask: int
    known: Mapping[int, JobState] = field(default_factory=dict)
    refusal: str = ""


@dataclass(frozen=True)
class Stop:
    """The run is cancelled: nothing more is to be created."""


def encode(message: Report | Answer | Stop) -> bytes:
    """A message as bytes, which every cluster carries."""
    return pickle.dumps(message)


def decode(message: bytes) -> Report | Answer | Stop:
    """The message of `encode`.

    Whoever can write into a cluster's mailboxes can run code on its workers and in its clients
    anyway: tasks and results go to and fro as pickles.
    """
    decoded = pickle.loads(message)  # noqa: S301
    assert isinstance(decoded, Report | Answer | Stop)  # noqa: S101
    return decoded
