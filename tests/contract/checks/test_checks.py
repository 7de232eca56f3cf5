"""What any answer says of an assumption: its envelope, its limits, a refusal, an account."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_staticadslab.contract.checks import answers, refusals
from prefect_staticadslab.contract.probes.account import key_scopes, organization_name
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Verdict
from tests.contract.checks.replies import (
    DIFFERS,
    HOLDS,
    LIMIT,
    META,
    UNSEEN,
    no,
    page,
    verdict,
    yes,
)


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


def test_a_long_question_is_cut() -> None:
    reply = Reply("GET", f"/v1/image-ads?ids={','.join(['ia_0123456789abcdef'] * 100)}", 200)
    assert len(reply.question) < 100
    assert reply.question.endswith("…")
