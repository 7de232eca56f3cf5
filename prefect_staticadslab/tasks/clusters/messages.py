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
"""How often each side takes out what is in its mailbox."""

HEARTBEAT_SECONDS: Final = 10.0
"""How often a worker reports that has nothing new to tell."""

TAKEN_OVER: Final = "Another worker has taken over, so this one sends nothing more."
CANCELLED: Final = "The run was cancelled, so nothing more is sent."


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
        """Gives up a box that this side uses no more."""


@dataclass(frozen=True)
class Report:
    """What a worker tells the run that has the table, and perhaps asks it.

    Attributes:
        chunk_id: Which chunk it works on.
        box: Where it is to be answered: a box for each time that a chunk is begun, so that what a
            lost worker told is not taken for what its successor tells.
        number: Counts the reports from this box, from 0.
        states: What has become known of rows since the last report, by their positions.
        question: Counts what was asked from this box, from 1; 0 if nothing is asked. As long as no
            answer comes it is asked again, in a report with a new number.
        to_send: What is asked: to mark these rows as about to be sent, by their positions.
        to_look: What is asked instead: what other runs have written of these positions.
        unanswered: The questions whose answers have not arrived: those that are waited for, and
            looks that were given up, as what they had found is still to be told.
        is_stopping: Whether it has heard that the run is cancelled, and sends nothing more.
    """

    chunk_id: str
    box: str
    number: int
    states: Mapping[int, JobState] = field(default_factory=dict)
    question: int = 0
    to_send: Mapping[int, JobState] = field(default_factory=dict)
    to_look: Collection[int] = ()
    unanswered: Collection[int] = ()
    is_stopping: bool = False


@dataclass(frozen=True)
class Answer:
    """The run's answer to a worker that asked whether it may send, or what other runs have written.

    Attributes:
        question: The number of the question that is answered.
        known: What is on disk by now of the rows that are to be sent; or, of those that were looked
            up, what is new. By their positions, and empty if it is refused.
        refusal: Why nothing must be sent; "" if it may.
    """

    question: int
    known: Mapping[int, JobState] = field(default_factory=dict)
    refusal: str = ""


@dataclass(frozen=True)
class Stop:
    """The run is cancelled: nothing more is to be created."""


def encode(message: Report | Answer | Stop) -> bytes:
    """A message as bytes, which every cluster carries."""
    return pickle.dumps(message)


def decode(message: bytes) -> Report | Answer | Stop:
    """The message that `encode` made bytes of. Unpickling them runs code, if they say so.

    Whoever can write into a cluster's mailboxes can run code on its workers and in its clients
    anyway: tasks and results go to and fro as pickles.
    """
    decoded = pickle.loads(message)  # noqa: S301
    assert isinstance(decoded, Report | Answer | Stop)  # noqa: S101
    return decoded
