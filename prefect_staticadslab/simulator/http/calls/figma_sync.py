"""The call that takes over what was changed in Figma, ad by ad."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from prefect_staticadslab.simulator.http.endpoint import Call, Reply
from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.errors import APIError, not_valid
from prefect_staticadslab.simulator.model.trees import check_tree
from prefect_staticadslab.simulator.model.uploads import decode_image

MOST_ITEMS: Final = 10
"""Of one sync."""


async def sync_image_ads(call: Call) -> Reply:
    """Takes over what was changed in Figma; an item that fails keeps no other from its version."""
    items = call.body.get("items") if isinstance(call.body, dict) else None
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_ITEMS:
        raise not_valid(("items", f"has between 1 and {MOST_ITEMS} image ads"))
    for number, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("id"), str):
            raise not_valid((f"items.{number}.id", "is required"))
    return Reply({"results": [await _result(call, item) for item in items]})


async def _result(call: Call, item: dict[str, Any]) -> dict[str, Any]:
    """What becomes of one item."""
    result = {"id": item["id"], "success": True, "version_id": None, "error": None}
    try:
        result["version_id"] = await _synchronize(call, item)
    except APIError as error:
        result |= {"success": False, "error": {"code": error.code, "message": error.message}}
    return result


async def _synchronize(call: Call, item: dict[str, Any]) -> str:
    """Makes an item a version of its ad, and returns the version's id.

    Raises:
        APIError: 400, 404, 409, 413 or 422.
    """
    tree = check_tree(item.get("current_json_tree"))
    picture = await asyncio.to_thread(
        decode_image, item.get("figma_render_base64"), "figma_render_base64"
    )
    return call.api.sync_image_ad(item["id"], tree, picture, now())
