"""Sending what a planned job asks for, whatever job it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect_staticadslab.api.models import ImageAdRequest, Job
from prefect_staticadslab.api.transport import OnSend
from prefect_staticadslab.campaign.files.images import ImageFileError, read_image
from prefect_staticadslab.campaign.pipeline.requests import (
    AnyRequest,
    DesignTemplateRequest,
    NotSendableError,
    RevisionRequest,
)

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient


class OtherKeyError(Exception):
    """Raised in place of sending a create: another run has marked it with another key."""


class NotSentError(Exception):
    """Raised in place of sending a create: creates have been stopped, or it is too late for it."""


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
    on_send: OnSend,
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
