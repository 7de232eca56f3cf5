"""What to do about one revision, given what the API shows of its ad. Decisions only: no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from prefect_staticadslab.api.models import ImageAd, JsonTree
from prefect_staticadslab.campaign.job_types.json_trees import TreeError
from prefect_staticadslab.campaign.job_types.revision_rows import Change
from prefect_staticadslab.campaign.pipeline.adoption import KEY_IS_GONE
from prefect_staticadslab.campaign.pipeline.job_outcome import with_job
from prefect_staticadslab.campaign.pipeline.requests import RenderingMark, RevisionRequest
from prefect_staticadslab.campaign.rows.json_cells import tree_fingerprint
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus, with_error

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


_WHY_NOT_NOW: Final = {
    Arrival.MISSING: KEY_IS_GONE,
    Arrival.BUSY: RENDERING,
    Arrival.UNKNOWN: UNCLEAR,
}


def detect_arrival(state: JobState, ad: ImageAd) -> Arrival:
    """Tells from an ad's tree whether the API took a revision that may have been sent.

    Nothing else tells it: somebody else may have the ad rendered, and its picture's address may be
    signed anew each time.

    Args:
        state: The row's state, with the fingerprints of the trees before and after the revision.
        ad: The ad as it is now.
    """
    if ad.current_json_tree is None:
        return Arrival.UNKNOWN if ad.is_finished else Arrival.BUSY
    tree = _current_fingerprint(ad)
    if tree in (state.facts.get("sent_tree"), state.facts.get("kept_tree")):
        return Arrival.ARRIVED
    if not ad.is_finished:
        return Arrival.BUSY
    return Arrival.MISSING if tree == state.facts.get("previous_tree") else Arrival.UNKNOWN


def _current_fingerprint(ad: ImageAd) -> str:
    """The fingerprint of an ad's current tree; that of an empty one if the API does not give it."""
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
    """What to do about a row next.

    Attributes:
        state: The row's new state, for the table.
        request: The revision to send, or to follow if `state` is processing; None if there is
            nothing to do in this run.
    """

    state: JobState
    request: RevisionRequest | None = None


def next_step(change: Change, state: JobState, ad: ImageAd | None, *, is_lost: bool) -> Step:
    """Decides what to do about a revision.

    Args:
        change: What its row asks for.
        state: The row's state.
        ad: The ad as it is now; None if the API does not know it.
        is_lost: Whether it was sent so long ago that it can no longer arrive.

    Returns:
        A step that sends it, follows it, or only notes in the row why neither can be done now.
    """
    message = why_not_revisable(ad)
    if ad is None or message:
        return _refusal_step(state, message)
    if state.status is RowStatus.SUBMITTING:
        match detect_arrival(state, ad):
            case Arrival.ARRIVED:
                state = with_job(state, ad, is_revision=True)
                return Step(state) if ad.is_finished else _follow_step(state, ad)
            case Arrival.MISSING if is_lost:
                state = JobState(attempts=state.attempts)
            case unclear if unclear is not Arrival.MISSING or state.idempotency_key is None:
                return Step(replace(state, error=_WHY_NOT_NOW[unclear]))
    if state.is_processing:
        return _follow_step(state, ad)
    if not ad.is_finished or ad.current_json_tree is None:
        return Step(replace(state, error=RENDERING))
    is_repeated = is_repetition(state, ad.current_json_tree)
    return (_repeat_step if is_repeated else _send_step)(change, state, ad)


def is_repetition(state: JobState, tree: JsonTree) -> bool:
    """Whether a row is sent once more after its rendering failed, so that the ad may have its
    change.

    A row that could not be sent again, as the wallet was empty, is pending by now. It keeps the
    fingerprints, and has never ended.

    Args:
        state: The row's state, pending or failed.
        tree: The ad's tree as it is now.
    """
    known = [state.facts[name] for name in ("sent_tree", "kept_tree") if name in state.facts]
    is_withdrawn = state.completed_at is None and bool(known)
    return state.job_failed or (is_withdrawn and tree_fingerprint(tree) in known)


def _repeat_step(change: Change, state: JobState, ad: ImageAd) -> Step:
    """The step after a failed rendering: it sends the change again, or, if the ad's tree has it
    already, that tree; or it says that nobody can tell which of them is the case."""
    tree = _current_fingerprint(ad)
    if tree == state.facts.get("previous_tree"):
        return _send_step(change, state, ad)
    if tree not in (state.facts.get("sent_tree"), state.facts.get("kept_tree")):
        return Step(replace(state, error=UNCLEAR))
    # The change is in the tree already.
    whole = ad.current_json_tree or {}
    return Step(state, RevisionRequest(image_ad_id=ad.id, tree=whole, before=RenderingMark.of(ad)))


def _send_step(change: Change, state: JobState, ad: ImageAd) -> Step:
    """The step that sends a change; a refusal if the change does not fit the ad's tree.

    Its state has what an interrupted run's revision is recognized by. A row that was edited since
    it may have been sent begins anew, with another key.
    """
    try:
        tree = change.apply_to(ad.current_json_tree or {})
    except TreeError as error:
        return _refusal_step(state, f"{change.column} {error}")
    fingerprint = tree_fingerprint(tree)
    if state.status is RowStatus.SUBMITTING and fingerprint != state.facts.get("sent_tree"):
        # The row's change was edited. The same key would be refused with another tree.
        state = JobState(attempts=state.attempts)
    facts = {
        "sent_tree": fingerprint,
        "previous_tree": _current_fingerprint(ad),
        "previous_image_url": ad.image_url or state.facts.get("previous_image_url", ""),
    }
    request = RevisionRequest(image_ad_id=ad.id, tree=tree, before=RenderingMark.of(ad))
    return Step(replace(state, facts=facts), request)


def _follow_step(state: JobState, ad: ImageAd) -> Step:
    """The step that follows a revision that was sent."""
    return Step(state, RevisionRequest(image_ad_id=ad.id, tree=ad.current_json_tree or {}))


def _refusal_step(state: JobState, reason: str | None) -> Step:
    """The step that notes an error, without sending anything. It fails the row, unless its revision
    was sent, or may have been: as a failed row it would be sent again with another key."""
    if state.status in (RowStatus.SUBMITTING, RowStatus.PROCESSING):
        return Step(with_error(state, reason))
    return Step(replace(state, status=RowStatus.FAILED, error=reason))
