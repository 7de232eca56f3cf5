"""All design templates: those of the start, those that were made since, and which are deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prefect_staticadslab.simulator.model.clock import timestamp
from prefect_staticadslab.simulator.model.design_templates.template import Template
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.resources.ids import check_kind, find

Resource = dict[str, Any]
"""As the API answers it."""


class DesignTemplates:
    """All design templates by id. A deleted one can be restored, and its ads stay as they are.

    Args:
        seeded: Those of the start.

    Attributes:
        made: Those that were made since.
    """

    def __init__(self, seeded: dict[str, Resource]) -> None:
        self.made: dict[str, Template] = {}
        self._seeded = seeded
        self._deleted: set[str] = set()

    def all(self, now: float, *, deleted: bool = False) -> Iterator[Resource]:
        """The templates that are not deleted; with `deleted`, only those that are."""
        for identifier in (*self._seeded, *self.made):
            if (identifier in self._deleted) == deleted:
                yield self.get_even_deleted(identifier, now)

    def get(self, identifier: str, now: float) -> Resource:
        """The template of an id.

        Raises:
            APIError: 404, also for a deleted one.
        """
        if identifier in self._deleted:
            raise APIError(404, "NOT_FOUND", f"The design template {identifier} is deleted.")
        return self.get_even_deleted(identifier, now)

    def get_even_deleted(self, identifier: str, now: float) -> Resource:
        """The template of an id, whether or not it is deleted: ads that it made still need it.

        Raises:
            APIError: 404.
        """
        made = self.made.get(identifier)
        return made.resource(now) if made else find(self._seeded, identifier, "design template")

    def update(self, identifier: str, body: Mapping[str, Any], now: float) -> Resource:
        """Gives a template another tree.

        Raises:
            APIError: 404, or 409 while it is made.
        """
        if self.get(identifier, now)["status"] == "processing":
            raise APIError(409, "CONFLICT", "The design template is still being made.")
        made = self.made.get(identifier)
        fields = made.fields if made else self._seeded[identifier]
        fields["current_json_tree"] = body["current_json_tree"]
        fields["json_tree_version"] += 1
        fields["updated_at"] = timestamp(now)
        return self.get(identifier, now)

    def delete(self, identifier: str, now: float) -> None:
        """Deletes a template, so that it can be restored.

        Raises:
            APIError: 404, also if it is deleted already.
        """
        self.get(identifier, now)
        self._deleted.add(identifier)

    def restore(self, identifier: str, now: float) -> Resource:
        """Brings a deleted template back.

        Raises:
            APIError: 404 if none of this id is deleted.
        """
        check_kind(identifier, "design template")
        if identifier not in self._deleted:
            message = f"There is no deleted design template {identifier}."
            raise APIError(404, "NOT_FOUND", message)
        self._deleted.remove(identifier)
        return self.get(identifier, now)

    def age(self, seconds: float) -> None:
        """Makes what was made so many seconds older."""
        for template in self.made.values():
            template.created -= seconds
