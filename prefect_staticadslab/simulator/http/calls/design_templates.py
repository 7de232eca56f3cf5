"""The calls for design templates."""

from __future__ import annotations

import asyncio

from prefect_staticadslab.simulator.http.endpoint import DELETED, Call, Reply
from prefect_staticadslab.simulator.http.fetch import fetch_image
from prefect_staticadslab.simulator.http.paging import page, wanted_ids
from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.errors import not_valid
from prefect_staticadslab.simulator.model.uploads import read_image


async def create_template(call: Call) -> Reply:
    """Begins to make a template from a file, or from an address of this machine."""
    if "file" in call.files:
        reference = await asyncio.to_thread(read_image, *call.files["file"])
    elif isinstance(call.body, dict) and call.body.get("reference_image_url"):
        reference = await asyncio.to_thread(fetch_image, call.body["reference_image_url"])
    else:
        raise not_valid(("file", "is required, or reference_image_url"))
    return Reply(call.api.create_template(reference, now()), 202)


async def list_templates(call: Call) -> Reply:
    """A page of the templates."""
    wanted_ids(call)  # not too many of them; `page` picks them
    deleted = call.request.query_params.get("deleted") == "true"
    return page(call, list(call.api.design_templates.all(now(), deleted=deleted)))


async def get_template(call: Call) -> Reply:
    """A template."""
    return Reply(call.api.design_templates.get(call.id, now()))


async def delete_template(call: Call) -> Reply:
    """Deletes a template, which can be restored."""
    call.api.design_templates.delete(call.id, now())
    return DELETED


async def restore_template(call: Call) -> Reply:
    """Brings a deleted template back."""
    return Reply(call.api.design_templates.restore(call.id, now()))


async def update_template(call: Call) -> Reply:
    """Gives a template another tree."""
    return Reply(call.api.design_templates.update(call.id, call.body, now()))
