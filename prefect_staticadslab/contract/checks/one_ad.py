"""What becomes of the one ad that is paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from prefect_staticadslab.api.models import FLAT_IMAGE_AD, ImageAd
from prefect_staticadslab.api.web.downloads import picture_ending
from prefect_staticadslab.contract.checks.fields import STATUSES, unreadable
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Seen, differs, holds, holds_if, unseen

ACCEPTED: Final = 202
PROCESSING: Final = "processing"


def created(reply: Reply, body: Mapping[str, Any]) -> Seen:
    """Whether the answer to the create is the ad that was asked for, on its way."""
    ad = reply.resource
    if reply.status != ACCEPTED or ad.get("status") != PROCESSING:
        return differs(f"{reply.result}, {ad.get('status') or 'no status'}", reply)
    odd = [name for name, value in body.items() if ad.get(name) != value]
    odd += unreadable(ImageAd, ad)
    return holds_if(not odd, f"other than asked for: {', '.join(odd)}" if odd else "202", reply)


def sku(reply: Reply) -> Seen:
    """Whether the ad has the price of a flat one."""
    code = reply.resource.get("sku_code")
    return holds_if(code == FLAT_IMAGE_AD, str(code), reply)


def replay(reply: Reply, ad_id: str) -> Seen:
    """Whether the same key and body gave the same ad."""
    found = reply.resource.get("id")
    if found != ad_id:
        text = f"{reply.result}, and made {found}, which is billed as well" if found else str(reply)
        return differs(text, reply)
    text = "the same ad, replayed" if reply.is_replayed else "the same ad without the header"
    return holds_if(reply.is_replayed, text, reply)


def states(polls: Sequence[Reply]) -> Seen:
    """Whether the ad went from `processing` to its end, and had a picture only then."""
    ads = [reply.resource for reply in polls if reply.is_success]
    passed = list(dict.fromkeys(str(ad.get("status") or "no status") for ad in ads))
    if not ads:
        return unseen("no poll was answered")
    early = any(ad.get("image_url") for ad in ads if ad.get("status") == PROCESSING)
    unknown = [status for status in passed if status not in STATUSES]
    if early or unknown or (len(passed) > 1 and passed[0] != PROCESSING):
        told = ", with an image_url while it was processing" if early else ""
        return differs(" → ".join(passed) + told, *polls[-1:])
    if passed[-1] == PROCESSING:
        return unseen("it was still processing when patience ended", *polls[-1:])
    return holds(f"{' → '.join(passed)}, {ads[-1].get('duration_ms')} ms", *polls[-1:])


def picture(ad: Mapping[str, Any], status: int, media_type: str, head: bytes) -> Seen:
    """Whether what is at `image_url` is a picture.

    Args:
        ad: The completed ad.
        status, media_type: What was answered there.
        head: The first bytes of it.
    """
    ending = picture_ending(head)
    if ending is None:
        return differs(f"{status}, {media_type or 'no media type'}, and no picture")
    return holds(f"{ending.lstrip('.').upper()}, {ad.get('width')} × {ad.get('height')} pixels")
