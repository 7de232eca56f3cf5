"""Rows that may have been sent, and whose idempotency keys may have expired since.

A row that an earlier run left `submitting` is sent again with the same key, and the API answers
with the ad that there is. Keys are kept for 24 hours, and for one API key. After that, or with
another API key, the same key makes another ad, so the first one is looked for through the list
filters, and adopted if it is there.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
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
    second_ads,
)
from prefect_staticadslab.campaign.table.result_table import JobTable

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

CREATED_AT_TOLERANCE: Final = timedelta(minutes=10)
"""How far an ad's `created_at` may lie outside the time in which its row may have been sent: both
are by the API's clock, but by different readings of it."""

MAY_STILL_COME: Final = 2 * SENT_WITHIN
"""How long after a row was last marked its ad, or its revision, may still be created."""

STILL_ON_ITS_WAY: Final = (
    "It was sent by another run, with another API key, and may still be created. "
    "Run it again in two hours, or with that key at once."
)
KEY_IS_GONE: Final = (
    "It was sent by another run, and may still be created; its idempotency key is no longer in the "
    "table. Run it again in two hours."
)
NEVER_CREATED: Final = "It was sent by a run that was interrupted, and was never created."
EQUAL_ROW_ON_ITS_WAY: Final = (
    "An equal row was sent by another run, with another API key, and may still be created. "
    "Run it again in two hours, or with that key at once."
)
EQUAL_ROW_FIRST: Final = "An equal row is asked for first. Run it again to settle this one."

_FILTERS: Final = ("design_template_id", "brand_id", "product_id")
"""The fields of a request that the API lists ads by."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)

_SHOWN_IDS: Final = 5
"""How many ids a message names."""


@dataclass(frozen=True)
class SentRow:
    """A row that may have been sent.

    Attributes:
        position: Its 0-based place in the table.
        request: What it asks for.
        since: When it was sent at the earliest; None if that is not known.
        until: When it was last marked; None if that is `since`.
    """

    position: int
    request: ImageAdRequest
    since: datetime | None
    until: datetime | None = None

    @property
    def shown_by_ad(self) -> tuple[object, ...]:
        """The values of the request that the API shows of its ad, comparable with another's."""
        r = self.request
        ids = (r.design_template_id, r.brand_id, r.product_id, r.audience_id, r.product_variant_id)
        return (*ids, _comparable_prompt(r.prompt), r.editable)

    @property
    def may_come_until(self) -> datetime:
        """When its ad may have been created at the latest; `_NEVER` if nobody knows when it was
        sent."""
        return _NEVER if self.since is None else (self.until or self.since) + MAY_STILL_COME


@dataclass
class AdMatches:
    """Which ads are those of rows that may have been sent. Rows are known by their positions.

    Attributes:
        adopted: The ad of each row that has one.
        not_found: Rows that have none.
        tried: Rows in `not_found` that a failed ad may be of: their keys have been used.
        ambiguous: For each row of which nobody can say, the ids of the ads that could be its own.
    """

    adopted: dict[int, ImageAd] = field(default_factory=dict)
    not_found: list[int] = field(default_factory=list)
    tried: frozenset[int] = frozenset()
    ambiguous: dict[int, tuple[str, ...]] = field(default_factory=dict)


def match_ads(sent: Sequence[SentRow], ads: Sequence[ImageAd], taken: frozenset[str]) -> AdMatches:
    """Decides which ad is which row's. Changes nothing.

    An ad is a row's if it shows the row's request and was created when the row may have been sent.
    Equal rows share equal ads among them, each in its time. If an ad is left over, if rows differ
    in what an ad does not show, or one that leaves out an id may be of rows that differ, nobody can
    say.

    Args:
        sent: The rows.
        ads: What the API has; failed ads are free, and belong to nobody.
        taken: The ids of ads that other rows of the table have.
    """
    matches = AdMatches()
    groups: dict[tuple[object, ...], list[SentRow]] = defaultdict(list)
    for row in sent:
        groups[row.shown_by_ad].append(row)
    unknown = {ad.id: ad for ad in ads if ad.id not in taken}
    free = {ad.id: ad for ad in unknown.values() if not ad.is_failed}
    candidates_by_group = {
        shown: [ad for ad in free.values() if any(_may_be_ad_of(row, ad) for row in rows)]
        for shown, rows in groups.items()
    }
    groups_of_ad = Counter(ad.id for ads in candidates_by_group.values() for ad in ads)
    for shown, rows in groups.items():
        candidates = sorted(
            candidates_by_group[shown],
            key=lambda ad: (ad.created_at or _NEVER, ad.id),
        )
        found = _share_ads(rows, candidates)
        is_contested = any(groups_of_ad[ad.id] > 1 for ad in candidates)
        bodies = {json.dumps(row.request.body(), sort_keys=True) for row in rows}
        if candidates and (is_contested or len(candidates) > len(found) or len(bodies) > 1):
            ids = tuple(ad.id for ad in candidates)
            matches.ambiguous |= {row.position: ids for row in rows}
            continue
        matches.adopted |= found
        matches.not_found += [row.position for row in rows if row.position not in found]
    failed = [ad for ad in unknown.values() if ad.is_failed]
    not_found = frozenset(matches.not_found)
    matches.tried = frozenset(
        row.position
        for row in sent
        if row.position in not_found and any(_may_be_ad_of(row, ad) for ad in failed)
    )
    return matches


def _share_ads(rows: Sequence[SentRow], ads: Sequence[ImageAd]) -> dict[int, ImageAd]:
    """Gives equal rows, by position, an ad each of those that may be their own, as many as can be.

    Args:
        rows: Rows with equal requests.
        ads: Ads that may be of one of them at least, the oldest first.
    """
    # An ad is given to the row whose time ends first: what it leaves, the others may have longer.
    waiting = sorted(rows, key=lambda row: row.may_come_until)
    found: dict[int, ImageAd] = {}
    for ad in ads:
        row = next((row for row in waiting if _may_be_ad_of(row, ad)), None)
        if row is not None:
            waiting.remove(row)
            found[row.position] = ad
    return found


@dataclass(frozen=True)
class Adoption:
    """What became of rows that may have been sent and whose keys may have expired.

    Attributes:
        looked_for: How many rows' ads were looked for.
        found: How many of these rows have an ad by now.
        held: Why rows are not to be sent in this run, by their positions.
    """

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

    Writes into the table which ad is a row's, which rows were never created, and for rows that must
    wait the reason, as their error.

    Args:
        client: Whom to ask.
        table: The table.
        now: The time; by default the API's.
        api_key_hashes: What stands for the API keys that this run uses, besides the client's.

    Raises:
        StaticAdsLabError: The API could not be asked, so nothing must be created.
    """
    began = now or client.now()
    lost, held = _rows_to_look_for(table, api_key_hashes | {client.api_key_hash}, began)
    if lost:
        ads: list[ImageAd] = []
        asked = {tuple(getattr(row.request, name) for name in _FILTERS) for row in lost}
        for ids in sorted(asked):
            filters = dict(zip(_FILTERS, ids, strict=True))
            ads += [ad async for ad in client.list_image_ads(**filters)]
        now = now or client.now()  # the answers have told how late it is there
        taken = frozenset(
            each for s in table.states for each in (s.job_id, *second_ads(s)) if each is not None
        )
        matches = match_ads(lost, ads, taken)
        for position, ad in matches.adopted.items():
            state = replace(table.states[position], submitted_at=ad.created_at or now)
            table.update(position, with_job(state, ad))
        for position in matches.not_found:
            if may_still_be_created(state := table.states[position], now):
                if not table.rows[position].removed:
                    held[position] = STILL_ON_ITS_WAY if state.idempotency_key else KEY_IS_GONE
            else:
                # The run that began a failed job may be asleep: what is begun now is another one.
                was_tried = position in matches.tried
                table.note_never_created(position, NEVER_CREATED, was_tried=was_tried)
        held |= {p: _ambiguity_message(ids) for p, ids in matches.ambiguous.items()}
    for position, reason in held.items():
        table.update(position, replace(table.states[position], error=reason))
    found = sum(s.job_id is not None for s in (table.states[row.position] for row in lost))
    return Adoption(looked_for=len(lost), found=found, held=held)


def _rows_to_look_for(
    table: JobTable[ImageAdRequest], api_key_hashes: frozenset[str], now: datetime
) -> tuple[list[SentRow], dict[int, str]]:
    """Finds the `submitting` rows that must not simply be sent again with their keys.

    Args:
        table: The table.
        api_key_hashes: Those of all API keys of this run.
        now: The time, by the API's clock.

    Returns:
        The rows whose ads are to be looked for; and why others must wait, by their positions: an
        equal row is sent again, and is to be answered first, or may still be created, so that
        nobody can tell yet whose ad it is.
    """
    sent_again: set[tuple[object, ...]] = set()
    lost: list[SentRow] = []
    for position, (row, state) in enumerate(zip(table.rows, table.states, strict=True)):
        if state.status is not RowStatus.SUBMITTING:
            continue
        sent = SentRow(position, row.request, state.submitted_at, _last_marked_at(state))
        # Asking for a row that is gone with its key might create what nobody wants any more; and
        # another API key's idempotency keys are not ours.
        ours = is_sent_with(state, api_key_hashes)
        if row.removed or not ours or may_have_expired(state, now):
            lost.append(sent)
        else:
            sent_again.add(sent.shown_by_ad)
    counts = Counter(row.shown_by_ad for row in lost)
    coming = {
        row.shown_by_ad for row in lost if may_still_be_created(table.states[row.position], now)
    }
    on_their_way = {shown for shown in coming if counts[shown] > 1}
    held = {row.position: EQUAL_ROW_ON_ITS_WAY for row in lost if row.shown_by_ad in on_their_way}
    held |= {row.position: EQUAL_ROW_FIRST for row in lost if row.shown_by_ad in sent_again}
    return [row for row in lost if row.position not in held], held


def is_sent_with(state: JobState, api_key_hashes: Collection[str]) -> bool:
    """Whether a row was sent with one of these API keys, given by what stands for them. A row whose
    hash somebody deleted is taken for theirs if there is only one key."""
    api_key_hash = state.api_key_hash
    return api_key_hash in api_key_hashes or (api_key_hash is None and len(api_key_hashes) == 1)


def may_have_expired(state: JobState, now: datetime) -> bool:
    """Whether the API may have forgotten a row's idempotency key, or nobody knows any more which it
    was: one that is derived anew is another one if the table was moved."""
    first = None if state.idempotency_key is None else state.submitted_at
    return first is None or now - first > TRUSTED_LIFETIME


def _last_marked_at(state: JobState) -> datetime | None:
    """When a row was last marked; if that is not known, when it was first sent."""
    return state.asked_at or state.submitted_at


def may_still_be_created(state: JobState, now: datetime) -> bool:
    """Whether another run may have sent a row so late that its ad is not there yet."""
    marked_at = _last_marked_at(state)
    return marked_at is not None and now - marked_at < MAY_STILL_COME


def _may_be_ad_of(row: SentRow, ad: ImageAd) -> bool:
    """Whether an ad shows what a row asks for, and was created when the row may have been sent. An
    `editable`, a date, or an id but a variant's, which an ad may lack, says nothing against it if
    the API does not tell it."""
    request = row.request
    ids = ("design_template_id", "brand_id", "product_id", "audience_id")
    if any(getattr(ad, name) not in (None, getattr(request, name)) for name in ids):
        return False
    if ad.product_variant_id != request.product_variant_id:
        return False
    if ad.editable is not None and ad.editable != request.editable:
        return False
    if _comparable_prompt(ad.prompt) != _comparable_prompt(request.prompt):
        return False
    if row.since is None or ad.created_at is None:
        return True
    earliest, latest = row.since - CREATED_AT_TOLERANCE, row.may_come_until + CREATED_AT_TOLERANCE
    return earliest <= ad.created_at <= latest


def _comparable_prompt(prompt: str | None) -> str:
    """A prompt as text in which line breaks and outer spaces make no difference."""
    return plain_text(prompt or "").strip()


def _ambiguity_message(ids: Sequence[str]) -> str:
    """What to say of a row that one of these ads may be of: how to settle it in the table."""
    shown = ", ".join(ids[:_SHOWN_IDS]) + (", …" if len(ids) > _SHOWN_IDS else "")
    return (
        f"Sent by an earlier run, and nobody can say which ad is this row's: {shown}. Write the "
        "right one's id into image_ad_id and 'processing' into status, or 'pending' into status to "
        "have it made again, and run it again."
    )
