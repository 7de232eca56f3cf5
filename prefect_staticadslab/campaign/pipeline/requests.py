"""The requests for paid jobs besides image ads: what is sent for each."""

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
    """Nothing was sent, because the file that was to be sent is gone, or another one by now."""


class DesignTemplateRequest(BaseModel):
    """A design template to make.

    Attributes:
        reference: Where the reference ad's file is. It is no part of the request's identity, as
            the file may be moved.
        digest: The SHA-256 of its content, 64 hexadecimal digits.
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


class RenderingMark(BaseModel):
    """What tells one rendering of an ad from the next.

    Attributes:
        tree: The fingerprint of its JSON tree; "" if it has none.
        picture: The picture's address, without its query; "" if it has none.
        completed_at: When it was completed, if it was.
    """

    model_config = ConfigDict(frozen=True)

    tree: str
    picture: str
    completed_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> RenderingMark:
        """The rendering that an answer of the API shows."""
        tree = "" if job.current_json_tree is None else tree_fingerprint(job.current_json_tree)
        return cls(
            tree=tree, picture=without_query(job.picture_url or ""), completed_at=job.completed_at
        )


def without_query(url: str) -> str:
    """An address without its query, which the API signs anew in each answer."""
    return url.partition("?")[0]


class RevisionRequest(BaseModel):
    """An editable ad to render anew.

    Attributes:
        image_ad_id: Which ad.
        tree: The entire tree to render.
        before: The ad's rendering before; None if it is being rendered already.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_ad_id: str
    tree: JsonTree
    before: RenderingMark | None = None

    def is_stale(self, job: Job) -> bool:
        """Whether an answer shows the ad as it was before: a replica may lag behind."""
        return self.before is not None and RenderingMark.of(job) == self.before


def is_stale(request: AnyRequest, job: Job) -> bool:
    """Whether an answer shows a job as it was before this request began it; only of revisions."""
    return isinstance(request, RevisionRequest) and request.is_stale(job)


AnyRequest: TypeAlias = ImageAdRequest | DesignTemplateRequest | RevisionRequest
