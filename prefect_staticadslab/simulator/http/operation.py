"""What a call of the API is: its path, what may be sent, and what is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from prefect_staticadslab.simulator.model.resources.base import Answer, Body
from prefect_staticadslab.simulator.model.resources.envelopes import Deleted, envelope_of, page_of
from prefect_staticadslab.simulator.model.resources.ids import PREFIXES
from prefect_staticadslab.simulator.model.resources.queries import List
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

Q = TypeVar("Q", bound=List)


@dataclass(frozen=True)
class Call:
    """A request that was let in, and whose query and body make sense.

    Attributes:
        request: The request itself.
        api: What is simulated.
        idempotency_key: Its idempotency key, if it has one.
        query: The query of a list; None for a call that reads none.
        sent: Its body; None for a call that has none.
        files: The files of its form, by field: name and content.
    """

    request: Request
    api: SimulatedAPI
    idempotency_key: str | None
    query: List | None = None
    sent: BaseModel | None = None
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The id in the path."""
        identifier: str = self.request.path_params["id"]
        return identifier

    def list_query(self, kind: type[Q]) -> Q:
        """The query of a list.

        Raises:
            TypeError: The table of calls gives this call another model for its query.
        """
        if not isinstance(self.query, kind):
            raise TypeError(f"{self.request.url.path} has no query of {kind.__name__}.")
        return self.query

    @property
    def fields(self) -> dict[str, Any]:
        """The fields that were sent in the body, by name, without those that were left out."""
        return self.sent.model_dump(exclude_unset=True) if self.sent else {}


@dataclass(frozen=True)
class Reply:
    """What a call answers, before it is put into its envelope.

    Attributes:
        data: What is below `data`; addresses of this server are still without their host.
        has_more: Whether a list goes on; None for what is no list.
    """

    data: Any
    has_more: bool | None = None


DELETED: Final = Reply({"deleted": True})
"""What answers the deletion of anything."""

Handler = Callable[[Call], Awaitable[Reply | Response]]


_SCOPES: Final = {"product-variants": "products", "jobs": "image_ads"}
"""Whose scope a resource needs that has none of its own."""


@dataclass(frozen=True)
class Operation:
    """A call of the API, as it is answered and as it is described.

    Attributes:
        name: What it is called.
        method: Its method.
        path: Its path below `/v1`.
        handler: What answers it, once its API key, query and body are checked.
        answer: What it answers: the model of a resource, or of what is in a list.
        query: The model of its query, if it answers a list.
        status: The HTTP status of its success.
        json: What may be sent as JSON.
        form: What may be sent as a form.
        streams: Whether it answers events, too.
    """

    name: str
    method: str
    path: str
    handler: Handler
    answer: type[Answer]
    query: type[List] | None = None
    status: int = 200
    json: type[Body] | None = None
    form: type[Body] | None = None
    streams: bool = False

    @cached_property
    def scope(self) -> str | None:
        """The scope that the API key needs, such as `brands:read`; None if every key may do it."""
        resource = self.path.partition("/")[0]
        if resource == "account":
            return None
        verb = "read" if self.method == "GET" else "write"
        return f"{_SCOPES.get(resource, resource.replace('-', '_'))}:{verb}"

    @cached_property
    def begins_job(self) -> bool:
        """Whether it begins what costs money or time: an ad, a template, or another rendering."""
        places = ("image-ads", "image-ads/{id}", "design-templates", "design-templates/{id}")
        return self.method in ("POST", "PATCH") and self.path in places

    @cached_property
    def noun(self) -> str | None:
        """What the id in its path is of, such as `image ad`; None if it has no prefix."""
        noun = self.path.partition("/")[0].replace("-", " ").removesuffix("s")
        return noun if "{id}" in self.path and noun in PREFIXES else None

    @cached_property
    def response_model(self) -> type[Answer]:
        """The model of the whole answer: the resource or the page in its envelope, or `Deleted`."""
        if self.answer is Deleted:
            return Deleted
        return page_of(self.answer) if self.query else envelope_of(self.answer)
