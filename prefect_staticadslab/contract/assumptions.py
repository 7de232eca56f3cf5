"""What we take the API for: each assumption once, with the code that would have to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.api.models import MAX_IDS_PER_READ
from prefect_staticadslab.contract.kinds import DESIGN_TEMPLATES, IMAGE_ADS, KINDS, Kind

MANY_IDS_KINDS: Final = (IMAGE_ADS, DESIGN_TEMPLATES)
MANY_IDS_COUNTS: Final = (1, 80, MAX_IDS_PER_READ, MAX_IDS_PER_READ + 1)
"""Ids in one request. The vendor's own code sends 80."""

_API: Final = "prefect_staticadslab.api"
_CLIENT: Final = f"{_API}.client.StaticAdsLabClient"
_CATALOGUE: Final = f"{_API}.catalogue_client.CatalogueClient"
_TRANSPORT: Final = f"{_API}.transport.Transport"


@dataclass(frozen=True)
class Assumption:
    """Something that the client or the simulator takes for granted.

    Attributes:
        name: What it is called, in short.
        topic: What it is about; the report is in topics.
        statement: What is assumed.
        carried_by: The setting or the code that is wrong if it does not hold, as Python imports it.
        is_paid: Whether it shows only when an ad is made.
    """

    name: str
    topic: str
    statement: str
    carried_by: str
    is_paid: bool = False


def many_ids_name(kind: Kind, count: int) -> str:
    """What the assumption on so many ids in one request is called."""
    return f"{kind.name}-{count}-ids"


def _topic(topic: str, *rows: tuple[str, str, str], is_paid: bool = False) -> list[Assumption]:
    """The assumptions of a topic, each given as name, statement and code; see `Assumption`."""
    return [Assumption(name, topic, statement, code, is_paid) for name, statement, code in rows]


_ALL: Final = (
    *_topic(
        "The account",
        (
            "organization-name",
            "the organization's name is in data.organization.name",
            f"{_API}.models.Account.organization_name",
        ),
        (
            "key-scopes",
            "what the key may do is in data.api_key.scopes, such as image_ads:write",
            f"{_API}.models.Account.scopes",
        ),
        (
            "no-key",
            "without a key, the answer is 401 UNAUTHORIZED",
            f"{_API}.errors.AuthenticationError",
        ),
    ),
    *_topic(
        "Every answer",
        (
            "envelope",
            "there is a JSON object with data, or with an error that has a code and a message",
            f"{_API}.responses.answer.read_answer",
        ),
        ("request-id", "meta.request_id is there", f"{_API}.responses.answer.read_answer"),
        (
            "meta-timestamp",
            "meta.timestamp is a time with its zone",
            f"{_TRANSPORT}.now",
        ),
        (
            "rate-limit-headers",
            "RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset are numbers",
            f"{_API}.rate_limit.RateLimitHeaders.parse",
        ),
        (
            "rate-limit-window",
            "RateLimit-Reset is in seconds, and at most 60",
            f"{_API}.rate_limit.window_length.FIRST_GUESS_WINDOW",
        ),
        (
            "rate-limit-counts",
            "every request counts, reads and refusals too",
            f"{_API}.rate_limit.window.RateLimitState.note_start",
        ),
        (
            "retry-after",
            "a 429 says in Retry-After how long to wait",
            f"{_API}.rate_limit.window.SHORTEST_REFUSAL_WAIT",
        ),
    ),
    *_topic(
        "Fields",
        *(
            (
                f"fields-{kind.name}",
                f"what GET {kind.path} lists is of the types that we read",
                f"{kind.model.__module__}.{kind.model.__name__}",
            )
            for kind in KINDS
        ),
        (
            "id-prefixes",
            f"ids begin with {', '.join(kind.prefix for kind in KINDS)}",
            "prefect_staticadslab.contract.kinds.KINDS",
        ),
        (
            "times",
            "created_at, updated_at and completed_at are times with their zone",
            f"{_API}.models.Moment",
        ),
        (
            "statuses",
            "a status is processing, completed or failed",
            f"{_API}.models.Job.is_finished",
        ),
        (
            "sku-codes",
            "sku_code is flat_image_ad or editable_image_ad, and the latter if it is editable",
            f"{_API}.models.PRICE_USD",
        ),
        (
            "image-url",
            "an ad has image_url once it is completed, and not before",
            f"{_API}.models.ImageAd.picture_url",
        ),
        (
            "job-progress",
            "progress is null, or has step, message and a percentage from 0 to 1",
            f"{_API}.models.JobProgress",
        ),
        (
            "versions",
            "an editable ad lists its versions, iav_…",
            f"{_API}.models.ImageAdVersion",
        ),
        (
            "job-record",
            "GET /v1/jobs/{id} answers with what an ad's job_id names",
            f"{_API}.models.JobRecord",
        ),
    ),
    *_topic(
        "Lists",
        ("has-more", "a list says has_more", f"{_API}.responses.answer.read_answer"),
        (
            "limit-bounds",
            "limit=100 is taken, and 0 and 101 are refused with 400",
            f"{_API}.transport.PAGE_SIZE",
        ),
        (
            "cursors",
            "starting_after gives what follows the item of that id",
            f"{_TRANSPORT}._list_items",
        ),
        (
            "filter-values",
            "a filter with a value that cannot be is refused with 400",
            f"{_CATALOGUE}.list_resources",
        ),
    ),
    *_topic(
        "Many at once",
        *(
            (
                many_ids_name(kind, count),
                f"{count} id{'s' * (count > 1)} of {kind.name} in one request "
                f"{'is refused with 400' if count > MAX_IDS_PER_READ else 'can be read'}",
                f"{_API}.models.MAX_IDS_PER_READ",
            )
            for kind in MANY_IDS_KINDS
            for count in MANY_IDS_COUNTS
        ),
        (
            "unknown-ids-left-out",
            "an id that nothing has is left out of what was read, and hides no other",
            f"{_TRANSPORT}._read_batch",
        ),
        (
            "ids-without-cursors",
            "with ids, limit and starting_after do not apply",
            f"{_TRANSPORT}._read_batch",
        ),
    ),
    *_topic(
        "Refusals",
        (
            "unknown-id",
            "an id that nothing has is answered 404 NOT_FOUND",
            f"{_API}.errors.NotFoundError",
        ),
        (
            "wrong-kind-of-id",
            "an id of the wrong kind is answered 422 VALIDATION_ERROR",
            f"{_API}.errors.UnprocessableError",
        ),
        (
            "delete-unknown",
            "deleting a design template that is not there is answered 404 NOT_FOUND",
            f"{_TRANSPORT}._delete",
        ),
        (
            "empty-creates",
            "a create with an empty body is answered 400 or 422 VALIDATION_ERROR",
            f"{_API}.errors.BadRequestError",
        ),
        (
            "error-details",
            "a VALIDATION_ERROR names in details each field that is wrong, and why",
            f"{_API}.errors.ErrorDetail",
        ),
        (
            "refused-again",
            "what was refused is refused in the same way with the same idempotency key",
            "prefect_staticadslab.campaign.pipeline.attempt.Attempt",
        ),
        (
            "refused-key-other-body",
            "its key with another body is checked anew, or is a 409 IDEMPOTENCY_CONFLICT",
            f"{_API}.errors.IdempotencyConflictError",
        ),
    ),
    *_topic(
        "Finished ads",
        (
            "finished-stream",
            "a stream of a finished ad tells the end within 40 s, or is answered with the ad",
            f"{_CLIENT}.stream_image_ad",
        ),
    ),
    *_topic(
        "The description",
        (
            "description",
            "GET /openapi.json is an OpenAPI 3 description",
            "prefect_staticadslab.contract.calls.DESCRIPTION",
        ),
        ("described-calls", "it has every call of the client", _CLIENT),
        (
            "described-answers",
            "it has every field that the client reads, with a type that it can read",
            f"{_API}.models.Resource",
        ),
        (
            "described-bodies",
            "it has every field that the client sends, and requires no other",
            f"{_API}.models.ImageAdRequest",
        ),
        (
            "described-filters",
            "it has every filter that the client sends",
            f"{_TRANSPORT}._list_items",
        ),
        (
            "described-template-upload",
            "a design template is made from multipart file or JSON reference_image_url",
            f"{_CATALOGUE}.create_design_template",
        ),
    ),
    *_topic(
        "One ad",
        (
            "ad-created",
            "it is created with 202, is processing, and is what was asked for",
            f"{_CLIENT}.create_image_ad",
        ),
        (
            "ad-sku",
            "a flat ad has the sku_code flat_image_ad from the start",
            f"{_API}.models.FLAT_IMAGE_AD",
        ),
        (
            "ad-key-other-body",
            "its idempotency key with another body is a 409 IDEMPOTENCY_CONFLICT",
            f"{_API}.errors.IdempotencyConflictError",
        ),
        (
            "ad-replay",
            "its key and body again give the same ad, with Idempotent-Replayed: true",
            f"{_API}.models.CreatedImageAd",
        ),
        (
            "ad-states",
            "polls see it processing and then completed or failed, and in no other state",
            f"{_API}.models.Job.is_finished",
        ),
        (
            "ad-progress",
            "polls see progress as null, or with step, message and a percentage from 0 to 1",
            f"{_API}.models.JobProgress",
        ),
        (
            "ad-stream",
            "its stream has started, progress, heartbeat, and complete or error as the last event",
            f"{_API}.events.parse_event",
        ),
        (
            "ad-stream-progress",
            "progress events have step, message and a percentage from 0 to 1",
            f"{_API}.events.Progress",
        ),
        (
            "ad-stream-silence",
            "its stream is never silent for more than two heartbeats, 30 s",
            f"{_API}.events.HEARTBEAT_SECONDS",
        ),
        (
            "ad-picture",
            "image_url leads to a picture, without the key",
            "prefect_staticadslab.api.web.downloads.PictureDownloader",
        ),
        is_paid=True,
    ),
)

ASSUMPTIONS: Final[Mapping[str, Assumption]] = {each.name: each for each in _ALL}
"""All assumptions by their names, in the order of the report."""
