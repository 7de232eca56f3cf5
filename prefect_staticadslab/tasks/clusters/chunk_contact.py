"""What a run knows of its exchange with the worker that has a chunk, or will have it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.tasks.clusters.messages import Report


@dataclass
class Question:
    """What a worker asked, and what it is answered, also when it asks once more.

    Attributes:
        report: The first report with it that came.
        to_tell: The positions of the rows whose states it is told; None until that is known.
        perhaps_sent: Those of them that a lost worker may have sent.
        held_back: Those of them that must not be sent, and the states that keep them from it, by
            position; see `OtherRuns.state_to_send`.
        refusal: Why they could not be looked up or marked; "" if they could.
    """

    report: Report
    to_tell: set[int] | None = None
    perhaps_sent: set[int] = field(default_factory=set)
    held_back: Mapping[int, JobState] = field(default_factory=dict)
    refusal: str = ""


@dataclass
class ChunkContact:
    """How far the exchange is with the worker that has a chunk, or will have it.

    Attributes:
        registered_at: When it began to wait for a worker, by the coordinator's clock.
        worker_box: The worker's mailbox; "" before one has begun.
        seen_boxes: The mailboxes of all workers that were heard of.
        last_report_number: The highest number of a report from that box; -1 before the first.
        questions: What was asked from that box, without what the worker waits for no more; by
            number.
        last_report_at: When the last report from that box came, by the coordinator's clock.
        asked_from: From which box each row was last asked to be marked, by its position.
        is_ended: Whether its result is here, or nobody waits for it any more.
        look_lock: Held while it is looked up what other runs have written: in the order in which
            that was asked, so that an answer has all that earlier ones had.
    """

    registered_at: float
    worker_box: str = ""
    seen_boxes: set[str] = field(default_factory=set)
    last_report_number: int = -1
    questions: dict[int, Question] = field(default_factory=dict)
    last_report_at: float = 0.0
    asked_from: dict[int, str] = field(default_factory=dict)
    is_ended: bool = False
    look_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def is_late(self, box: str) -> bool:
        """Whether nobody waits for a worker any more: the chunk has ended, or another worker has
        it. A worker that was not heard of before has the chunk from now on."""
        # Whatever the number of its report: the first one may be lost.
        if box not in self.seen_boxes:
            self.seen_boxes.add(box)
            self.worker_box, self.last_report_number, self.questions = box, -1, {}
        return self.is_ended or box != self.worker_box

    def note_question(self, report: Report) -> Question | None:
        """Notes a report's question, and returns it if it was not asked before, else None.

        Answers that the worker does not wait for any more are forgotten.
        """
        self.questions = {n: q for n, q in self.questions.items() if n in report.unanswered}
        if not report.question or report.question in self.questions:
            return None
        self.questions[report.question] = question = Question(report)
        return question

    def unheard_news(self, report: Report) -> set[int]:
        """Those of the rows that a report asks to look up of which the answers to earlier looks
        told something, if the worker has not heard these answers."""
        looks = [q for q in self.questions.values() if q.report.to_look and q.to_tell]
        earlier = [q.to_tell or set() for q in looks if q.report.question in report.unanswered]
        return set().union(*earlier).intersection(report.to_look)
