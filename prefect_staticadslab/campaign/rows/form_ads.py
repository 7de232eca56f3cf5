"""Ads that somebody types into a form, instead of into a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from prefect_staticadslab.api.models import INVENT_COPY, INVENT_PICTURES, PROMPT, field_title
from prefect_staticadslab.campaign.errors import CampaignError, Problem, SpreadsheetError, Words
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.cells import Spreadsheet, cell_text
from prefect_staticadslab.campaign.rows.ad_defaults import AdDefaults
from prefect_staticadslab.campaign.rows.columns import FILTER_EXAMPLE

FORM_WORDS: Final = Words("ad", "ads", field_title)
"""What a form's parts are called: its fields have titles, which are the columns' names."""

AS_IN_THE_KIT: Final = "As in the brand kit"
"""The choice that leaves something to the brand kit."""

Choice = Literal["As in the brand kit", "Yes", "No"]
AdType = Literal["As in the brand kit", "Flat, 1.00 USD", "Editable, 4.00 USD"]

REQUIRED: Final = ("prompt", "design_template", "brand", "product", "audience")
"""Columns that the spreadsheet of typed ads always has, also if all of their cells are empty."""


class TypedAd(BaseModel):
    """An ad as somebody types it into a form. What is left empty comes from the brand kit.

    Brand, product, variant and audience are names or ids, as in a campaign's spreadsheet; several
    with `|` between them, or `*` for all, make an ad of every combination.
    """

    model_config = ConfigDict(extra="forbid", title="Ad", field_title_generator=field_title)

    prompt: str = Field(
        default="",
        description=f"{PROMPT} {{product}} and {{audience}} stand for their names.",
    )
    product: str = Field(
        default="",
        description="The product's name, if not the brand kit's; the ad then needs an audience, "
        "too. Several: Cold Brew Kit | Hot Chocolate.",
    )
    audience: str = Field(
        default="",
        description="The audience's name. Several: Commuters | Students. All of the product's: *",
    )
    design_template: str = Field(
        default="",
        description=f"Its id, dt_…, or what it should be like: {FILTER_EXAMPLE}",
    )
    product_variant: str = Field(default="", description="The variant's name, such as Red / Large.")
    brand: str = Field(default="", description="The brand's name, if not the brand kit's.")
    ad_type: AdType = Field(
        default="As in the brand kit",
        title="Type of ad",
        description="An editable ad can be revised later.",
    )
    generate_ai_images: Annotated[Choice, INVENT_PICTURES] = "As in the brand kit"
    generate_copy: Annotated[Choice, INVENT_COPY] = "As in the brand kit"


def read_typed_ads(location: str) -> list[TypedAd]:
    """Reads ads that a program has written into a file: a list of objects in JSON.

    Args:
        location: A path or a URL.

    Raises:
        CampaignError: It cannot be read, is no such list, or something in it is wrong; the message
            lists all of it.

    Example:
        ```python
        from pathlib import Path

        from prefect_staticadslab.campaign.rows.form_ads import read_typed_ads

        Path("ads.json").write_text('[{"prompt": "Iced", "audience": "Commuters | Students"}]')
        assert read_typed_ads("ads.json")[0].audience == "Commuters | Students"
        ```
    """
    content = storage.read_bytes(location, what="a list of ads")
    try:
        return TypeAdapter(list[TypedAd]).validate_json(content)
    except ValidationError as error:
        problems = [
            Problem(
                wrong["msg"],
                row=next((part + 1 for part in wrong["loc"] if isinstance(part, int)), None),
                column=next((part for part in wrong["loc"] if isinstance(part, str)), None),
            )
            for wrong in error.errors(include_url=False, include_input=False)
        ]
        told = SpreadsheetError(problems).message_in(Words("ad", "ads", str))
        raise CampaignError(
            f'{location} is no list of ads, such as [{{"prompt": "Iced, by the sea"}}]:\n{told}'
        ) from None


def spreadsheet_from_ads(ads: Sequence[TypedAd], defaults: AdDefaults) -> Spreadsheet:
    """Typed ads as a spreadsheet's rows, numbered from 1.

    What an ad leaves empty is the brand kit's. But the kit's product, variant and audience are not
    taken for another brand than the kit's, nor its variant and audience for another product.

    Args:
        ads: What was typed.
        defaults: The brand kit's part of every ad.

    Raises:
        SpreadsheetError: There are none.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.ad_defaults import AdDefaults
        from prefect_staticadslab.campaign.rows.form_ads import TypedAd, spreadsheet_from_ads

        kit = AdDefaults(design_template_id="dt_1", brand_id="brand_1", product_id="prod_1")
        table = spreadsheet_from_ads([TypedAd(prompt="Iced", audience="Commuters")], kit)
        assert table.frame["product"].tolist() == ["prod_1"]
        assert table.row_numbers == (1,)
        ```
    """
    if not ads:
        raise SpreadsheetError([Problem("There are no ads to create. Add at least one.")])
    cells = [_cells(ad, defaults) for ad in ads]
    columns = [name for name in cells[0] if name in REQUIRED or any(each[name] for each in cells)]
    lines = [[each[name] for name in columns] for each in cells]
    return Spreadsheet(tuple(columns), lines, tuple(range(1, len(lines) + 1)))


def _cells(ad: TypedAd, kit: AdDefaults) -> dict[str, Any]:
    """A row's cells by all columns that ads may have: what was typed, else the brand kit's."""
    uses_kit_brand = not ad.brand.strip()
    uses_kit_product = uses_kit_brand and not ad.product.strip()
    return {
        "brand": ad.brand.strip() or kit.brand_id,
        "product": ad.product.strip() or (kit.product_id if uses_kit_brand else ""),
        "product_variant": ad.product_variant.strip()
        or (kit.product_variant_id if uses_kit_product else ""),
        "audience": ad.audience.strip() or (kit.audience_id if uses_kit_product else ""),
        "design_template": ad.design_template.strip() or kit.design_template_id,
        "prompt": ad.prompt.strip() or kit.prompt,
        # False is no answer of a kit's, as it is none in a spreadsheet without the column.
        "editable": cell_text(kit.editable or None)
        if ad.ad_type == AS_IN_THE_KIT
        else cell_text(ad.ad_type.startswith("Editable")),
        **{
            name: cell_text(kit_value)
            if (choice := getattr(ad, name)) == AS_IN_THE_KIT
            else cell_text(choice == "Yes")
            for name, kit_value in kit.options
        },
    }
