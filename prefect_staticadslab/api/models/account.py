"""Whose key it is, and what it may do."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from prefect_staticadslab.api.models.fields import Maybe, Resource


class Account(Resource):
    """`GET /v1/account`: whose key this is, and what it may do.

    Attributes:
        organization: An object with a name, or a name; None if the API does not say.
        scopes: What the key may do; None if the API does not say. They are in
            `data.api_key.scopes`, or, as earlier descriptions had it, in `data.scopes`.
    """

    organization: Any = None
    scopes: Maybe[tuple[str, ...]] = None

    @model_validator(mode="before")
    @classmethod
    def _lift_scopes_of_key(cls, data: Any) -> Any:
        """The answer with `api_key.scopes`, if it has them, as its own `scopes`."""
        key = data.get("api_key") if isinstance(data, dict) else None
        scopes = key.get("scopes") if isinstance(key, dict) else None
        return data if scopes is None else {**data, "scopes": scopes}

    @property
    def organization_name(self) -> str:
        """The organization's name, or an empty string if the API did not say."""
        if isinstance(self.organization, dict):
            return str(self.organization.get("name") or "")
        return str(self.organization or "")
