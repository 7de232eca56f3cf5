"""Whose key it is, and what it may do."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from prefect_staticadslab.api.models.fields import Maybe, Resource


class Account(Resource):
    """`GET /v1/account`: whose key this is, and what it may do.

    `scopes` are None if the API does not say. They are in `data.api_key.scopes`, or, as earlier
    descriptions had it, in `data.scopes`; `organization` is an object with a name, or a name.
    """

    organization: Any = None
    scopes: Maybe[tuple[str, ...]] = None

    @model_validator(mode="before")
    @classmethod
    def _with_scopes_of_the_key(cls, data: Any) -> Any:
        key = data.get("api_key") if isinstance(data, dict) else None
        scopes = key.get("scopes") if isinstance(key, dict) else None
        return data if scopes is None else {**data, "scopes": scopes}

    @property
    def organization_name(self) -> str:
        """The organization's name, or an empty string if the API did not say."""
        if isinstance(self.organization, dict):
            return str(self.organization.get("name") or "")
        return str(self.organization or "")
