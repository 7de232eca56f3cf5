"""What was drawn in Figma is sent in batches that the API takes, and each ad has its own answer."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from prefect_staticadslab import FigmaRender
from prefect_staticadslab.api.models import MAX_FIGMA_BYTES, FigmaSyncResult, figma_batches
from tests.api.test_vendor_shapes import client_of
from tests.support.scripted import answer, data, scripted

pytestmark = pytest.mark.usefixtures("no_pauses_between_retries")


@pytest.mark.parametrize(
    ("item", "message", "status"),
    [
        ({"id": "ia_1", "success": True}, None, None),
        ({"image_ad_id": "ia_1", "success": True, "version_id": "iav_1"}, None, None),
        ({"id": "ia_1", "status": "processing", "sku_code": "x"}, None, "processing"),
        ({"id": "ia_1", "image_ad": {"id": "ia_1", "status": "completed"}}, None, "completed"),
        ({"data": {"id": "ia_1", "status": "completed"}}, None, "completed"),
        ({"id": "ia_1", "error": {"code": "X", "message": "No."}}, "No.", None),
        ({"id": "ia_1", "error": "No."}, "No.", None),
        ({"id": "ia_1", "success": False, "message": "No."}, "No.", None),
        ({"id": "ia_1", "status": "error"}, "no reason given", None),
        ({"id": "ia_1", "success": False, "error": None}, "no reason given", None),
    ],
)
async def test_each_item_of_a_sync_succeeds_or_fails_by_itself(
    item: dict[str, Any], message: str | None, status: str | None
) -> None:
    render = FigmaRender(id="ia_1", current_json_tree={}, figma_render_base64="eA==")
    for reply in (answer({"results": [item]}), data({"results": [item]}), data([item])):
        async with scripted([reply]) as server, client_of(server.url) as client:
            (synced,) = await client.sync_image_ads([render])
        assert synced.id == "ia_1"
        assert synced.is_synced == (message is None)
        assert (synced.error and synced.error.message) == message
        assert (synced.image_ad and synced.image_ad.status) == status


def test_a_sync_is_cut_by_number_and_by_bytes() -> None:
    def render(megabytes: float) -> FigmaRender:
        picture = base64.b64encode(bytes(int(megabytes * 750_000))).decode()
        return FigmaRender(id="ia_1", current_json_tree={}, figma_render_base64=picture)

    batches = list(figma_batches([render(4)] * 7 + [render(0.01)] * 23))
    assert [len(batch) for batch in batches] == [3, 3, 10, 10, 4]
    for batch in batches:
        body = json.dumps({"items": [one.model_dump() for one in batch]})
        assert len(body.encode()) <= MAX_FIGMA_BYTES
    with pytest.raises(ValueError, match=r"ia_1 has 16\.0 MB"):
        list(figma_batches([render(16)]))


async def test_a_sync_that_is_too_large_is_not_sent() -> None:
    render = FigmaRender(id="ia_1", current_json_tree={}, figma_render_base64="eA==")
    async with scripted([answer({"results": []})]) as server, client_of(server.url) as client:
        with pytest.raises(ValueError, match="at most 10 ads and 15 MB"):
            await client.sync_image_ads([render] * 11)
    assert server.received == []


def test_an_item_that_is_none_hides_no_other() -> None:
    assert FigmaSyncResult.model_validate({"id": "ia_1"}).is_synced
    with pytest.raises(ValueError, match="id"):
        FigmaSyncResult.model_validate({"status": "completed"})
