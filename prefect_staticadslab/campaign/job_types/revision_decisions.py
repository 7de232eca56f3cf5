"""What to do about one revision, given what the API shows of its ad. Decisions only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from prefect_staticadslab.api.models import ImageAd
from prefect_staticadslab.campaign.job_types.json_trees import TreeError
from prefect_staticadslab.campaign.job_types.revision_rows import Change
from prefect_staticadslab.campaign.pipeline.job_outcome import with_job
from prefect_staticadslab.campaign.pipeline.requests import Rendering, RevisionRequest
from prefect_staticadslab.campaign.rows.json_cells import tree_fingerprint
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus

UNCLEAR: Final = (
    "It may have been sent, and the ad has another tree than before and than was sent, so nobody "
    "can say whether the change is in it. Look at the ad: write 'completed' into status if it is, "
    "or 'pending' to have it made to the ad as it is now."
)
RENDERING: Final = "The ad is being rendered at this moment. Run it again later."


class Arrival(Enum):
    """Whether the API took a revision that may have been sent, as the ad's tree shows it."""

    ARRIVED = "arrived"
    """The ad has the tree that was sent."""
    MISSING = "missing"
    """The ad is as it was before."""
    BUSY = "busy"
    """It is being rendered, and nobody can see from what."""
    UNKNOWN = "unknown"
    """It has another tree: somebody else's, or ours as the API writes it."""


def arrival(state: JobState, ad: ImageAd) -> Arrival:
    """Whether the API took a revision that may have been sent: only the tree tells.

    Somebody else may have the ad rendered, and its picture's address may be signed anew each time.
    """
    if ad.current_json_tree is None:
        return Arrival.UNKNOWN if ad.is_finished else Arrival.BUSY
    tree = _tree_fingerprint(ad)
    if tree in (state.facts.get("sent_tree"), state.facts.get("kept_tree")):
        return Arrival.ARRIVED
    if not ad.is_finished:
        return Arrival.BUSY
    return Arrival.MISSING if tree == state.facts.get("previous_tree") else Arrival.UNKNOWN


def _tree_fingerprint(ad: ImageAd) -> str:
    """The fingerprint of an ad's current tree."""
    return tree_fingerprint(ad.current_json_tree or {})


def why_not_revisable(ad: ImageAd | None) -> str | None:
    """Why an ad cannot be revised; None if it can."""
    if ad is None:
        return "There is no such image ad in this organization."
    if not ad.is_editable:
        return (
            f"{ad.id} is a flat ad, and only editable ones can be revised. Create it anew with "
            "editable set to true (4.00 USD)."
        )
    return None


@dataclass(frozen=True)
class Step:
    """What to do next.

    Attributes:
        state: What is known of the row.
        request: What to send or to follow; None if there is nothing to do in this run.
    """

    state: JobState
    request: RevisionRequest | None = None


def next_step(change: Change, state: JobState, ad: ImageAd | None, *, is_lost: bool) -> Step:
    """What to do about a revision.

    Args:
        change: What its row asks for.
        state: What is known of it.
        ad: The ad as it is now.
        is_lost: Whether what was sent so long ago will not arrive any more.
    """
    message = why_not_revisable(ad)
    if ad is None or message:
        return _refuse(state, message)
    if state.status is RowStatus.SUBMITTING:
        match arrival(state, ad):
            case Arrival.ARRIVED:
                state = with_job(state, ad, is_revision=True)
                return Step(state) if ad.is_finished else _follow(state, ad)
            case Arrival.UNKNOWN | Arrival.BUSY as unclear:
                reason = RENDERING if unclear is Arrival.BUSY else UNCLEAR
                return Step(replace(state, error=reason))
            case Arrival.MISSING:
                state = JobState(attempts=state.attempts) if is_lost else state
    if state.is_processing:
        return _follow(state, ad)
    if not ad.is_finished or ad.current_json_tree is None:
        return Step(replace(state, error=RENDERING))
    return _repeat(change, state, ad) if state.job_failed else _send(change, state, ad)


def _repeat(change: Change, state: JobState, ad: ImageAd) -> Step:
    """The step after a failed rendering: send the change again, or the tree that has it already."""
    tree = _tree_fingerprint(ad)
    if tree == state.facts.get("previous_tree"):
        return _send(change, state, ad)
    if tree not in (state.facts.get("sent_tree"), state.facts.get("kept_tree")):
        return Step(replace(state, error=UNCLEAR))
    # The change is in the tree already.
    whole = ad.current_json_tree or {}
    return Step(state, RevisionRequest(image_ad_id=ad.id, tree=whole, before=Rendering.of(ad)))


def _send(change: Change, state: JobState, ad: ImageAd) -> Step:
    """The step that sends a change; a refusal if the change does not fit the ad's tree."""
    try:
        tree = change.apply_to(ad.current_json_tree or {})
    except TreeError as error:
        return _refuse(state, f"{change.column} {error}")
    fingerprint = tree_fingerprint(tree)
    if state.status is RowStatus.SUBMITTING and fingerprint != state.facts.get("sent_tree"):
        # The row's change was edited. The same key would be refused with another tree.
        state = JobState(attempts=state.attempts)
    facts = {
        "sent_tree": fingerprint,
        "previous_tree": _tree_fingerprint(ad),
        "previous_image_url": ad.image_url or state.facts.get("previous_image_url", ""),
    }
    request = RevisionRequest(image_ad_id=ad.id, tree=tree, before=Rendering.of(ad))
    return Step(replace(state, facts=facts), request)


def _follow(state: JobState, ad: ImageAd) -> Step:
    """The step that waits for a revision that was sent."""
    return Step(state, RevisionRequest(image_ad_id=ad.id, tree=ad.current_json_tree or {}))


def _refuse(state: JobState, reason: str | None) -> Step:
    return Step(replace(state, status=RowStatus.FAILED, error=reason))
