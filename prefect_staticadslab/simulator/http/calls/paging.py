"""Lists that come in pages, filtered by their query."""

from __future__ import annotations

from typing import Any

from prefect_staticadslab.simulator.http.operation import Reply
from prefect_staticadslab.simulator.model.resources.queries import List


def page(query: List, items: list[dict[str, Any]]) -> Reply:
    """The page of items that a query asks for, filtered, and whether more follow.

    A page begins after `starting_after`; with an id that is not there it is empty.
    """
    items = matching(query, items)
    start = 0
    if query.starting_after is not None:
        places = [p for p, item in enumerate(items) if item["id"] == query.starting_after]
        start = places[0] + 1 if places else len(items)
    end = start + query.limit
    return Reply(items[start:end], has_more=len(items) > end)


def matching(query: List, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items that pass a query's filters, on whatever page."""
    filters = query.filters()
    return [item for item in items if all(item[n] == value for n, value in filters.items())]
