"""The one flat ad that `--spend` pays for: made, asked for again, followed, and looked at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from prefect_staticadslab import bounds
from prefect_staticadslab.api.errors import ForbiddenAddressError, WebError
from prefect_staticadslab.api.transport import encoded
from prefect_staticadslab.api.web import WebGate, open_web, web_client
from prefect_staticadslab.contract.assumptions import ASSUMPTIONS
from prefect_staticadslab.contract.checks import one_ad, refusals, streams
from prefect_staticadslab.contract.checks.answers import is_text
from prefect_staticadslab.contract.checks.fields import Lists, progress
from prefect_staticadslab.contract.exchange import Exchange, NoAnswerError, Stream
from prefect_staticadslab.contract.findings import Findings
from prefect_staticadslab.contract.kinds import (
    AUDIENCES,
    BRANDS,
    DESIGN_TEMPLATES,
    IMAGE_ADS,
    PRODUCTS,
    Kind,
)
from prefect_staticadslab.contract.probes import finished_ads
from prefect_staticadslab.contract.probes.refusals import new_key
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.timing import Timing
from prefect_staticadslab.contract.verdicts import Seen, Verdict, differs, unseen

HEAD_BYTES: Final = 12
"""What is read of the picture: enough to tell what it is."""

_EMPTY_WALLET: Final = 402
_REFUSED: Final = range(400, 500)
"""After anything else, a proxy's page included, nobody knows whether it was created."""


@dataclass
class Purchase:
    """What is known of the ad, updated at each step, for whoever interrupts the run.

    Attributes:
        idempotency_key: What it was sent with; empty while nothing was sent.
        ad_id: The ad, once the API has answered.
        is_settled: Whether nothing more can come of it: it was refused, or has ended.
    """

    idempotency_key: str = ""
    ad_id: str = ""
    is_settled: bool = False

    @property
    def warning(self) -> str:
        """What to say if it is left alone; nothing if there is nothing to say."""
        if self.is_settled or not self.idempotency_key:
            return ""
        if self.ad_id:
            return f"The image ad {self.ad_id} goes on, and is billed when it completes."
        return (
            "An image ad may have been created, and is billed when it completes. It was sent with "
            f"the idempotency key {self.idempotency_key}."
        )


async def make_one(
    exchange: Exchange,
    findings: Findings,
    lists: Lists,
    timing: Timing,
    purchase: Purchase,
    on_created: Callable[[str], object],
) -> None:
    """Makes one flat ad, and follows it to its end.

    Args:
        exchange: Whom to ask.
        findings: Where to say what was seen.
        lists: What there is to make it of.
        timing: How long to wait.
        purchase: What is known of it, for whoever breaks this off.
        on_created: Called with the ad's id as soon as there is one.
    """
    body = ingredients(lists)
    if body is None:
        text = "there is no completed template, or no product with its brand and an audience"
        _record_for_all_paid(findings, unseen(text))
        return
    key = purchase.idempotency_key = new_key()
    try:
        reply = await exchange.ask(
            *("POST", IMAGE_ADS.path),
            json=body,
            idempotency_key=key,
            read_seconds=bounds.CREATE_READ_SECONDS,
        )
    except NoAnswerError as error:
        purchase.is_settled = not error.was_asked
        _record_for_all_paid(findings, unseen(f"{error}. {purchase.warning}".rstrip(". ")))
        return
    purchase.ad_id = str(reply.resource.get("id") or "") if reply.is_success else ""
    if not purchase.ad_id:
        purchase.is_settled = reply.status in _REFUSED
        _record_for_all_paid(findings, _not_created(reply))
        return
    on_created(purchase.ad_id)
    findings.add("ad-created", one_ad.created(reply, body))
    findings.add("ad-sku", one_ad.sku(reply))
    await _ask_again(exchange, findings, body, purchase)
    ad = await _follow(exchange, findings, purchase.ad_id, timing)
    purchase.is_settled = ad.get("status") in streams.ENDED
    await _look_at_picture(exchange, findings, ad)
    if purchase.is_settled:
        await finished_ads.ask_stream(exchange, findings, ad, timing.stream_seconds)
        await finished_ads.ask_record(exchange, findings, ad)


def ingredients(lists: Lists) -> dict[str, str] | None:
    """The body of a create, with ids that the lists have; None if they lack something.

    It says nothing but the four ids, so that it is a flat ad.
    """

    products = {product["id"]: product for product in _items(lists, PRODUCTS, "brand_id")}
    brands = [brand["id"] for brand in _items(lists, BRANDS)]
    template = next(
        (t for t in _items(lists, DESIGN_TEMPLATES) if t.get("status") == "completed"), None
    )
    audience = next(
        (
            audience
            for audience in _items(lists, AUDIENCES, "product_id")
            if products.get(audience["product_id"], {}).get("brand_id") in brands
        ),
        None,
    )
    if template is None or audience is None:
        return None
    return {
        "design_template_id": template["id"],
        "brand_id": products[audience["product_id"]]["brand_id"],
        "product_id": audience["product_id"],
        "audience_id": audience["id"],
    }


def _items(lists: Lists, kind: Kind, *names: str) -> list[dict[str, Any]]:
    """What there is of a kind, and has an id and these other ids."""
    listed = lists[kind].items if kind in lists else []
    return [item for item in listed if all(is_text(item.get(name)) for name in ("id", *names))]


async def _ask_again(
    exchange: Exchange, findings: Findings, body: Mapping[str, str], purchase: Purchase
) -> None:
    """Sends the key again: first with a body that cannot succeed, and then with its own.

    Only if the first is refused because of the key, the API has shown that it knows it; and only
    then its own body can make no second ad.
    """
    impossible = {
        "design_template_id": DESIGN_TEMPLATES.unknown_id(),
        "brand_id": BRANDS.unknown_id(),
        "product_id": PRODUCTS.unknown_id(),
        "audience_id": AUDIENCES.unknown_id(),
    }
    key = purchase.idempotency_key
    with findings.without_answers("ad-key-other-body", "ad-replay"):
        other = await exchange.ask("POST", IMAGE_ADS.path, json=impossible, idempotency_key=key)
        seen = refusals.used_key_with_other_body(other)
        findings.add("ad-key-other-body", seen)
        if seen.verdict is not Verdict.HOLDS:
            text = "not asked: the key was not seen to be known, so that it could make a second ad"
            findings.add("ad-replay", unseen(text))
            return
        again = await exchange.ask(
            *("POST", IMAGE_ADS.path),
            json=body,
            idempotency_key=key,
            read_seconds=bounds.CREATE_READ_SECONDS,
        )
        findings.add("ad-replay", one_ad.replay(again, purchase.ad_id))


async def _follow(
    exchange: Exchange, findings: Findings, ad_id: str, timing: Timing
) -> dict[str, Any]:
    """Follows an ad by its stream and by polls at once. Returns it as it was seen last."""
    path = f"{IMAGE_ADS.path}/{encoded(ad_id)}"
    async with asyncio.TaskGroup() as group:
        streaming = group.create_task(_stream(exchange, path, timing.ad_seconds))
        polling = group.create_task(_poll(exchange, path, timing))
    stream, polls = streaming.result(), polling.result()
    ads = [poll.resource for poll in polls if poll.is_success]
    ad: dict[str, Any] = ads[-1] if ads else {"id": ad_id}
    findings.add("ad-states", one_ad.states(polls))
    findings.add("ad-progress", progress(ads))
    if isinstance(stream, str):
        for name in ("ad-stream", "ad-stream-progress", "ad-stream-silence"):
            findings.add(name, unseen(stream))
    else:
        findings.add("ad-stream", streams.events(stream, str(ad.get("status"))))
        findings.add("ad-stream-progress", streams.stream_progress(stream))
        findings.add("ad-stream-silence", streams.silence(stream))
    return ad


async def _stream(exchange: Exchange, path: str, seconds: float) -> Stream | str:
    """Reads the stream; a text that says why if there is no answer."""
    try:
        return await exchange.stream(path, seconds)
    except NoAnswerError as error:
        return str(error)


async def _poll(exchange: Exchange, path: str, timing: Timing) -> list[Reply]:
    """Polls until the ad has ended, an answer is missing, or time is up. Returns the answers."""
    deadline = time.monotonic() + timing.ad_seconds
    polls: list[Reply] = []
    while True:
        try:
            polls.append(await exchange.ask("GET", path))
        except NoAnswerError:
            break
        if polls[-1].resource.get("status") in streams.ENDED or time.monotonic() > deadline:
            break
        await asyncio.sleep(timing.poll_seconds)
    return polls


async def _look_at_picture(exchange: Exchange, findings: Findings, ad: Mapping[str, Any]) -> None:
    """Records `ad-picture` by the first bytes of a completed ad's picture, which are read through
    the gate and without the key; unseen if the ad is not completed, or the picture out of reach."""
    url = ad.get("image_url")
    if ad.get("status") != "completed":
        findings.add("ad-picture", unseen(f"the ad is {ad.get('status') or 'not seen'}"))
        return
    if not isinstance(url, str) or not url:
        findings.add("ad-picture", differs("there is no image_url"))
        return
    gate = WebGate.allowing(exchange.base_url)
    try:
        async with web_client(gate) as http, open_web(http, url, gate) as answer:
            head = b""
            async with aclosing(answer.pieces(bounds.PICTURE_BYTES)) as pieces:
                async for piece in pieces:
                    head += piece
                    if len(head) >= HEAD_BYTES:
                        break
            kind = answer.response.headers.get("content-type", "")
            findings.add("ad-picture", one_ad.picture(ad, answer.status, kind, head[:HEAD_BYTES]))
    except ForbiddenAddressError as error:
        findings.add("ad-picture", differs(str(error)))
    except WebError as error:
        findings.add("ad-picture", unseen(str(error)))


def _not_created(reply: Reply) -> Seen:
    """What an answer without an ad says: unseen for an empty wallet or trouble, else it differs."""
    if other := refusals.inconclusive(reply):
        return other
    if reply.status == _EMPTY_WALLET:
        return unseen(f"the wallet is empty ({reply.result})", reply)
    return differs(f"it was not created: {reply.result}", reply)


def _record_for_all_paid(findings: Findings, seen: Seen) -> None:
    """Records what was seen of the create, and all else that needs an ad as unseen."""
    findings.add("ad-created", seen)
    for name, assumption in ASSUMPTIONS.items():
        if assumption.is_paid and name != "ad-created":
            findings.add(name, unseen("there is no ad"))
