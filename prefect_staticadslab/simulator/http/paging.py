"""Lists that come in pages, filtered by their query."""

from __future__ import annotations

from typing import Any, Final

from prefect_staticadslab.simulator.http.endpoint import Call, Reply
from prefect_staticadslab.simulator.model.errors import APIError

DEFAULT_LIMIT: Final = 20
LARGEST_LIMIT: Final = 100


def wanted_ids(call: Call) -> list[str] | None:
    """The ids that the query names; None if it names none at all.

    Raises:
        APIError: 400 for too many.
    """
    if "ids" not in call.request.query_params:
        return None
    ids = [i for i in call.request.query_params["ids"].split(",") if i]
    if len(ids) > LARGEST_LIMIT:
        raise APIError(400, "VALIDATION_ERROR", f"At most {LARGEST_LIMIT} ids.")
    return ids


def page(call: Call, items: list[dict[str, Any]]) -> Reply:
    """The items that the query asks for, and whether more follow.

    Raises:
        APIError: 400 for a limit that is no number from 1 to `LARGEST_LIMIT`.
    """
    query = dict(call.request.query_params)
    try:
        limit = int(query.pop("limit", DEFAULT_LIMIT))
    except ValueError:
        limit = 0
    if not 1 <= limit <= LARGEST_LIMIT:
        raise APIError(400, "VALIDATION_ERROR", f"limit is between 1 and {LARGEST_LIMIT}.")
    after = query.pop("starting_after", None)
    wanted = {i for i in query.pop("ids", "").split(",") if i}
    query.pop("deleted", None)  # which of the items were handed in
    items = [
        item
        for item in items
        if all(_as_query_value(item.get(name)) == value for name, value in query.items())
        and (not wanted or item["id"] in wanted)
    ]
    start = 0
    if after is not None:
        places = [place for place, item in enumerate(items) if item["id"] == after]
        start = places[0] + 1 if places else len(items)
    return Reply(items[start : start + limit], has_more=len(items) > start + limit)


def _as_query_value(value: Any) -> str:
    """A field as a query writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
