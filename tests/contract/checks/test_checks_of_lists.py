"""What a list says of an assumption: fields that cannot be read, pages, cursors and batches."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_staticadslab.api.models import ImageAd
from prefect_staticadslab.api.resources import Audience, Brand
from prefect_staticadslab.contract.checks import fields, lists
from prefect_staticadslab.contract.kinds import BRANDS, IMAGE_ADS
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Verdict
from tests.contract.checks.replies import (
    DIFFERS,
    HOLDS,
    META,
    UNSEEN,
    items,
    no,
    page,
    verdict,
    yes,
)


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
    assert verdict(lists.many_ids(reply, ["a", "b"], count)) == expected


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
