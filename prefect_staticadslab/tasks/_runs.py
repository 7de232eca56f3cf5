"""What every task here shares: when it is tried again, and what its idempotency keys hang on."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections import Counter, OrderedDict
from typing import Any, Final

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run, task_run
from prefect.tasks import Task, exponential_backoff

from prefect_staticadslab.api.errors import (
    APIConnectionError,
    IdempotencyConflictError,
    RateLimitError,
    ServerError,
    UnreadableAnswerError,
)
from prefect_staticadslab.api.models import ImageAdRequest

TRANSIENT_ERRORS: Final = (
    APIConnectionError,
    IdempotencyConflictError,
    UnreadableAnswerError,
    ServerError,
    RateLimitError,
)
"""Errors that may be over by the next try."""


def retries_on(*errors: type[Exception]) -> dict[str, Any]:
    """Options of a task that is tried again after these errors; a failed job is none of them.

    It is beyond the client's own retries, which take about a minute: an outage of a quarter of an
    hour.
    """

    async def may_pass(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
        outcome = await state.aresult(raise_on_failure=False)
        return isinstance(outcome, errors)

    return {
        "retries": 4,
        "retry_delay_seconds": exponential_backoff(backoff_factor=30),
        "retry_jitter_factor": 0.2,
        "retry_condition_fn": may_pass,
        "cache_policy": NO_CACHE,
    }


RETRIES: Final = retries_on(*TRANSIENT_ERRORS)


def run_id() -> str:
    """The task run's id, the same in all its retries; without a run, one that is drawn."""
    return str(task_run.id or uuid.uuid4())


def run_key() -> str:
    """An idempotency key that is the same in all retries of this task run."""
    return f"task-run-{run_id()}"


REMEMBERED_RUNS: Final = 10_000
"""More than a process ever has at once."""

_lock = threading.Lock()
_triggered: OrderedDict[tuple[str, int], Counter[str]] = OrderedDict()
"""What was asked for so far, by run and by how often that was started."""


def key_of_trigger(request: ImageAdRequest) -> str:
    """The same for the same request at the same place of a run, in all of that run's retries.

    A place is not a number in the order of the triggers, which side by side may change with every
    try: it is the request, and how many equal ones this try has already made.
    """
    run, tries = task_run.id, task_run.run_count
    kind = "task"
    if not run:
        run, tries, kind = flow_run.id, flow_run.run_count, "flow"
    if not run:
        return str(uuid.uuid4())
    digest = hashlib.sha256(json.dumps(request.body(), sort_keys=True).encode()).hexdigest()[:16]
    with _lock:
        so_far = _triggered.setdefault((run, tries or 0), Counter())
        so_far[digest] += 1
        occurrence = so_far[digest]
        while len(_triggered) > REMEMBERED_RUNS:
            _triggered.popitem(last=False)
    return f"{kind}-run-{run}-{digest}-{occurrence}"
