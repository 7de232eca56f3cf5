"""Ads that somebody types into a form, instead of into a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError, Words
from prefect_staticadslab.campaign.files.cells import Spreadsheet, frame_of

FORM_WORDS: Final = Words(
    "ad", "ads", lambda column: column.removesuffix("_id").replace("_", " ").capitalize()
)
"""What a form's parts are called: its fields have titles, which are the columns' names."""

AS_IN_THE_KIT: Final = "As in the brand kit"
Choice = Literal["As in the brand kit", "Yes", "No"]
AdType = Literal["As in the brand kit", "Flat, 1.00 USD", "Editable, 4.00 USD"]

REQUIRED: Final = ("prompt", "design_template", "brand", "product", "audience")


@dataclass(frozen=True)
class AdDefaults:
    """What an ad is made of where its own fields are empty; "" is nothing."""

    design_template: str = ""
    brand: str = ""
    product: str = ""
    product_variant: str = ""
    audience: str = ""
    prompt: str = ""
    editable: str = ""
    generate_ai_images: str = ""
    generate_copy: str = ""


class TypedAd(BaseModel):
    """An ad as somebody types it into a form. What is left empty comes from the brand kit.

    Brand, product, variant and audience are names or ids, as in a campaign's spreadsheet; several
    with `|` between them, or `*` for all, make an ad of every combination.
    """

    model_config = ConfigDict(extra="forbid", title="Ad")

    prompt: str = Field(
        default="",
        title="Prompt",
        description="What the picture and the copy should say. {product} and {audience} stand for "
        "their names.",
    )
    product: str = Field(
        default="",
        title="Product",
        description="The product's name, if not the brand kit's; the ad then needs an audience, "
        "too. Several: Cold Brew Kit | Hot Chocolate.",
    )
    audience: str = Field(
        default="",
        title="Audience",
        description="The audience's name. Several: Commuters | Students. All of the product's: *",
    )
    design_template: str = Field(
        default="",
        title="Design template",
        description="Its id, dt_…, or what it should be like: ad_format=Sale; aspect_ratio=4:5",
    )
    product_variant: str = Field(
        default="", title="Product variant", description="The variant's name, such as Red / Large."
    )
    brand: str = Field(
        default="", title="Brand", description="The brand's name, if not the brand kit's."
    )
    ad_type: AdType = Field(
        default="As in the brand kit",
        title="Type of ad",
        description="An editable ad can be revised later.",
    )
    generate_ai_images: Choice = Field(
        default="As in the brand kit",
        title="Invent pictures",
        description="Whether pictures may be generated.",
    )
    generate_copy: Choice = Field(
        default="As in the brand kit",
        title="Invent copy",
        description="Whether texts may be generated.",
    )


def spreadsheet_of(ads: Sequence[TypedAd], defaults: AdDefaults) -> Spreadsheet:
    """Typed ads as a spreadsheet's rows, numbered from 1.

    A brand that is typed stands for itself: the kit's product and audience are of the kit's brand;
    and likewise a product.

    Raises:
        SpreadsheetError: There are none.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.form_ads import AdDefaults, TypedAd, spreadsheet_of

        kit = AdDefaults(design_template="dt_1", brand="Harbor Roast", product="prod_1")
        table = spreadsheet_of([TypedAd(prompt="Iced", audience="Commuters")], kit)
        assert table.frame["product"].tolist() == ["prod_1"]
        assert table.row_numbers == (1,)
        ```
    """
    if not ads:
        raise SpreadsheetError([Problem("There are no ads to create. Add at least one.")])
    rows = [_cells(ad, defaults) for ad in ads]
    columns = [name for name in rows[0] if name in REQUIRED or any(row[name] for row in rows)]
    lines = [[row[name] for name in columns] for row in rows]
    return Spreadsheet(frame_of(columns, lines), tuple(range(1, len(rows) + 1)))


def _cells(ad: TypedAd, kit: AdDefaults) -> dict[str, Any]:
    uses_kit_brand = not ad.brand.strip()
    uses_kit_product = uses_kit_brand and not ad.product.strip()
    return {
        "brand": ad.brand.strip() or kit.brand,
        "product": ad.product.strip() or (kit.product if uses_kit_brand else ""),
        "product_variant": ad.product_variant.strip()
        or (kit.product_variant if uses_kit_product else ""),
        "audience": ad.audience.strip() or (kit.audience if uses_kit_product else ""),
        "design_template": ad.design_template.strip() or kit.design_template,
        "prompt": ad.prompt.strip() or kit.prompt,
        "editable": kit.editable
        if ad.ad_type == AS_IN_THE_KIT
        else _flag(ad.ad_type.startswith("Editable")),
        "generate_ai_images": _choice(ad.generate_ai_images, kit.generate_ai_images),
        "generate_copy": _choice(ad.generate_copy, kit.generate_copy),
    }


def _choice(choice: Choice, kit: str) -> str:
    return kit if choice == AS_IN_THE_KIT else _flag(choice == "Yes")


def _flag(value: bool) -> str:
    return "true" if value else "false"
