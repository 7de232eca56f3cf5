"""What an answer says of an assumption, without anything being asked."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_staticadslab.api.models import ImageAd
from prefect_staticadslab.api.resources import Audience, Brand
from prefect_staticadslab.contract.checks import (
    answers,
    fields,
    lists,
    one_ad,
    refusals,
    streams,
)
from prefect_staticadslab.contract.exchange import Event, Stream
from prefect_staticadslab.contract.kinds import BRANDS, IMAGE_ADS
from prefect_staticadslab.contract.probes.account import key_scopes, organization_name
from prefect_staticadslab.contract.probes.finished_ads import versions
from prefect_staticadslab.contract.probes.one_ad import ingredients
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Seen, Verdict

HOLDS, DIFFERS, UNSEEN = Verdict.HOLDS, Verdict.DIFFERS, Verdict.UNSEEN
META = {"request_id": "req_1", "timestamp": "2026-01-05T09:00:00.000Z"}
LIMIT = {"ratelimit-limit": "100", "ratelimit-remaining": "90", "ratelimit-reset": "42"}


def yes(data: Any, status: int = 200, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    """An answer that says yes."""
    body = {"data": data, "meta": META, **more}
    return Reply("GET", "/v1/image-ads", status, {**LIMIT, **(headers or {})}, body)


def no(status: int, code: str = "VALIDATION_ERROR", **error: Any) -> Reply:
    """An answer that says no."""
    body = {"error": {"code": code, "message": "No.", **error}, "meta": META}
    return Reply("POST", "/v1/image-ads", status, LIMIT, body)


def page(status: int = 502) -> Reply:
    """A proxy's."""
    return Reply("GET", "/v1/image-ads", status, {"content-type": "text/html"})


def verdict(seen: Seen) -> Verdict:
    return seen.verdict


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (yes([]), HOLDS),
        (no(404, "NOT_FOUND"), HOLDS),
        (page(), DIFFERS),
        (Reply("GET", "/v1/brands", 200, LIMIT, {"items": []}), DIFFERS),
        (Reply("GET", "/v1/brands", 200, LIMIT, []), DIFFERS),
        (Reply("GET", "/v1/brands", 404, LIMIT, {"error": "no"}), DIFFERS),
        (Reply("GET", "/v1/brands", 404, LIMIT, {"error": {"code": "X"}}), DIFFERS),
    ],
)
def test_the_envelope(reply: Reply, expected: Verdict) -> None:
    assert verdict(answers.envelope([yes([]), reply])) == expected


def test_a_description_is_no_answer_of_the_api() -> None:
    description = Reply("GET", "/openapi.json", 200, {}, {"openapi": "3.1.0"})
    for check in (answers.envelope, answers.request_ids, answers.rate_limit_headers):
        assert verdict(check([yes([]), description])) == HOLDS


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"request_id": "req_1"}, HOLDS),
        ({"request_id": ""}, DIFFERS),
        ({"request_id": 17}, DIFFERS),
        ({}, DIFFERS),
        ("req_1", DIFFERS),
    ],
)
def test_request_ids(meta: Any, expected: Verdict) -> None:
    reply = Reply("GET", "/v1/brands", 200, LIMIT, {"data": [], "meta": meta})
    seen = answers.request_ids([yes([]), reply])
    assert verdict(seen) == expected
    assert ("not on 1 of 2 answers: GET /v1/brands: 200" in seen.text) == (expected is DIFFERS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05T09:00:00.000Z", True),
        ("2026-01-05T09:00:00+01:00", True),
        ("2026-01-05T09:00:00", False),
        ("2026-01-05", False),
        ("now", False),
        (1767603600, False),
        (None, False),
    ],
)
def test_times_have_a_zone(text: Any, expected: bool) -> None:
    assert answers.is_time(text) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, HOLDS),
        ({"ratelimit-reset": "0"}, HOLDS),
        ({"ratelimit-limit": "unlimited"}, DIFFERS),
        ({"ratelimit-remaining": ""}, DIFFERS),
        ({"ratelimit-reset": "soon"}, DIFFERS),
    ],
)
def test_rate_limit_headers(headers: dict[str, str], expected: Verdict) -> None:
    assert verdict(answers.rate_limit_headers([yes([], headers=headers)])) == expected


def test_an_answer_without_a_key_needs_no_limit() -> None:
    keyless = Reply("GET", "/v1/account", 401, {}, no(401).body, has_key=False)
    assert verdict(answers.rate_limit_headers([yes([]), keyless])) == HOLDS


@pytest.mark.parametrize(
    ("resets", "expected"),
    [(["12", "60"], HOLDS), (["12", "61"], DIFFERS), (["1767603600"], DIFFERS), ([""], UNSEEN)],
)
def test_the_window(resets: list[str], expected: Verdict) -> None:
    replies = [yes([], headers={"ratelimit-reset": reset}) for reset in resets]
    assert verdict(answers.rate_limit_window(replies)) == expected


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ([9, 8, 7, 6, 5, 4], HOLDS),
        ([9, 9, 9, 9, 9, 9], DIFFERS),
        ([9, 9, 9, 9, 9, 8, 9], HOLDS),
        ([9, 8], UNSEEN),
        (["", "", "", "", "", ""], UNSEEN),
    ],
)
def test_whether_requests_count(left: list[Any], expected: Verdict) -> None:
    replies = [yes([], headers={"ratelimit-remaining": str(each)}) for each in left]
    assert verdict(answers.rate_limit_counts(replies)) == expected


def test_retry_after() -> None:
    refused = Reply("GET", "/v1/brands", 429, {"retry-after": "3"}, no(429).body)
    silent = Reply("GET", "/v1/brands", 429, {}, no(429).body)
    assert verdict(answers.retry_after([yes([])])) == UNSEEN
    assert verdict(answers.retry_after([yes([]), refused])) == HOLDS
    assert verdict(answers.retry_after([refused, silent])) == DIFFERS


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (no(404, "NOT_FOUND"), HOLDS),
        (no(404, "MISSING"), DIFFERS),
        (no(410, "NOT_FOUND"), DIFFERS),
        (yes({}), DIFFERS),
        (page(404), DIFFERS),
        (no(500, "INTERNAL_ERROR"), DIFFERS),
        (no(403, "FORBIDDEN"), UNSEEN),
        (no(429, "RATE_LIMIT_EXCEEDED"), UNSEEN),
        (page(502), UNSEEN),
        (no(503, "UNAVAILABLE"), UNSEEN),
    ],
)
def test_a_refusal(reply: Reply, expected: Verdict) -> None:
    assert verdict(refusals.refused(reply, (refusals.NOT_FOUND,))) == expected


def test_what_was_made_against_all_expectation_is_named() -> None:
    made = Reply("POST", "/v1/audiences", 201, LIMIT, {"data": {"id": "aud_1"}, "meta": META})
    seen = refusals.refused(made, refusals.INVALID)
    assert (seen.verdict, seen.text) == (DIFFERS, "POST /v1/audiences: 201, and made aud_1")


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ([{"field": "brand_id", "message": "is required"}], HOLDS),
        ([], DIFFERS),
        (None, DIFFERS),
        ({"brand_id": "is required"}, DIFFERS),
        ([{"path": ["brand_id"], "message": "is required"}], DIFFERS),
        ([{"field": "brand_id", "message": ""}], DIFFERS),
        (["brand_id is required"], DIFFERS),
    ],
)
def test_details(details: Any, expected: Verdict) -> None:
    assert verdict(refusals.details([no(400, details=details)])) == expected


def test_no_details_are_seen_where_nothing_is_invalid() -> None:
    assert verdict(refusals.details([no(403, "FORBIDDEN")])) == UNSEEN


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (no(400), no(400), HOLDS),
        (no(400), no(422), DIFFERS),
        (no(400), no(409, "IDEMPOTENCY_CONFLICT"), DIFFERS),
        (no(400), yes({"id": "ia_1"}), DIFFERS),
        (yes({"id": "ia_1"}), yes({"id": "ia_1"}), DIFFERS),
        (no(403, "FORBIDDEN"), no(403, "FORBIDDEN"), UNSEEN),
    ],
)
def test_the_same_refusal_again(first: Reply, second: Reply, expected: Verdict) -> None:
    assert verdict(refusals.refused_again(first, second)) == expected


@pytest.mark.parametrize(
    ("reply", "refused", "used"),
    [
        (no(400), HOLDS, UNSEEN),
        (no(404, "NOT_FOUND"), DIFFERS, UNSEEN),
        (no(409, "IDEMPOTENCY_CONFLICT"), HOLDS, HOLDS),
        (no(409, "CONFLICT"), DIFFERS, DIFFERS),
        (yes({"id": "ia_1"}), DIFFERS, DIFFERS),
        (page(504), UNSEEN, UNSEEN),
    ],
)
def test_a_key_with_another_body(reply: Reply, refused: Verdict, used: Verdict) -> None:
    """Of a key whose request was refused, and of one that has made something."""
    assert verdict(refusals.key_with_other_body(reply)) == refused
    assert verdict(refusals.used_key_with_other_body(reply)) == used


@pytest.mark.parametrize(
    ("model", "item", "names"),
    [
        (Brand, {"id": "brand_1", "name": "A", "color_palettes": {"main": []}}, []),
        (Brand, {"id": "brand_1", "something_new": [1]}, []),
        (Brand, {"id": "brand_1", "color_palettes": None, "details": None}, []),
        (
            Brand,
            {"id": "brand_1", "color_palettes": "red", "fonts": {}},
            ["color_palettes", "fonts"],
        ),
        (Brand, {"name": "A"}, ["id"]),
        (Audience, {"id": "aud_1", "name": {"en": "A"}}, ["name"]),
        (Audience, {"id": "aud_1", "created_at": "yesterday"}, ["created_at"]),
        (ImageAd, {"id": "ia_1", "width": "wide", "status": 3}, ["status", "width"]),
        (ImageAd, {"id": "ia_1", "progress": {"percentage": "half"}}, ["progress.percentage"]),
        (ImageAd, {"id": "ia_1", "error": {"code": "X", "message": ["a"]}}, ["error.message"]),
        (ImageAd, {"id": "ia_1", "error": "broken"}, ["error"]),
    ],
)
def test_fields_that_cannot_be_read(model: Any, item: dict[str, Any], names: list[str]) -> None:
    assert fields.unreadable(model, item) == names


def test_a_list_says_which_field_of_what_cannot_be_read() -> None:
    seen = fields.readable(BRANDS, yes([{"id": "brand_1", "fonts": "Inter"}]))
    assert (seen.verdict, seen.text) == (DIFFERS, "fonts of brand_1 is a text")


def test_a_list_says_which_fields_nothing_has() -> None:
    seen = fields.readable(BRANDS, yes([{"id": "brand_1"}]))
    assert seen.verdict is HOLDS
    assert "without color_palettes" in seen.text


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (yes([]), UNSEEN),
        (no(403, "FORBIDDEN"), UNSEEN),
        (yes({"brands": []}), DIFFERS),
        (no(400), DIFFERS),
    ],
)
def test_a_list_that_is_none(reply: Reply, expected: Verdict) -> None:
    assert verdict(fields.readable(BRANDS, reply)) == expected


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


def test_statuses_times_and_ids_of_lists() -> None:
    good = {IMAGE_ADS: yes([{"id": "ia_1", "status": "failed", "created_at": META["timestamp"]}])}
    odd = {IMAGE_ADS: yes([{"id": "ad-1", "status": "queued", "created_at": "2026-01-05"}])}
    for check in (fields.statuses, fields.times, fields.id_prefixes):
        assert verdict(check({IMAGE_ADS: yes([])})) == UNSEEN
        assert verdict(check(good)) == HOLDS
        assert verdict(check(odd)) == DIFFERS


def test_has_more() -> None:
    assert verdict(lists.has_more({BRANDS: yes([], has_more=False)})) == HOLDS
    assert verdict(lists.has_more({BRANDS: yes([]), IMAGE_ADS: yes([], has_more=True)})) == DIFFERS
    assert verdict(lists.has_more({BRANDS: no(403, "FORBIDDEN")})) == UNSEEN
    assert verdict(lists.has_more({BRANDS: Reply("GET", "/v1/brands", 200, {}, [])})) == DIFFERS


def items(*ids: str, **more: Any) -> Reply:
    return yes([{"id": each} for each in ids], **more)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (items("a", has_more=True), items("b"), HOLDS),
        (items("a", has_more=True), items("a"), DIFFERS),
        (items("a", has_more=True), items(), DIFFERS),
        (items("a", has_more=True), items("c"), DIFFERS),
        (items("a", "b", has_more=True), items("b"), DIFFERS),
        (items("a", has_more=False), items("b"), DIFFERS),
        (items("a", has_more=True), no(400), DIFFERS),
        (items("a", has_more=True), page(503), UNSEEN),
    ],
)
def test_cursors(first: Reply, second: Reply, expected: Verdict) -> None:
    assert verdict(lists.cursors(["a", "b", "c"], first, second)) == expected


@pytest.mark.parametrize(
    ("reply", "count", "expected"),
    [
        (items("a", "b"), 2, HOLDS),
        (items("b", "a"), 100, HOLDS),
        (items("a"), 100, DIFFERS),
        (no(400), 80, DIFFERS),
        (page(414), 100, DIFFERS),
        (no(403, "FORBIDDEN"), 100, UNSEEN),
        (no(400), 101, HOLDS),
        (items("a", "b"), 101, DIFFERS),
        (no(422), 101, DIFFERS),
    ],
)
def test_a_batch(reply: Reply, count: int, expected: Verdict) -> None:
    assert verdict(lists.batch(reply, ["a", "b"], count)) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (items("a"), HOLDS),
        (items(), DIFFERS),
        (items("a", "x"), DIFFERS),
        (no(404, "NOT_FOUND"), DIFFERS),
    ],
)
def test_unknown_ids_in_a_batch(reply: Reply, expected: Verdict) -> None:
    assert verdict(lists.unknown_left_out(reply, ["a"], "x")) == expected


def test_ids_do_not_come_in_pages() -> None:
    assert verdict(lists.ids_without_cursors(items("b", "a"), ["a", "b"])) == HOLDS
    assert verdict(lists.ids_without_cursors(items("b"), ["a", "b"])) == DIFFERS
    assert verdict(lists.ids_without_cursors(no(400), ["a", "b"])) == DIFFERS


def test_bounds_of_a_page() -> None:
    assert verdict(lists.limit_bounds(items(), no(400), no(400))) == HOLDS
    assert verdict(lists.limit_bounds(items(), items(), no(400))) == DIFFERS
    assert verdict(lists.limit_bounds(items(), no(400), items())) == DIFFERS
    assert verdict(lists.limit_bounds(no(400), no(400), no(400))) == DIFFERS


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
    assert verdict(streams.of_finished_ad(answer)) == expected


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


@pytest.mark.parametrize(
    ("data", "name", "scopes"),
    [
        ({"organization": {"name": "A"}, "api_key": {"scopes": ["brands:read"]}}, HOLDS, HOLDS),
        ({"organization": {"name": "A"}, "scopes": ["brands:read"]}, HOLDS, DIFFERS),
        ({"organization": "A", "api_key": {"scopes": "brands:read"}}, DIFFERS, DIFFERS),
        ({"name": "A", "api_key": {"scopes": ["admin"]}}, DIFFERS, DIFFERS),
        ({"organization": {"name": "A"}, "api_key": {"scopes": []}}, HOLDS, HOLDS),
    ],
)
def test_an_account(data: dict[str, Any], name: Verdict, scopes: Verdict) -> None:
    assert verdict(organization_name(yes(data))) == name
    assert verdict(key_scopes(yes(data))) == scopes


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


def test_a_long_question_is_cut() -> None:
    reply = Reply("GET", f"/v1/image-ads?ids={','.join(['ia_0123456789abcdef'] * 100)}", 200)
    assert len(reply.question) < 100
    assert reply.question.endswith("…")
