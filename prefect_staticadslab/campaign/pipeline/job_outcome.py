"""What a job's answer makes of its row: what it costs, what it failed of, where its picture is; and
what to do about an error that stops all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from prefect_staticadslab.api.errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    IdempotencyConflictError,
    InsufficientBalanceError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    StaticAdsLabError,
    UnprocessableError,
    failure_reason,
)
from prefect_staticadslab.api.models import Job
from prefect_staticadslab.api.resources import DesignTemplate
from prefect_staticadslab.campaign.files.cells import plain_text, shortened
from prefect_staticadslab.campaign.pipeline.requests import NotSendableError
from prefect_staticadslab.campaign.rows.json_cells import tree_fingerprint
from prefect_staticadslab.campaign.table.job_state import (
    JobState,
    RowStatus,
    second_ads,
    with_error,
    with_second_ads,
)

REQUEST_ERRORS: Final = (
    BadRequestError,
    NotFoundError,
    NotSendableError,
    PayloadTooLargeError,
    UnprocessableError,
)
"""What is wrong with the request itself: it was not taken, and never will be."""

AD_OF_ANOTHER_ROW: Final = (
    "The API answers with {}, which is the ad of an equal row. If this row should have one of its "
    "own, write 'pending' into status and run it again."
)

TOO_LATE: Final = "It was sent too long ago to be asked for with its key; run it again."
OTHER_KEY: Final = (
    "Another run sends it with another API key. Run it again in two hours, or with "
    "that key at once."
)
BUSY: Final = (
    "Somebody else has the ad rendered at this moment, so it was not changed. Run it again."
)

LONGEST_ERROR: Final = 1000
"""Characters of an error that a table holds; a server may write a book into it."""


@dataclass(frozen=True)
class Decision:
    """What is to be done after an answer or an error, besides recording the attempt's state.

    Attributes:
        send_again: Whether to send the create once more at once, with the attempt's new key.
        stop_creating: Why nothing more can be created with this API key; "" if it can.
        is_unanswered: Whether nothing that the API said decides whether it took the create. Many
            of these one after another are an outage.
    """

    send_again: bool = False
    stop_creating: str = ""
    is_unanswered: bool = False


def is_conflict(error: StaticAdsLabError) -> bool:
    """Whether a 409 is because of what the API has, and not because the key is in use."""
    is_of_key = isinstance(error, IdempotencyConflictError)
    return isinstance(error, ConflictError) and not is_of_key


def with_job(state: JobState, job: Job, *, is_revision: bool = False) -> JobState:
    """A row's state, brought up to date with its job: its status, and what is known with that.
    If the job failed, and another run made a second ad for the row, that is the row's job now.

    Args:
        state: What was known.
        job: The job.
        is_revision: Whether it was begun by a revision, of which nobody knows what it costs.
    """
    facts = {**state.facts, **_template_facts(job)}
    if is_revision and job.current_json_tree is not None:
        # What the API keeps of the tree that was sent; it may write it in another way.
        facts["kept_tree"] = tree_fingerprint(job.current_json_tree)
    state = with_error(replace(state, job_id=job.id, asked_at=None, facts=facts), None)
    ended_at = job.completed_at or datetime.now(UTC)
    if job.is_completed:
        return ended_state(
            state,
            RowStatus.COMPLETED,
            image_url=job.picture_url,
            cost_usd=None if is_revision else job.price_usd,
            width=job.width,
            height=job.height,
            completed_at=ended_at,
        )
    if job.is_failed:
        if others := second_ads(state):
            second = replace(state, status=RowStatus.PROCESSING, job_id=others[0], error=None)
            return with_second_ads(second, others[1:])
        error = job.error
        reason = (
            failure_reason(error.message, error.code, job.job_id) if error else "The job failed."
        )
        return ended_state(
            state, RowStatus.FAILED, error=table_message(reason), completed_at=ended_at
        )
    return replace(state, status=RowStatus.PROCESSING)


def ended_state(state: JobState, status: RowStatus, **known: Any) -> JobState:
    """The state of a row whose attempt is over: without its key, and free if no cost is given.

    Args:
        state: What was known of the row.
        status: How the attempt ended.
        known: Fields of `JobState` that are known now.
    """
    return replace(state.without_key(), status=status, **{"cost_usd": Decimal(0), **known})


def table_message(message: str) -> str:
    """A message as plain text of at most `LONGEST_ERROR` characters."""
    return shortened(plain_text(message), LONGEST_ERROR)


def _template_facts(job: Job) -> dict[str, str]:
    """What a design template's columns say of it; {} for other jobs."""
    if not isinstance(job, DesignTemplate):
        return {}
    known = {
        "reference_image_url": job.reference_image_url,
        "aspect_ratio": job.aspect_ratio,
        "industry": job.industry,
        "ad_format": job.ad_format,
    }
    return {name: value for name, value in known.items() if value}


def stop_reason(error: StaticAdsLabError) -> str:
    """Why nothing more is created after such an error, and what mends it, for people."""
    if isinstance(error, InsufficientBalanceError):
        where = "" if error.top_up_url in str(error) else f" Top it up at {error.top_up_url}"
        return f"The wallet is empty: {error}.{where}"
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return f"{error}. Check the key and its scopes in the Static Ads Lab dashboard."
    return str(error)
