"""How a flow with a table ends: its summary is kept, told, and made into the run's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from prefect_staticadslab.artifacts import keep_summary
from prefect_staticadslab.campaign.batch import Batch
from prefect_staticadslab.campaign.summary import Summary
from prefect_staticadslab.command import CREATED_STATE


async def report(
    batch: Batch[Any],
    summary: Summary,
    *,
    notes: Sequence[str] = (),
    archive: str | None = None,
    is_created_enough: bool = False,
) -> State[None]:
    """Keeps a run's summary as an artifact, and says with which state the run ends.

    Args:
        batch: What was done.
        summary: How it ended.
        notes: What else there is to say.
        archive: Where the pictures are in one file, if they are.
        is_created_enough: Whether the run was not to wait for its jobs.
    """
    await keep_summary(batch, summary)
    lines = [summary.headline(), *summary.notes(), *notes]
    if unsaved := batch.table.unsaved():
        where = f"to {summary.output}. What is not in it:\n{unsaved}"
        return Failed(message="\n".join([*lines, f"THE TABLE COULD NOT BE SAVED {where}"]))
    places = (
        ("Table:", summary.output),
        ("Contact sheet:", summary.contact_sheet),
        ("Pictures:", summary.pictures),
        ("In one file:", archive),
    )
    lines += [f"{name:14} {place}" for name, place in places if place]
    message = "\n".join(lines)
    if summary.is_complete:
        return Completed(message=message)
    if is_created_enough and summary.is_created:
        return Completed(name=CREATED_STATE, message=message)
    return Failed(message=message)
