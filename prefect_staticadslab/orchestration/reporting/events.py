"""Events for Prefect's automations: the API has no webhooks, and these are the substitute.

| event | when |
|---|---|
| `staticadslab.campaign.started` | the rows are checked, and creating begins |
| `staticadslab.campaign.completed` | every row is completed |
| `staticadslab.campaign.created` | every ad is created, and the run was not to wait |
| `staticadslab.campaign.incomplete` | the run is at its end, and some rows are not completed |
| `staticadslab.campaign.interrupted` | the run was cancelled or stopped; all is recorded |
| `staticadslab.image-ad.failed` | a row failed; at most 20 of a run |

The resource is the campaign, `staticadslab.campaign.…`, the same in all of its runs, or the ad;
Prefect adds the flow run, its deployment and tags as related ones. Batches of other jobs have
`staticadslab.design-templates.…` and `staticadslab.revisions.…` for `staticadslab.campaign.…`; the
event of a row that failed is the same.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from prefect.events import emit_event

from prefect_staticadslab.campaign.errors import SPREADSHEET_WORDS, Words
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.reports.summary import Summary
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.job_type import CampaignRow
from prefect_staticadslab.orchestration.reporting.contents import without_markup

LONGEST_TEXT: Final = 1000
"""Characters of a message or an error in an event."""

Payload = dict[str, Any]


def emit_started(batch: Batch[Any], plan: Plan, organization: str) -> None:
    """Emits the event that a batch begins to be created.

    Args:
        batch: The batch.
        plan: What there is to do.
        organization: Whose API key it is.
    """
    _emit_batch_event(
        batch,
        "started",
        {
            "rows": plan.rows,
            "already_completed": plan.completed,
            "to_create": plan.creates,
            "new_usd": float(plan.new_usd),
            "organization": organization,
        },
    )


def emit_ended(batch: Batch[Any], ending: str, summary: Summary) -> None:
    """Emits the event that a run of a batch is at its end.

    Args:
        batch: The batch.
        ending: `completed`, `created`, `incomplete` or `interrupted`, as in the event's name.
        summary: How it ended.
    """
    _emit_batch_event(
        batch,
        ending,
        {
            "message": _shorten(summary.headline()),
            "contact_sheet": summary.contact_sheet or "",
            "pictures": summary.pictures or "",
            "rows": summary.rows,
            **{str(status): count for status, count in summary.counts.items()},
            "cost_usd": float(summary.cost_usd),
            "seconds": round(summary.seconds, 1),
        },
    )


def emit_failure(
    batch: Batch[Any], row: CampaignRow[Any], state: JobState, words: Words = SPREADSHEET_WORDS
) -> None:
    """Emits the event that a row failed, of the kind `image-ad` whatever the batch's jobs are.

    Args:
        batch: The row's batch.
        row: The row.
        state: What is known of it, with its error.
        words: What people call rows.
    """
    called = f"{words.row.capitalize()} {row.number}"
    name = batch.table.job_type.name
    job = state.job_id or f"{name}-{_batch_key(batch)}.row-{row.number}"
    emit_event(
        event="staticadslab.image-ad.failed",
        resource={
            "prefect.resource.id": f"staticadslab.image-ad.{job}",
            "prefect.resource.name": f"{called} of {without_markup(batch.title)}",
        },
        related=[{**_batch_resource(batch), "prefect.resource.role": "campaign"}],
        payload={
            "row": row.number,
            "image_ad_id": state.job_id or "",
            "error": _shorten(state.error or ""),
            "attempts": state.attempts,
            "table": batch.table.location or "",
        },
    )


def _emit_batch_event(batch: Batch[Any], what_happened: str, payload: Payload) -> None:
    """Emits an event of a batch, with its name and the place of its table besides `payload`."""
    emit_event(
        event=f"staticadslab.{batch.table.job_type.name}.{what_happened}",
        resource=_batch_resource(batch),
        payload={"campaign": batch.name, "table": batch.table.location or "", **payload},
    )


def _batch_resource(batch: Batch[Any]) -> dict[str, str]:
    """A batch as a resource of Prefect's events: its id, which stays, and its title."""
    return {
        "prefect.resource.id": f"staticadslab.{batch.table.job_type.name}.{_batch_key(batch)}",
        "prefect.resource.name": without_markup(batch.title),
    }


def _batch_key(batch: Batch[Any]) -> str:
    """By what automations know a campaign, such as `sale-csv-1b2c3d4e`: the same in all of its
    runs, and no other's. It has lower case letters, digits and dashes."""
    name = batch.name
    readable = re.sub(r"[^a-z0-9]+", "-", name.rsplit("/", 1)[-1].lower()).strip("-")[:40]
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return "-".join(part for part in (readable.strip("-"), digest) if part)


def _shorten(text: str) -> str:
    """A text cut to `LONGEST_TEXT` characters, with an ellipsis where it was cut."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
