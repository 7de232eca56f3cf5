"""What is sent for each kind of paid job besides an image ad, and how any of them is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.models import ImageAdRequest, Job, JsonTree
from prefect_staticadslab.api.resources import TEMPLATE_PRICE_USD
from prefect_staticadslab.campaign.files.images import ImageFileError, read_image
from prefect_staticadslab.campaign.files.locations import Location
from prefect_staticadslab.campaign.job_types.json_trees import fingerprint


class NotSendableError(StaticAdsLabError):
    """What was to be sent is not there any more, so nothing was sent."""


class DesignTemplateRequest(BaseModel):
    """A design template to make.

    Attributes:
        reference: Where the reference ad is. It may be moved: what it shows makes it the
            reference that it is.
        digest: Of its content, 64 hexadecimal digits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: Location = Field(exclude=True)
    digest: str

    @property
    def price_usd(self) -> Decimal:
        return TEMPLATE_PRICE_USD


class Look(BaseModel):
    """What tells one rendering of an ad from the next: its tree, its picture, and its date."""

    model_config = ConfigDict(frozen=True)

    tree: str
    picture: str
    completed_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> Look:
        """The look of an ad as the API answers it."""
        tree = "" if job.current_json_tree is None else fingerprint(job.current_json_tree)
        return cls(
            tree=tree, picture=without_query(job.picture_url or ""), completed_at=job.completed_at
        )


def without_query(url: str) -> str:
    """A picture's address without what is signed anew each time that it is told."""
    return url.partition("?")[0]


class RevisionRequest(BaseModel):
    """An editable ad to render anew.

    Attributes:
        image_ad_id: Which ad.
        tree: The entire tree to render.
        before: What the ad looked like before; None if it is being rendered already.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_ad_id: str
    tree: JsonTree
    before: Look | None = None

    def is_stale(self, job: Job) -> bool:
        """Whether an answer shows the ad as it was before: a replica may lag behind."""
        return self.before is not None and Look.of(job) == self.before


def is_stale(request: AnyRequest, job: Job) -> bool:
    """Whether an answer is older than the request that the job was begun with."""
    return isinstance(request, RevisionRequest) and request.is_stale(job)


AnyRequest: TypeAlias = ImageAdRequest | DesignTemplateRequest | RevisionRequest


@dataclass(frozen=True)
class BegunJob:
    """The job that a request began, and whether an earlier request with the same key had."""

    job: Job
    replayed: bool


async def send(
    client: StaticAdsLabClient,
    request: AnyRequest,
    *,
    idempotency_key: str,
    on_send: Callable[[], None],
) -> BegunJob:
    """Sends a request; see `StaticAdsLabClient.create_image_ad`.

    Raises:
        NotSendableError: The reference ad cannot be read any more.
        StaticAdsLabError: See `StaticAdsLabClient.create_image_ad`.
    """
    match request:
        case ImageAdRequest():
            created = await client.create_image_ad(
                request, idempotency_key=idempotency_key, on_send=on_send
            )
            return BegunJob(created.image_ad, created.replayed)
        case RevisionRequest():
            created = await client.update_image_ad(
                request.image_ad_id,
                request.tree,
                idempotency_key=idempotency_key,
                on_send=on_send,
            )
            return BegunJob(created.image_ad, created.replayed)
        case DesignTemplateRequest():
            try:
                image = await asyncio.to_thread(read_image, request.reference)
            except ImageFileError as error:
                raise NotSendableError(str(error)) from None
            if image.digest != request.digest:
                raise NotSendableError(f"{image.filename} was changed while this run went on.")
            made = await client.create_design_template(
                image, idempotency_key=idempotency_key, on_send=on_send
            )
            return BegunJob(made.design_template, made.replayed)
