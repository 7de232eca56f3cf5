"""Whatever the API answers is told, and nothing of it breaks the command."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab.contract.checks import answers, fields, lists, one_ad, refusals, streams
from prefect_staticadslab.contract.checks.description import Description, served
from prefect_staticadslab.contract.exchange import Event, Stream
from prefect_staticadslab.contract.kinds import KINDS
from prefect_staticadslab.contract.probes.account import key_scopes, organization_name
from prefect_staticadslab.contract.probes.finished_ads import versions
from prefect_staticadslab.contract.probes.one_ad import ingredients
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Seen
from tests.contract.command import Contract
from tests.contract.described import description
from tests.support.scripted import answer, scripted

NAMES = (
    *("data", "error", "meta", "has_more", "code", "message", "details", "field", "id", "status"),
    *(
        "organization",
        "name",
        "api_key",
        "scopes",
        "progress",
        "percentage",
        "sku_code",
        "editable",
    ),
    *("image_url", "created_at", "brand_id", "product_id", "request_id", "timestamp", "job_id"),
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "x", "ia_1"])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=20,
)
REPLIES = st.builds(
    Reply,
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/v1/brands", "/v1/image-ads/ia_1", "/openapi.json"]),
    st.sampled_from([200, 202, 400, 403, 404, 409, 422, 429, 500, 502]),
    st.dictionaries(st.sampled_from(["ratelimit-reset", "content-type"]), st.text(max_size=5)),
    st.fixed_dictionaries({}, optional={"data": JSON, "error": JSON, "meta": JSON}) | JSON,
)

CHECKS: list[Callable[[Reply], Seen]] = [
    lambda reply: answers.envelope([reply]),
    lambda reply: answers.request_ids([reply]),
    lambda reply: answers.meta_timestamps([reply]),
    lambda reply: answers.rate_limit_headers([reply]),
    lambda reply: answers.rate_limit_window([reply]),
    lambda reply: answers.rate_limit_counts([reply] * 6),
    lambda reply: refusals.refused(reply, refusals.INVALID),
    lambda reply: refusals.details([reply]),
    lambda reply: refusals.refused_again(reply, reply),
    refusals.used_key_with_other_body,
    lambda reply: lists.has_more({KINDS[0]: reply}),
    lambda reply: lists.cursors(["a", "b"], reply, reply),
    lambda reply: lists.many_ids(reply, ["a"], 80),
    lambda reply: lists.unknown_left_out(reply, ["a"], "b"),
    lambda reply: lists.ids_without_cursors(reply, ["a"]),
    *(lambda reply, kind=kind: fields.readable(kind, reply) for kind in KINDS),
    lambda reply: fields.id_prefixes({KINDS[0]: reply}),
    lambda reply: fields.times({KINDS[0]: reply}),
    lambda reply: fields.statuses({KINDS[0]: reply}),
    lambda reply: fields.sku_codes(reply.items),
    lambda reply: fields.image_urls(reply.items),
    lambda reply: fields.progress(reply.items),
    fields.record,
    versions,
    organization_name,
    key_scopes,
    lambda reply: streams.finished_ad_stream(Stream(reply, (Event("progress", reply.body),), "")),
    lambda reply: streams.stream_progress(Stream(reply, (Event("progress", reply.body),), "")),
    lambda reply: one_ad.created(reply, {"brand_id": "brand_1"}),
    lambda reply: one_ad.replay(reply, "ia_1"),
    lambda reply: one_ad.states([reply, reply]),
    served,
]


@given(REPLIES)
def test_a_check_has_something_to_say_of_any_answer(reply: Reply) -> None:
    for check in CHECKS:
        assert check(reply).text


@given(REPLIES)
def test_an_ad_is_made_of_texts_or_not_at_all(reply: Reply) -> None:
    body = ingredients(dict.fromkeys(KINDS, reply))
    assert body is None or all(isinstance(value, str) for value in body.values())


def places(tree: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all parts of a tree."""
    below = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found = [way] if way else []
    for name, part in below if isinstance(tree, dict | list) else ():
        found += places(part, (*way, name))
    return found


DESCRIPTION = description()
PLACES = places(DESCRIPTION)


@given(st.sampled_from(PLACES), JSON)
def test_a_description_may_have_anything_anywhere(place: tuple[Any, ...], odd: Any) -> None:
    document = copy.deepcopy(DESCRIPTION)
    tree: Any = document
    for name in place[:-1]:
        tree = tree[name]
    tree[place[-1]] = odd
    described = Description.of(document)
    for seen in (
        described.calls(),
        described.answers(),
        described.bodies(),
        described.filters(),
        described.template_upload(),
    ):
        assert seen.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None},
        {"data": [None, [], 3]},
        {"data": [{"id": []}, {"id": {}}], "has_more": "yes", "meta": []},
        {"data": [{"id": "a/b?c", "status": "completed", "editable": 1, "job_id": []}]},
        {"data": [{"id": "ia_1", "status": [], "sku_code": {}, "error": 1, "progress": ""}]},
        {"data": {"organization": [], "api_key": 1}, "error": []},
    ],
)
async def test_a_command_comes_to_its_end_whatever_is_answered(
    body: Any, contract: Contract
) -> None:
    async with scripted([answer(body)]) as server:
        run = await asyncio.to_thread(contract, url=server.url)
    assert run.status == 1
    assert run.report["counts"]["differs"] > 10
