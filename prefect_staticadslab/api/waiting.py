"""Following jobs to their end: by polling one, by polling many, or by watching one's stream."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.errors import (
    ACCOUNT_ERRORS,
    DesignTemplateFailedError,
    ImageAdFailedError,
    NotFoundError,
    StaticAdsLabError,
    WaitTimeoutError,
)
from prefect_staticadslab.api.events import Complete, Failed, ImageAdEvent, Progress
from prefect_staticadslab.api.models import CreatedImageAd, ImageAd, ImageAdRequest, Job
from prefect_staticadslab.api.resources import DesignTemplate

logger = logging.getLogger(__name__)

J = TypeVar("J", bound=Job)

POLL_SECONDS: Final = 4.0
SHORTEST_POLL_SECONDS: Final = 2.0
"""The vendor advises a poll every 4 s, and never one under 2 s."""

ONE_AD_TIMEOUT_SECONDS: Final = 300.0
BATCH_TIMEOUT_SECONDS: Final = 600.0
"""The vendor's advice: five minutes for one ad, ten for a batch."""

STREAM_TRIES: Final = 3
"""Streams that end without a result before polling takes over."""

SILENT_EVENTS: Final = 2
"""Events of a stream that tell no progress, before the ad is read: it may have ended long ago."""

FRESH_TRIES: Final = 20
"""How many failed jobs of earlier tries are passed over; each of them was free."""

LAST_READ_SECONDS: Final = 5.0
"""What a read gets at least, however little time is left: it may be the one that tells."""

_HOPELESS = (*ACCOUNT_ERRORS, NotFoundError)


async def wait_for_image_ad(
    client: StaticAdsLabClient,
    image_ad_id: str,
    *,
    timeout_seconds: float = ONE_AD_TIMEOUT_SECONDS,
    poll_seconds: float = POLL_SECONDS,
) -> ImageAd:
    """Polls one ad until it is completed, and returns it.

    Raises:
        ImageAdFailedError: The job failed.
        WaitTimeoutError: It still runs after `timeout_seconds`.
        NotFoundError, AuthenticationError, PermissionDeniedError: No poll can succeed.
    """
    return await _poll(client.get_image_ad, image_ad_id, timeout_seconds, poll_seconds)


async def wait_for_design_template(
    client: StaticAdsLabClient,
    design_template_id: str,
    *,
    timeout_seconds: float = ONE_AD_TIMEOUT_SECONDS,
    poll_seconds: float = SHORTEST_POLL_SECONDS,
) -> DesignTemplate:
    """Polls one design template until it is completed, and returns it.

    Raises:
        DesignTemplateFailedError: The job failed.
        WaitTimeoutError: It still runs after `timeout_seconds`.
        NotFoundError, AuthenticationError, PermissionDeniedError: No poll can succeed.
    """
    read = client.get_design_template
    return await _poll(read, design_template_id, timeout_seconds, poll_seconds)


async def _poll(
    read: Callable[[str], Awaitable[J]], job_id: str, timeout_seconds: float, poll_seconds: float
) -> J:
    """Calls `read` with a job's id every `poll_seconds` until the job is completed, and returns it.

    Raises:
        WaitTimeoutError: It has not come to its end within `timeout_seconds`.
        JobFailedError: It has failed.
        NotFoundError, AuthenticationError, PermissionDeniedError: No poll can succeed.
    """
    deadline = time.monotonic() + timeout_seconds
    poll_seconds = max(poll_seconds, SHORTEST_POLL_SECONDS)
    while True:
        job = await _try_to_read(read, job_id, deadline)
        if job is not None and job.is_finished:
            return _completed_or_raise(job)
        if time.monotonic() + poll_seconds > deadline:
            raise WaitTimeoutError((job_id,), timeout_seconds)
        await asyncio.sleep(poll_seconds)


async def wait_for_image_ads(
    client: StaticAdsLabClient,
    image_ad_ids: Sequence[str],
    *,
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS,
    poll_seconds: float = POLL_SECONDS,
) -> list[ImageAd]:
    """Polls many ads, up to 100 in one request, until all have ended or time is up.

    Returns:
        The ads in the order of `image_ad_ids`: completed, failed, or as they were last seen. An
        ad that the API never answered is there with the status `processing`.

    Raises:
        NotFoundError, AuthenticationError, PermissionDeniedError: No poll can succeed.
    """
    deadline = time.monotonic() + timeout_seconds
    poll_seconds = max(poll_seconds, SHORTEST_POLL_SECONDS)
    ads = {i: ImageAd(id=i) for i in image_ad_ids}
    while running := [i for i, ad in ads.items() if not ad.is_finished]:
        try:
            ads.update({ad.id: ad for ad in await client.get_image_ads(running) if ad.id in ads})
        except _HOPELESS:
            raise
        except StaticAdsLabError as error:
            logger.warning("Polling %d image ads: %s", len(running), error)
        if all(ad.is_finished for ad in ads.values()) or time.monotonic() + poll_seconds > deadline:
            break
        await asyncio.sleep(poll_seconds)
    return [ads[i] for i in image_ad_ids]


async def watch_image_ad(
    client: StaticAdsLabClient,
    image_ad_id: str,
    on_event: Callable[[ImageAdEvent], object] | None = None,
    *,
    timeout_seconds: float = ONE_AD_TIMEOUT_SECONDS,
    poll_seconds: float = POLL_SECONDS,
) -> ImageAd:
    """Streams one ad's events to `on_event`, and returns the completed ad.

    The stream never carries the picture's URL, so after its end, whatever the reason, the ad is
    read once. A stream that breaks is opened again; after three, polling takes over.

    Args:
        client: The client.
        image_ad_id: Which ad.
        on_event: Called with each event; may be a coroutine function.
        timeout_seconds: How long to watch at most.
        poll_seconds: The interval, should it come to polling.

    Raises:
        ImageAdFailedError: The job failed.
        WaitTimeoutError: It still runs after `timeout_seconds`.
        NotFoundError, AuthenticationError, PermissionDeniedError: There is nothing to watch.
    """
    deadline = time.monotonic() + timeout_seconds
    if not client.finished_ads_stream:
        ad = await _try_to_read(client.get_image_ad, image_ad_id, deadline)
        if ad is not None and ad.is_finished:
            return _completed_or_raise(ad)
    for earlier_tries in range(STREAM_TRIES):
        has_ended = await _stream_events(client, image_ad_id, on_event, deadline)
        ad = await _try_to_read(client.get_image_ad, image_ad_id, deadline)
        if ad is not None and ad.is_finished:
            return _completed_or_raise(ad)
        if has_ended or time.monotonic() >= deadline:
            break
        await asyncio.sleep(min(2**earlier_tries, max(0.0, deadline - time.monotonic())))
    try:
        return await wait_for_image_ad(
            client,
            image_ad_id,
            timeout_seconds=max(0.0, deadline - time.monotonic()),
            poll_seconds=poll_seconds,
        )
    except WaitTimeoutError:
        raise WaitTimeoutError((image_ad_id,), timeout_seconds) from None


async def create_or_reuse_ad(
    client: StaticAdsLabClient, request: ImageAdRequest, key: str
) -> CreatedImageAd:
    """Gives the ad that an earlier call with this key created; if there is none, or its job failed,
    creates one, which is paid for.

    Repeating a create with its key never pays twice, but gives back a failed ad for ever. So the
    keys that are sent are numbered, and one whose ad failed is passed over. An ad that cannot be
    read was created all the same, and is taken for one that goes on.

    Args:
        client: The client.
        request: Which ad.
        key: What the idempotency keys of all calls that want this one ad begin with.

    Returns:
        The ad as it was when it was created, and whether an earlier call did that.

    Raises:
        StaticAdsLabError: See `StaticAdsLabClient.create_image_ad`.
    """
    for number in range(1, FRESH_TRIES + 1):
        created = await client.create_image_ad(request, idempotency_key=f"{key}-{number}")
        if not created.replayed:
            break
        # The answer that is replayed is from the ad's beginning.
        try:
            ad = await client.get_image_ad(created.image_ad.id)
        except StaticAdsLabError as error:
            logger.warning("Reading %s: %s", created.image_ad.id, error)
            break
        if not ad.is_failed:
            break
    return created


async def _stream_events(
    client: StaticAdsLabClient,
    image_ad_id: str,
    on_event: Callable[[ImageAdEvent], object] | None,
    deadline: float,
) -> bool:
    """Streams one ad's events to `on_event` until the stream ends, breaks, or time is up.

    An ad whose stream tells no progress is read once; if it has ended, the client keeps in
    `finished_ads_stream` that streams do not say so.

    Returns:
        Whether the job has ended, as far as is known.

    Raises:
        AuthenticationError, PermissionDeniedError, InsufficientBalanceError: The API refused it.
    """
    # Events so far that told no progress; None once one did.
    silent_events: int | None = 0
    time_limit = asyncio.timeout(max(0.0, deadline - time.monotonic()))
    try:
        # Closed here and now: a stream that is left to the garbage collector keeps its connection.
        async with time_limit, contextlib.aclosing(client.stream_image_ad(image_ad_id)) as events:
            async for event in events:
                if on_event is not None:
                    called = on_event(event)
                    if inspect.isawaitable(called):
                        await called
                if isinstance(event, Complete | Failed):
                    return True
                if isinstance(event, Progress):
                    silent_events = None
                elif silent_events is not None:
                    silent_events += 1
                if silent_events == SILENT_EVENTS:
                    # What the stream of an ad says that has ended already is on no page.
                    ad = await _try_to_read(client.get_image_ad, image_ad_id, deadline)
                    if ad is not None and ad.is_finished:
                        client.finished_ads_stream = False
                        return True
    except ACCOUNT_ERRORS:
        raise
    except StaticAdsLabError as error:
        logger.info("The stream of %s ended early: %s", image_ad_id, error)
    except TimeoutError:
        if not time_limit.expired():
            raise
    return False


async def _try_to_read(
    read: Callable[[str], Awaitable[J]], job_id: str, deadline: float
) -> J | None:
    """Calls `read` with a job's id until `deadline`, a time of `time.monotonic`, but for at least
    `LAST_READ_SECONDS`.

    Returns:
        The job; None if it could not be read, which a later read may, and is logged.

    Raises:
        NotFoundError, AuthenticationError, PermissionDeniedError: No read can succeed.
    """
    try:
        async with asyncio.timeout(max(LAST_READ_SECONDS, deadline - time.monotonic())):
            return await read(job_id)
    except _HOPELESS:
        raise
    except (StaticAdsLabError, TimeoutError) as error:
        logger.warning("Reading %s: %s", job_id, error)
        return None


def _completed_or_raise(job: J) -> J:
    """Returns a job that has ended, if it was completed.

    Raises:
        JobFailedError: It has failed; `ImageAdFailedError` or `DesignTemplateFailedError`.
    """
    if job.is_failed:
        kind = DesignTemplateFailedError if isinstance(job, DesignTemplate) else ImageAdFailedError
        error = job.error
        code, message = (error.code, error.message) if error else ("", "")
        raise kind(job.id, code, message, job.job_id)
    return job
