"""What campaigns are made of: image ads, design templates, revisions of ads."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, Final

from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI
from tests.conftest import simulated_ids

Row = dict[str, str]


class Edit(StrEnum):
    """What people do between two runs."""

    SHUFFLE = "sorts the rows anew"
    ADD = "adds a row"
    REPEAT = "copies a row"
    REMOVE = "removes a row"
    CHANGE = "changes a row"
    MOVE = "moves the table"
    LOSE = "deletes the table"
    RESTORE = "puts an older copy of the table in its place"
    UNDO = "takes the last edit of the rows back"


@dataclass(frozen=True)
class Made:
    """A paid job as the API knows it.

    Attributes:
        price: What it costs once it has completed.
        failed_at: When it failed, or will; None if it does not. In seconds since 1970.
        shows: What tells whose it is: a row's `shown`.
    """

    price: Decimal
    failed_at: float | None
    shows: str


@dataclass(frozen=True)
class JobKind:
    """Rows of one kind, and where the API keeps what was made of them.

    Attributes:
        id_column: Where the result table says the job's id.
        new_row: Draws a row, given its number.
        price_of: What a row costs, in USD.
        shown: What its job shows of a row.
        open: The batch of a spreadsheet and an output, for an API at a URL, under a name ("" for
            that of the output).
        made: The paid jobs of the API, by id.
        path: Where the API tells of them.
        edits: What people may do to such a table, without anything being left to them.
        share: Of this many in ten campaigns.
        may_fail: Whether jobs may fail.
        has_ids: Whether the table has the id of every job that has completed.
        may_grow_old: Whether rows that were sent a day ago, or with another API key, are settled.
    """

    id_column: str
    new_row: Callable[[int, random.Random], Row]
    price_of: Callable[[Row], float]
    shown: Callable[[Row], str]
    open: Callable[[str, str, str, str], Batch[Any]]
    made: Callable[[SimulatedAPI], dict[str, Made]]
    path: str = "/v1/image-ads"
    edits: Sequence[Edit] = tuple(e for e in Edit if e not in (Edit.LOSE, Edit.RESTORE, Edit.UNDO))
    share: int = 1
    may_fail: bool = True
    has_ids: bool = True
    may_grow_old: bool = True


@cache
def _ids() -> tuple[tuple[str, str], ...]:
    return tuple(simulated_ids().items())


def new_ad_row(number: int, chance: random.Random | None = None, word: str = "row") -> Row:
    """A row that asks for an ad."""
    row = {**dict(_ids()), "prompt": f"{word} {number}", "editable": ""}
    if chance is not None and chance.random() < 0.1:
        row["editable"] = "true"
    return row


def _price(row: Row) -> float:
    return 4.0 if row["editable"] else 1.0


def _open_campaign(spreadsheet: str, output: str, url: str, name: str) -> Campaign:
    return Campaign.open(spreadsheet, output, base_url=url, name=name)


def _ads(api: SimulatedAPI) -> dict[str, Made]:
    return {
        identifier: Made(
            job.price,
            job.created + job.seconds if job.fails else None,
            job.body.get("prompt") or "",
        )
        for identifier, job in api.jobs.items()
    }


ADS: Final = JobKind(
    "image_ad_id",
    new_ad_row,
    _price,
    lambda row: row["prompt"],
    _open_campaign,
    _ads,
    share=8,
)
