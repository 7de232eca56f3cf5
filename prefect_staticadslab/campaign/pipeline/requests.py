"""What is sent for each kind of paid job besides an image ad."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.models import ImageAdRequest, Job, JsonTree
from prefect_staticadslab.api.resources import TEMPLATE_PRICE_USD
from prefect_staticadslab.campaign.files.locations import Location
from prefect_staticadslab.campaign.rows.json_cells import tree_fingerprint


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
    def job_name(self) -> str:
        """What people call such a job, where its price is told."""
        return "design template"

    @property
    def price_usd(self) -> Decimal:
        """What it costs in USD, if it completes."""
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
        tree = "" if job.current_json_tree is None else tree_fingerprint(job.current_json_tree)
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
