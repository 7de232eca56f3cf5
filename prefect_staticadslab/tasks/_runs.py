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
    """Options of a task that is retried four times after these errors, and never cached.

    That is beyond the client's own retries, which take about a minute: it outlasts an outage of a
    quarter of an hour. After other errors, such as a failed job's, the task fails at once.
    """

    async def failed_with_one_of_them(
        _task: Task[Any, Any], _run: TaskRun, state: State[Any]
    ) -> bool:
        """Whether the task run is to be retried."""
        outcome = await state.aresult(raise_on_failure=False)
        return isinstance(outcome, errors)

    return {
        "retries": 4,
        "retry_delay_seconds": exponential_backoff(backoff_factor=30),
        "retry_jitter_factor": 0.2,
        "retry_condition_fn": failed_with_one_of_them,
        "cache_policy": NO_CACHE,
    }


RETRIES: Final = retries_on(*TRANSIENT_ERRORS)
"""Options of a task that is retried after `TRANSIENT_ERRORS`."""


def task_run_key() -> str:
    """An idempotency key that is the same in all retries of this task run.

    Outside of a task run it is a random one, another with each call.
    """
    return f"task-run-{task_run.id or uuid.uuid4()}"


REMEMBERED_RUNS: Final = 10_000
"""How many tries of runs triggers are counted for, those that triggered last: more than a process
ever has at once."""

_trigger_counts_lock = threading.Lock()
_trigger_counts: OrderedDict[tuple[str, int], Counter[str]] = OrderedDict()
"""How often each request, by its digest, was triggered so far: by the id of the task run or flow
run, and the number of its try."""


def next_trigger_key(request: ImageAdRequest) -> str:
    """Counts a trigger of this request in the present run, and returns its idempotency key.

    The key is made of the task run, or else the flow run, of the request, and of how many equal
    requests this try of the run has triggered by now. So it is the same in all retries of the run,
    even if triggers that go side by side come in another order. Outside of a run it is random.
    """
    run, tries = task_run.id, task_run.run_count
    kind = "task"
    if not run:
        run, tries, kind = flow_run.id, flow_run.run_count, "flow"
    if not run:
        return str(uuid.uuid4())
    digest = hashlib.sha256(json.dumps(request.body(), sort_keys=True).encode()).hexdigest()[:16]
    with _trigger_counts_lock:
        counts = _trigger_counts.setdefault((run, tries or 0), Counter())
        # A run that goes on is not the one to forget.
        _trigger_counts.move_to_end((run, tries or 0))
        counts[digest] += 1
        occurrence = counts[digest]
        while len(_trigger_counts) > REMEMBERED_RUNS:
            _trigger_counts.popitem(last=False)
    return f"{kind}-run-{run}-{digest}-{occurrence}"
