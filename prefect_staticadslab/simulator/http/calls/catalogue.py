"""The calls for the catalogue: brands, products, variants, audiences and images."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from prefect_staticadslab.simulator.http.endpoint import DELETED, Call, Handler, Reply
from prefect_staticadslab.simulator.http.paging import page
from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.errors import not_valid
from prefect_staticadslab.simulator.model.uploads import read_image

IMAGE_TYPES: Final = ("product", "lifestyle", "logo", "background", "other")


async def upload_image(call: Call) -> Reply:
    """Adds an image."""
    if "file" not in call.files:
        raise not_valid(("file", "is required"))
    if call.body.get("image_type") not in IMAGE_TYPES:
        raise not_valid(("image_type", f"is one of {', '.join(IMAGE_TYPES)}"))
    if call.body.get("logo_theme") not in (None, "light", "dark"):
        raise not_valid(("logo_theme", "is light or dark"))
    upload = await asyncio.to_thread(read_image, *call.files["file"])
    return Reply(call.api.add_image(upload, call.body, now()), 201)


def create(resource_type: str) -> Handler:
    """What answers the call that adds a resource of this type."""
    return _handler(
        lambda call: Reply(call.api.catalog.create(resource_type, call.body, now()), 201)
    )


def list_all(resource_type: str) -> Handler:
    """What answers the call that lists resources of this type."""
    return _handler(lambda call: page(call, list(call.api.catalog.all(resource_type).values())))


def get(resource_type: str) -> Handler:
    """What answers the call that reads a resource of this type."""
    return _handler(lambda call: Reply(call.api.catalog.get(resource_type, call.id)))


def update(resource_type: str) -> Handler:
    """What answers the call that changes a resource of this type."""
    return _handler(
        lambda call: Reply(call.api.catalog.update(resource_type, call.id, call.body, now()))
    )


def delete(resource_type: str) -> Handler:
    """What answers the call that deletes a resource of this type."""

    def answer(call: Call) -> Reply:
        call.api.delete_resource(resource_type, call.id)
        return DELETED

    return _handler(answer)


def _handler(answer: Callable[[Call], Reply]) -> Handler:
    """A handler that has nothing to wait for."""

    async def handler(call: Call) -> Reply:
        return answer(call)

    return handler
