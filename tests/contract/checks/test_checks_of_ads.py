"""What an ad says of an assumption: its fields, its stream, its creation, its end and versions."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_staticadslab.contract.checks import fields, one_ad, streams
from prefect_staticadslab.contract.exchange import Event, Stream
from prefect_staticadslab.contract.kinds import BRANDS
from prefect_staticadslab.contract.probes.finished_ads import versions
from prefect_staticadslab.contract.probes.one_ad import ingredients
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Verdict
from tests.contract.checks.replies import DIFFERS, HOLDS, META, UNSEEN, items, no, verdict, yes


@pytest.mark.parametrize(
    ("ad", "image_url", "sku"),
    [
        ({"status": "completed", "image_url": "u", "sku_code": "flat_image_ad"}, HOLDS, HOLDS),
        ({"status": "completed", "image_url": None, "sku_code": "flat"}, DIFFERS, DIFFERS),
        ({"status": "failed", "image_url": "u", "sku_code": None}, DIFFERS, DIFFERS),
        (
            {"status": "completed", "image_url": "u", "sku_code": "editable_image_ad"},
            HOLDS,
            DIFFERS,
        ),
        (
            {
                "status": "processing",
                "image_url": "u",
                "sku_code": "editable_image_ad",
                "editable": True,
            },
            UNSEEN,
            HOLDS,
        ),
    ],
)
def test_pictures_and_prices(ad: dict[str, Any], image_url: Verdict, sku: Verdict) -> None:
    assert verdict(fields.image_urls([{"id": "ia_1", **ad}])) == image_url
    assert verdict(fields.sku_codes([{"id": "ia_1", **ad}])) == sku


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (None, UNSEEN),
        ({"step": "copy", "message": "Writing", "percentage": 0.4}, HOLDS),
        ({"step": "copy", "message": "Writing", "percentage": 1}, HOLDS),
        ({"step": "copy", "message": "Writing", "percentage": 40}, DIFFERS),
        ({"step": "copy", "message": "Writing", "percentage": "40%"}, DIFFERS),
        ({"step": "copy", "message": "Writing", "percentage": True}, DIFFERS),
        ({"step": "copy", "percentage": 0.4}, DIFFERS),
        (0.4, DIFFERS),
    ],
)
def test_progress(progress: Any, expected: Verdict) -> None:
    assert verdict(fields.progress([{"id": "ia_1", "progress": progress}])) == expected


STREAM = Reply("GET", "/v1/image-ads/ia_1", 200, {"content-type": "text/event-stream"})


def stream(*names: str, reply: Reply = STREAM) -> Stream:
    return Stream(reply, tuple(Event(name) for name in names), "closed without an end")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (stream("complete"), HOLDS),
        (stream("started", "error"), HOLDS),
        (stream("started"), DIFFERS),
        (stream("heartbeat", "heartbeat"), DIFFERS),
        (stream(), DIFFERS),
        (stream(reply=yes({"id": "ia_1", "status": "completed"})), HOLDS),
        (stream(reply=yes({"id": "ia_1", "status": "processing"})), DIFFERS),
        (stream(reply=no(409, "CONFLICT")), DIFFERS),
        (stream(reply=no(403, "FORBIDDEN")), UNSEEN),
    ],
)
def test_a_stream_of_a_finished_ad(answer: Stream, expected: Verdict) -> None:
    assert verdict(streams.finished_ad_stream(answer)) == expected


@pytest.mark.parametrize(
    ("names", "status", "expected"),
    [
        (["started", "progress", "heartbeat", "complete"], "completed", HOLDS),
        (["started", "error"], "failed", HOLDS),
        (["started", "complete"], "failed", DIFFERS),
        (["started", "progress"], "completed", DIFFERS),
        (["started", "ping", "complete"], "completed", DIFFERS),
        (["message"], "completed", DIFFERS),
        ([], "completed", DIFFERS),
    ],
)
def test_a_stream_of_a_running_ad(names: list[str], status: str, expected: Verdict) -> None:
    assert verdict(streams.events(stream(*names), status)) == expected


def test_progress_and_silence_of_a_stream() -> None:
    half = {"step": "copy", "message": "Writing", "percentage": 0.5}
    good = Stream(STREAM, (Event("started"), Event("progress", half, 29.0)))
    odd = Stream(STREAM, (Event("progress", {"percentage": 50}, 31.0),))
    assert verdict(streams.stream_progress(good)) == verdict(streams.silence(good)) == HOLDS
    assert verdict(streams.stream_progress(odd)) == verdict(streams.silence(odd)) == DIFFERS
    assert (
        verdict(streams.stream_progress(stream())) == verdict(streams.silence(stream())) == UNSEEN
    )


IDS = {
    "design_template_id": "dt_1",
    "brand_id": "brand_1",
    "product_id": "prod_1",
    "audience_id": "aud_1",
}
NEW_AD = {"id": "ia_1", "status": "processing", "sku_code": "flat_image_ad", **IDS}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (yes(NEW_AD, 202), HOLDS),
        (yes(NEW_AD, 200), DIFFERS),
        (yes(NEW_AD, 201), DIFFERS),
        (yes({**NEW_AD, "status": "pending"}, 202), DIFFERS),
        (yes({**NEW_AD, "brand_id": "brand_2"}, 202), DIFFERS),
        (yes({**NEW_AD, "width": "wide"}, 202), DIFFERS),
    ],
)
def test_the_answer_to_a_create(reply: Reply, expected: Verdict) -> None:
    assert verdict(one_ad.created(reply, IDS)) == expected


def test_a_replay() -> None:
    replayed = {"idempotent-replayed": "true"}
    assert verdict(one_ad.replay(yes(NEW_AD, 202, replayed), "ia_1")) == HOLDS
    assert verdict(one_ad.replay(yes(NEW_AD, 202), "ia_1")) == DIFFERS
    assert verdict(one_ad.replay(no(409, "CONFLICT"), "ia_1")) == DIFFERS
    second = one_ad.replay(yes({**NEW_AD, "id": "ia_2"}, 202, replayed), "ia_1")
    assert "made ia_2, which is billed as well" in second.text


@pytest.mark.parametrize(
    ("ads", "expected"),
    [
        ([("processing", None), ("completed", "u")], HOLDS),
        ([("processing", None), ("failed", None)], HOLDS),
        ([("completed", "u")], HOLDS),
        ([("processing", None)], UNSEEN),
        ([("processing", "u"), ("completed", "u")], DIFFERS),
        ([("queued", None), ("processing", None), ("completed", "u")], DIFFERS),
        ([("processing", None), ("cancelled", None)], DIFFERS),
        ([], UNSEEN),
    ],
)
def test_the_states_of_an_ad(ads: list[tuple[str, str | None]], expected: Verdict) -> None:
    polls = [yes({"id": "ia_1", "status": status, "image_url": url}) for status, url in ads]
    assert verdict(one_ad.states(polls)) == expected


def test_a_picture() -> None:
    png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\r"
    seen = one_ad.picture({"width": 3840, "height": 4800}, 200, "image/png", png)
    assert (seen.verdict, seen.text) == (HOLDS, "PNG, 3840 × 4800 pixels")
    assert verdict(one_ad.picture({}, 403, "text/html", b"<html>Expired")) == DIFFERS


def test_versions() -> None:
    assert verdict(versions(yes([{"id": "iav_1", "created_at": META["timestamp"]}]))) == HOLDS
    assert verdict(versions(yes([]))) == UNSEEN
    assert verdict(versions(yes([{"id": "ia_1"}]))) == DIFFERS
    assert verdict(versions(yes([{"id": "iav_1", "version": "first"}]))) == DIFFERS


def test_a_job_record() -> None:
    good = {"job_id": "job_1", "status": "completed", "progress": 1, "error": None}
    assert verdict(fields.record(yes(good))) == HOLDS
    assert verdict(fields.record(yes({**good, "error": {"code": "X"}}))) == DIFFERS
    assert verdict(fields.record(no(404, "NOT_FOUND"))) == DIFFERS


def test_an_ad_is_made_of_what_belongs_together() -> None:
    from prefect_staticadslab.contract.kinds import AUDIENCES, DESIGN_TEMPLATES, PRODUCTS

    there = {
        DESIGN_TEMPLATES: yes(
            [{"id": "dt_0", "status": "failed"}, {"id": "dt_1", "status": "completed"}]
        ),
        BRANDS: items("brand_1"),
        PRODUCTS: yes(
            [{"id": "prod_0", "brand_id": "brand_0"}, {"id": "prod_1", "brand_id": "brand_1"}]
        ),
        AUDIENCES: yes(
            [{"id": "aud_0", "product_id": "prod_0"}, {"id": "aud_1", "product_id": "prod_1"}]
        ),
    }
    assert ingredients(there) == IDS
    for kind in there:
        assert ingredients({**there, kind: yes([])}) is None
        assert ingredients({k: v for k, v in there.items() if k != kind}) is None
