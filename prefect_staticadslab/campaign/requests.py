"""What is sent for each kind of paid job besides an image ad, and how any of them is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

from prefect_staticadslab.api.catalogue import TEMPLATE_PRICE_USD
from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.fields import JsonTree
from prefect_staticadslab.api.models import EDITABLE_IMAGE_AD, PRICE_USD, ImageAdRequest, Job
from prefect_staticadslab.campaign.image_files import ImageFileError, read_image


class NotSendableError(StaticAdsLabError):
    """What was to be sent is not there any more, so nothing was sent."""


class DesignTemplateRequest(BaseModel):
    """A design template to make.

    Attributes:
        reference: Where the reference ad is: a path, or any fsspec URL.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str

    @property
    def price_usd(self) -> Decimal:
        return TEMPLATE_PRICE_USD


class RevisionRequest(BaseModel):
    """An editable ad to render anew.

    Attributes:
        image_ad_id: Which ad.
        tree: The entire tree to render.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_ad_id: str
    tree: JsonTree

    @property
    def price_usd(self) -> Decimal:
        """What a new editable ad costs. What a revision does is not documented."""
        return PRICE_USD[EDITABLE_IMAGE_AD]


AnyRequest: TypeAlias = ImageAdRequest | DesignTemplateRequest | RevisionRequest


@dataclass(frozen=True)
class Sent:
    """The job that a request began, and whether an earlier request with the same key had."""

    job: Job
    replayed: bool


async def send(
    client: StaticAdsLabClient,
    request: AnyRequest,
    *,
    idempotency_key: str,
    on_send: Callable[[], None],
) -> Sent:
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
            return Sent(created.image_ad, created.replayed)
        case RevisionRequest():
            created = await client.update_image_ad(
                request.image_ad_id,
                request.tree,
                idempotency_key=idempotency_key,
                on_send=on_send,
            )
            return Sent(created.image_ad, created.replayed)
        case DesignTemplateRequest():
            try:
                image = await asyncio.to_thread(read_image, request.reference)
            except ImageFileError as error:
                raise NotSendableError(str(error)) from None
            made = await client.create_design_template(
                image, idempotency_key=idempotency_key, on_send=on_send
            )
            return Sent(made.design_template, made.replayed)
