"""What a brand kit says of every ad, for the ads that say nothing themselves."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from prefect_staticadslab.api.models import (
    AUDIENCE_ID,
    BRAND_ID,
    OPTIONS,
    PRODUCT_ID,
    PROMPT,
    TEMPLATE_ID,
    VARIANT_ID,
    ImageAdOptions,
    field_title,
)


class AdDefaults(BaseModel):
    """The fields of an image ad, each of which may be left open: "" and None are not set.

    The block, the form and the files of brand kits have them from here.
    """

    model_config = ConfigDict(field_title_generator=field_title)

    design_template_id: Annotated[str, TEMPLATE_ID.field(or_empty=True)] = ""
    brand_id: Annotated[str, BRAND_ID.field(or_empty=True)] = ""
    product_id: Annotated[str, PRODUCT_ID.field(or_empty=True)] = ""
    audience_id: Annotated[str, AUDIENCE_ID.field(or_empty=True)] = ""
    product_variant_id: Annotated[str, VARIANT_ID.field(or_empty=True)] = ""
    prompt: str = Field(default="", description=PROMPT)
    editable: bool = Field(
        default=False,
        description="Whether the ads can be revised later. They then cost 4.00 USD each, not 1.00.",
    )
    options: ImageAdOptions = Field(default_factory=ImageAdOptions, description=OPTIONS)
