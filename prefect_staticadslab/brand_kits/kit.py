"""A brand kit: what a brand's ads always use, kept in Prefect as an `ImageAdJob` block."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from prefect_staticadslab.api.connection import KEY_PREFIX
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.cells import shortened

_NAME = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True)
class BrandKit:
    """A brand kit in ids; "" and None are not set.

    Attributes:
        name: The block's name.
        credentials: The name of the saved credentials block that it refers to.
        design_template_id, brand_id, product_id, audience_id, product_variant_id: What ads are of.
        prompt: What the picture and the copy should say.
        editable: Whether the ads can be revised later.
        generate_ai_images, generate_copy: What the pipeline may invent by itself; None leaves it to
            the API.
    """

    name: str
    credentials: str
    design_template_id: str = ""
    brand_id: str = ""
    product_id: str = ""
    audience_id: str = ""
    product_variant_id: str = ""
    prompt: str = ""
    editable: bool = False
    generate_ai_images: bool | None = None
    generate_copy: bool | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that are set, the brand's first."""
        ids = (self.brand_id, self.product_id, self.product_variant_id, self.audience_id)
        return tuple(filter(None, (*ids, self.design_template_id)))


@dataclass(frozen=True)
class KitProblem:
    """One thing that is wrong with brand kits.

    Attributes:
        message: What is wrong, and what to do.
        kit: The kit's name; "" if the problem is not about one kit.
        field: Its field; "" if the problem is not about one field.
    """

    message: str
    kit: str = ""
    field: str = ""

    def __str__(self) -> str:
        kit = f"{KEY_PREFIX}…" if _is_key(self.kit) else shortened(self.kit)
        place = f"Brand kit {kit}" if self.kit else ""
        if self.field:
            place += f"{', ' if place else ''}{shortened(self.field)}"
        return f"{place}: {self.message}" if place else self.message


class KitsError(CampaignError):
    """Brand kits cannot be used as they are.

    Attributes:
        problems: All that is wrong, in the order of the kits.
    """

    def __init__(self, problems: tuple[KitProblem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.problems,)


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
    return name.strip().casefold().startswith(KEY_PREFIX)


def id_with_name(identifier: str, names: Mapping[str, str]) -> str:
    """An id followed by its name in brackets; the id alone if its name is not in `names`."""
    name = names.get(identifier)
    return f"{identifier} ({name})" if name else identifier
