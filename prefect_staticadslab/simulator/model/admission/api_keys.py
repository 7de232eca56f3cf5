"""The API keys that the simulator knows, and what each may do."""

from __future__ import annotations

from typing import Final

SIMULATOR_API_KEY: Final = "sal_live_simulator"
SECOND_API_KEY: Final = "sal_live_simulator_2"
"""Of the same organization, with a rate limit of its own."""
READ_ONLY_API_KEY: Final = "sal_live_read_only"

RESOURCES: Final = (
    "brands",
    "products",
    "audiences",
    "images",
    "design_templates",
    "image_ads",
)


def scopes_by_key() -> dict[str, list[str]]:
    """What each key may do, such as `image_ads:write`."""
    every = [f"{resource}:{verb}" for resource in RESOURCES for verb in ("read", "write")]
    return {
        SIMULATOR_API_KEY: every,
        SECOND_API_KEY: every,
        READ_ONLY_API_KEY: [scope for scope in every if scope.endswith(":read")],
    }
