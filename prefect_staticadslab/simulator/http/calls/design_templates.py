"""The calls for design templates."""

from __future__ import annotations

import asyncio

from prefect_staticadslab.simulator.http.calls.catalogue import file_of
from prefect_staticadslab.simulator.http.calls.fetch import fetch_image
from prefect_staticadslab.simulator.http.calls.paging import matching, page
from prefect_staticadslab.simulator.http.operation import DELETED, Call, Reply
from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.resources.queries import DesignTemplates
from prefect_staticadslab.simulator.model.uploads import read_image


async def create_template(call: Call) -> Reply:
    """Begins to make a template from a file, or from an address of this machine."""
    if "reference_image_url" in call.fields:
        reference = await asyncio.to_thread(fetch_image, call.fields["reference_image_url"])
    else:
        reference = await asyncio.to_thread(read_image, *file_of(call))
    return Reply(call.api.create_template(reference, now()))


async def list_templates(call: Call) -> Reply:
    """The templates of some ids, or a page of all or of the deleted ones."""
    query = call.list_query(DesignTemplates)
    templates = list(call.api.design_templates.all(now(), deleted=query.deleted))
    if query.ids is None:
        return page(query, templates)
    wanted = set(query.ids)
    return Reply(matching(query, [t for t in templates if t["id"] in wanted]), has_more=False)


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
    return Reply(call.api.design_templates.update(call.id, call.fields, now()))
