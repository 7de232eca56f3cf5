"""Sending what a planned job asks for, whatever job it is, in turns with other runs that may."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from prefect_staticadslab.api.models import ImageAdRequest, Job
from prefect_staticadslab.api.resources import ImageFile
from prefect_staticadslab.api.transport import OnSend
from prefect_staticadslab.campaign.files.images import ImageFileError, read_image
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.requests import (
    AnyRequest,
    DesignTemplateRequest,
    NotSendableError,
    RevisionRequest,
)

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient


class OtherKeyError(Exception):
    """A create was not sent, because another run has marked its row with another key."""


class NotSentError(Exception):
    """A create was not sent, because creates have been stopped, or it is too late for it."""


@dataclass(frozen=True)
class BegunJob:
    """What the API answers a create with.

    Attributes:
        job: The job.
        replayed: Whether an earlier request with the same idempotency key had begun it.
    """

    job: Job
    replayed: bool


async def send(
    client: StaticAdsLabClient,
    request: AnyRequest,
    *,
    idempotency_key: str,
    on_send: OnSend,
) -> BegunJob:
    """Sends the create of a job, which is paid for, until it is answered.

    Args:
        client: Whom to send it to.
        request: What to create.
        idempotency_key, on_send: See `StaticAdsLabClient.create_image_ad`.

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
                _with_name_of_content(image), idempotency_key=idempotency_key, on_send=on_send
            )
            return BegunJob(made.design_template, made.replayed)


def _with_name_of_content(image: ImageFile) -> ImageFile:
    """An image with a name that says only what is in it. The file's own name would be part of the
    body, and the API refuses another body for the same key: one that was renamed would be lost."""
    ending = (image.media_type or "").rpartition("/")[2] or "image"
    return replace(image, filename=f"{image.digest[:16]}.{ending}")


def share_key_lock(
    client: StaticAdsLabClient, attempt: Attempt, now: float, *, was_away: bool = False
) -> None:
    """If another run may send an attempt, has its key used only in turns that both can reckon.

    Args:
        client: Whose lock on the idempotency key it is.
        attempt: Which. If no other run may send it, nothing changes.
        now: The moment, in seconds of `elapsed`.
        was_away: Whether this run has not looked for a while what the other one does.
    """
    if (seconds := attempt.seconds_shared(client.now())) is not None:
        lock = client.key_lock(attempt.idempotency_key)
        if was_away or not lock.is_shared:  # until a moment ago they sent it as they liked
            lock.note_sent_elsewhere(first=now - seconds, last=now)
        lock.note_shared(now - seconds)
