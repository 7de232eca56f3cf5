"""The call that takes over what was changed in Figma, ad by ad."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect_staticadslab.simulator.http.operation import Call, Reply
from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.trees import check_tree
from prefect_staticadslab.simulator.model.uploads import decode_image


async def sync_image_ads(call: Call) -> Reply:
    """Takes over what was changed in Figma; an item that fails keeps no other from its version."""
    return Reply({"results": [await _result(call, item) for item in call.fields["items"]]})


async def _result(call: Call, item: dict[str, Any]) -> dict[str, Any]:
    """Synchronizes one item. Returns its entry in the answer: its version's id, or its error."""
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
    tree = check_tree(item["current_json_tree"])
    picture = await asyncio.to_thread(
        decode_image, item["figma_render_base64"], "figma_render_base64"
    )
    return call.api.sync_image_ad(item["id"], tree, picture, now())
