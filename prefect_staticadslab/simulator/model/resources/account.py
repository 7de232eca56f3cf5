"""The account."""

from __future__ import annotations

from prefect_staticadslab.simulator.model.resources.base import Answer


class Organization(Answer):
    """Who pays."""

    name: str


class APIKey(Answer):
    """What the key of this request may do, such as `image_ads:write`."""

    scopes: list[str]


class Account(Answer):
    """Whose key it is."""

    organization: Organization
    api_key: APIKey
