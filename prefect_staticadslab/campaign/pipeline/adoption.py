"""Rows that may have been sent, and whose idempotency keys may have expired since.

A row that an earlier run left `submitting` is sent again with the same key, and the API answers
with the ad that there is. Keys are kept for 24 hours, and for one API key. After that, or with
another API key, the same key makes another ad, so the first one is looked for through the list
filters, and adopted if it is there.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.api.models import ImageAd, ImageAdRequest
from prefect_staticadslab.campaign.files.cells import plain_text
from prefect_staticadslab.campaign.pipeline.job_outcome import with_job
from prefect_staticadslab.campaign.table.job_state import (
    SENT_WITHIN,
    TRUSTED_LIFETIME,
    JobState,
    RowStatus,
)
from prefect_staticadslab.campaign.table.result_table import JobTable

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

CLOCKS_DIFFER: Final = timedelta(minutes=10)
"""How far two readings of the API's clock may be apart."""

MAY_STILL_COME: Final = 2 * SENT_WITHIN
"""How long after it was last marked a row's ad may still come into being."""

STILL_ON_ITS_WAY: Final = (
    "It was sent by another run, with another API key, and may still be created. "
    "Run it again in two hours, or with that key at once."
)
NEVER_CREATED: Final = "It was sent by a run that was interrupted, and was never created."
EQUAL_ROW_FIRST: Final = "An equal row is asked for first. Run it again to settle this one."

_FILTERS: Final = ("design_template_id", "brand_id", "product_id")
_SHOWN_IDS: Final = 5


@dataclass(frozen=True)
class SentRow:
    """A row that may have been sent: its place in the table, its request, and when at all."""

    position: int
    request: ImageAdRequest
    since: datetime | None
    until: datetime | None = None

    @property
    def visible(self) -> tuple[object, ...]:
        """What an ad of the API shows of the request that made it."""
        r = self.request
        ids = (r.design_template_id, r.brand_id, r.product_id, r.audience_id, r.product_variant_id)
        return (*ids, _comparable(r.prompt), r.editable)


@dataclass
class Verdict:
    """What became of rows that may have been sent.

    Attributes:
        adopted: The ad of a row, by the row's position.
        not_found: Rows that have none, and may be created again.
        ambiguous: Rows of which nobody can say, and the ads that could be theirs.
    """

    adopted: dict[int, ImageAd] = field(default_factory=dict)
    not_found: list[int] = field(default_factory=list)
    ambiguous: dict[int, tuple[str, ...]] = field(default_factory=dict)


def match(sent: Sequence[SentRow], ads: Sequence[ImageAd], taken: frozenset[str]) -> Verdict:
    """Decides whose ads these are.

    An ad is a row's if it shows the row's request and was created when the row may have been sent.
    Equal rows share equal ads among them. If there are more ads than rows, or rows differ in what
    an ad does not show, nobody can say.

    Args:
        sent: The rows.
        ads: What the API has; failed ads are free, and belong to nobody.
        taken: Ids that other rows of the table have.
    """
    verdict = Verdict()
    groups: dict[tuple[object, ...], list[SentRow]] = defaultdict(list)
    for row in sent:
        groups[row.visible].append(row)
    free = {ad.id: ad for ad in ads if ad.id not in taken and not ad.is_failed}
    for rows in groups.values():
        candidates = sorted(
            (ad for ad in free.values() if any(_fits(row, ad) for row in rows)),
            key=lambda ad: (ad.created_at or datetime.max.replace(tzinfo=UTC), ad.id),
        )
        bodies = {json.dumps(row.request.body(), sort_keys=True) for row in rows}
        if candidates and (len(candidates) > len(rows) or len(bodies) > 1):
            ids = tuple(ad.id for ad in candidates)
            verdict.ambiguous |= {row.position: ids for row in rows}
            continue
        for row, ad in zip(rows, candidates, strict=False):
            verdict.adopted[row.position] = ad
        verdict.not_found += [row.position for row in rows[len(candidates) :]]
    return verdict


@dataclass(frozen=True)
class Adoption:
    """How many rows were looked for and found, and the positions of those to leave alone."""

    looked_for: int = 0
    found: int = 0
    held: Mapping[int, str] = field(default_factory=dict)


async def adopt(
    client: StaticAdsLabClient,
    table: JobTable[ImageAdRequest],
    now: datetime | None = None,
    *,
    api_key_hashes: frozenset[str] = frozenset(),
) -> Adoption:
    """Finds the ads of rows that may have been sent and whose keys may have expired.

    Args:
        client: Whom to ask.
        table: The table.
        now: The time; by default the API's.
        api_key_hashes: What stands for the API keys that this run uses, besides the client's.

    Raises:
        StaticAdsLabError: The API could not be asked, so nothing must be created.
    """
    began = now or client.now()
    lost, equal_rows = _lost(table, api_key_hashes | {client.api_key_hash}, began)
    held = dict.fromkeys(equal_rows, EQUAL_ROW_FIRST)
    if lost:
        ads: list[ImageAd] = []
        asked = {tuple(getattr(row.request, name) for name in _FILTERS) for row in lost}
        for ids in sorted(asked):
            filters = dict(zip(_FILTERS, ids, strict=True))
            ads += [ad async for ad in client.list_image_ads(**filters)]
        now = now or client.now()  # the answers have told how late it is there
        taken = frozenset(s.job_id for s in table.states if s.job_id)
        verdict = match(lost, ads, taken)
        for position, ad in verdict.adopted.items():
            state = replace(table.states[position], submitted_at=ad.created_at or now)
            table.update(position, with_job(state, ad))
        for position in verdict.not_found:
            if _may_still_come(table.states[position], now):
                if not table.rows[position].removed:
                    held[position] = STILL_ON_ITS_WAY
            else:
                table.note_never_sent(position, NEVER_CREATED)
        held |= {position: _question(ids) for position, ids in verdict.ambiguous.items()}
    for position, reason in held.items():
        table.update(position, replace(table.states[position], error=reason))
    found = sum(s.job_id is not None for s in (table.states[row.position] for row in lost))
    return Adoption(looked_for=len(lost), found=found, held=held)


def _lost(
    table: JobTable[ImageAdRequest], api_key_hashes: frozenset[str], now: datetime
) -> tuple[list[SentRow], list[int]]:
    """The rows to look for, and those that must wait for an equal row to be answered first."""
    alive: set[tuple[object, ...]] = set()
    lost: list[SentRow] = []
    for position, (row, state) in enumerate(zip(table.rows, table.states, strict=True)):
        if state.status is not RowStatus.SUBMITTING:
            continue
        sent = SentRow(position, row.request, state.submitted_at, _last_asked(state))
        # Asking for a row that is gone with its key might create what nobody wants any more; and
        # another API key's idempotency keys are not ours.
        # A row of which somebody deleted that is taken for ours if there is only one key.
        api_key_hash = state.api_key_hash
        ours = api_key_hash in api_key_hashes or (api_key_hash is None and len(api_key_hashes) == 1)
        if row.removed or not ours or _expired(state, now):
            lost.append(sent)
        else:
            alive.add(sent.visible)
    wait = [row.position for row in lost if row.visible in alive]
    return [row for row in lost if row.visible not in alive], wait


def _expired(state: JobState, now: datetime) -> bool:
    return state.submitted_at is None or now - state.submitted_at > TRUSTED_LIFETIME


def _last_asked(state: JobState) -> datetime | None:
    return state.asked_at or state.submitted_at


def _may_still_come(state: JobState, now: datetime) -> bool:
    asked = _last_asked(state)
    return asked is not None and now - asked < MAY_STILL_COME


def _fits(row: SentRow, ad: ImageAd) -> bool:
    request = row.request
    ids = ("design_template_id", "brand_id", "product_id", "audience_id")
    if any(getattr(ad, name) not in (None, getattr(request, name)) for name in ids):
        return False
    if ad.product_variant_id != request.product_variant_id:
        return False
    if ad.editable is not None and ad.editable != request.editable:
        return False
    if _comparable(ad.prompt) != _comparable(request.prompt):
        return False
    if row.since is None or ad.created_at is None:
        return True
    until = (row.until or row.since) + MAY_STILL_COME
    return row.since - CLOCKS_DIFFER <= ad.created_at <= until + CLOCKS_DIFFER


def _comparable(prompt: str | None) -> str:
    return plain_text(prompt or "").strip()


def _question(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_SHOWN_IDS]) + (", …" if len(ids) > _SHOWN_IDS else "")
    return (
        f"Sent by an earlier run, and nobody can say which ad is this row's: {shown}. Write the "
        "right one's id into image_ad_id and 'processing' into status, or 'pending' into status to "
        "have it made again, and run it again."
    )
