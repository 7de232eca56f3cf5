"""The calls for the catalogue: brands, products, variants, audiences and images."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prefect_staticadslab.simulator.http.calls.paging import page
from prefect_staticadslab.simulator.http.operation import DELETED, Call, Handler, Reply
from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.errors import not_valid
from prefect_staticadslab.simulator.model.resources.queries import List
from prefect_staticadslab.simulator.model.uploads import read_image


async def upload_image(call: Call) -> Reply:
    """Adds an image."""
    upload = await asyncio.to_thread(read_image, *file_of(call))
    return Reply(call.api.add_image(upload, call.fields, now()))


def file_of(call: Call) -> tuple[str, bytes]:
    """The name and the content of the file in a form.

    Raises:
        APIError: 400 if the field is no file.
    """
    if "file" not in call.files:
        raise not_valid(("file", "is required"))
    return call.files["file"]


def create(resource_type: str) -> Handler:
    """The handler of the call that adds a resource of this type."""

    async def answer(call: Call) -> Reply:
        fields = call.sent.model_dump() if call.sent else {}
        return Reply(call.api.catalogue.create(resource_type, fields, now()))

    return answer


def list_all(resource_type: str) -> Handler:
    """The handler of the call that lists resources of this type."""
    return _handler(
        lambda call: page(
            call.list_query(List), list(call.api.catalogue.all(resource_type).values())
        )
    )


def get(resource_type: str) -> Handler:
    """The handler of the call that reads a resource of this type."""
    return _handler(lambda call: Reply(call.api.catalogue.get(resource_type, call.id)))


def update(resource_type: str) -> Handler:
    """The handler of the call that changes a resource of this type."""
    return _handler(
        lambda call: Reply(call.api.catalogue.update(resource_type, call.id, call.fields, now()))
    )


def delete(resource_type: str) -> Handler:
    """The handler of the call that deletes a resource of this type."""

    def answer(call: Call) -> Reply:
        call.api.delete_resource(resource_type, call.id)
        return DELETED

    return _handler(answer)


def _handler(answer: Callable[[Call], Reply]) -> Handler:
    """A handler made of a function that does not wait."""

    async def handler(call: Call) -> Reply:
        return answer(call)

    return handler
