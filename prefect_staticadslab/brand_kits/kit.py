"""A brand kit: what a brand's ads always use, kept in Prefect as an `ImageAdJob` block."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefect_staticadslab.api.connection import KEY_PREFIX
from prefect_staticadslab.campaign.errors import Words
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.rows.ad_defaults import AdDefaults

_NAME = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True)
class BrandKit:
    """A brand kit in ids.

    Attributes:
        name: The block's name.
        credentials: The name of the saved credentials block that it refers to.
        ad: What its ads are made of where they say nothing themselves.
    """

    name: str
    credentials: str
    ad: AdDefaults = field(default_factory=AdDefaults)

    @property
    def fields(self) -> dict[str, Any]:
        """What a kit file says of it, by the file's names: the options stand beside the other
        fields there, and the credentials are the name of their block."""
        fields = self.ad.model_dump()
        options = fields.pop("options")
        return {"credentials": self.credentials, **fields, **options}


def kit_words(names: Sequence[str]) -> Words:
    """The words for messages about a file of brand kits, whose number 1 is the first of `names`.

    A name that looks like an API key is not shown.
    """

    def kit_names(numbers: Sequence[int]) -> str:
        kits = (names[number - 1] for number in numbers)
        return ", ".join(f"{KEY_PREFIX}…" if _is_key(k) else shortened(k) for k in kits)

    return Words("brand kit", "brand kits", shortened, kit_names)


def block_name_problem(name: str) -> str | None:
    """What is wrong with a block's name, or None. The rule is Prefect's.

    Example:
        ```python
        from prefect_staticadslab.brand_kits.kit import block_name_problem

        assert block_name_problem("harbor-roast") is None
        assert "Call it harbor-roast." in block_name_problem("Harbor Roast")
        ```
    """
    if _NAME.fullmatch(name):
        return None
    if _is_key(name):
        return "This is an API key, and it needs the name of a block. Keep keys out of files."
    corrected = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
    suggestion = f" Call it {corrected}." if _NAME.fullmatch(corrected) else ""
    return (
        f"{shortened(name)!r} cannot be a block's name: it may have lower case letters, digits "
        f"and dashes only.{suggestion}"
    )


def _is_key(name: str) -> bool:
    """Whether a name begins like an API key, which people may have put in its place."""
    return name.strip().casefold().startswith(KEY_PREFIX)


def id_with_name(identifier: str, names: Mapping[str, str]) -> str:
    """An id followed by its name in brackets; the id alone if its name is not in `names`."""
    name = names.get(identifier)
    return f"{identifier} ({name})" if name else identifier
