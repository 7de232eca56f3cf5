"""What a starter's drop-downs offer is read by a campaign as just that, whatever its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab.api.resources import (
    Audience,
    Brand,
    Product,
    ProductVariant,
)
from prefect_staticadslab.campaign.catalogue_tables.starter import (
    Starter,
    starter_of,
    template_choices,
)
from prefect_staticadslab.campaign.catalogue_tables.starter_workbook import (
    write_starter,
)
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.listings import Catalogue, Listing, ListKey
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    TEMPLATE,
    VARIANT,
)
from tests.flows.catalog.starter_books import content, encoded, template

ODD_NAMES = [
    "Tea*", "T?a", "~Tea", ">5", "=1+1", "+1", "007", "1/2", "TRUE", "2026-01-01", "Tea & <Milk>",
    '"Tea"', "_x0041_", "<r>Tea</r>", "Thé vert é", "茶", "Tea\u00a0leaf", "a, b; c", "=", "-",
    "{product}", "O'Tea", "tea",
]  # fmt: skip
IDS_INSTEAD = ["*", "A | B", "'=1", "two\nlines", "tab\tbed", "", "x" * 201, "bell\x07", "|"]


def resolved(starter: Starter, listing: Catalogue, tmp_path: Path, row: int = 0) -> Any:
    """The request that a row of the workbook becomes."""
    place = str(tmp_path / "odd.xlsx")
    Path(place).unlink(missing_ok=True)
    write_starter(place, starter, {}, day="2026-11-26")
    brief = Brief.open(place)
    return Campaign.open(brief, str(tmp_path / "o.csv"), catalogue=listing).table.rows[row].request


@pytest.mark.parametrize("name", [*ODD_NAMES, *IDS_INSTEAD], ids=ascii)
def test_any_name_is_offered_as_what_a_campaign_reads_as_it(name: str, tmp_path: Path) -> None:
    brands = (Brand(id="brand_1", name=name), Brand(id="brand_2", name="Other"))
    products = (Product(id="prod_1", name=name, brand_id="brand_1"),)
    audiences = (Audience(id="aud_1", name=name, product_id="prod_1"),)
    variants = (ProductVariant(id="pv_1", name=name, product_id="prod_1"),)
    templates = (template("dt_1", ad_format=name, aspect_ratio="4:5"),)
    made = starter_of(
        content(
            brand=brands, product=products, audience=audiences, product_variant=variants,
            design_template=templates,
        )
    )  # fmt: skip
    (only,) = made.products
    assert (only.label == "prod_1") == (name in IDS_INSTEAD)
    listing = Catalogue(
        {
            ListKey(TEMPLATE): Listing(templates),
            ListKey(BRAND): Listing(brands),
            ListKey(PRODUCT, "brand_1"): Listing(products),
            ListKey(VARIANT, "prod_1"): Listing(variants),
            ListKey(AUDIENCE, "prod_1"): Listing(audiences),
        }
    )
    request = resolved(made, listing, tmp_path)
    assert (request.brand_id, request.product_id, request.audience_id) == (
        "brand_1",
        "prod_1",
        "aud_1",
    )
    assert (request.product_variant_id, request.design_template_id) == ("pv_1", "dt_1")


@pytest.mark.parametrize("names", [("Tea", "Tea"), ("Tea", "TEA"), ("Tea", " tea "), ("", "")])
def test_names_that_cannot_be_told_apart_are_offered_as_ids(names: tuple[str, str]) -> None:
    brands = tuple(Brand(id=f"brand_{n}", name=name) for n, name in enumerate(names, 1))
    made = starter_of(content(brand=brands))
    assert made.brands == ("brand_1", "brand_2")
    assert [(p.brand, p.label) for p in made.products] == [("brand_1", "Green")]


def test_templates_that_are_alike_are_offered_as_ids() -> None:
    alike = [template(f"dt_{n}", ad_format="Sale", aspect_ratio="4:5") for n in (1, 2)]
    single = template("dt_3", ad_format="Sale", aspect_ratio="1:1", industry="food")
    # Its words would stand for the others as well.
    wider = template("dt_4", ad_format="SALE")
    nothing = template("dt_5")
    odd = template("dt_6", ad_format="a=b; c")
    labels = {
        choice.template.id: choice.label
        for choice in template_choices([*alike, single, wider, nothing, odd])
    }
    assert labels == {
        "dt_1": "dt_1",
        "dt_2": "dt_2",
        "dt_3": "ad_format=Sale; aspect_ratio=1:1; industry=food",
        "dt_4": "dt_4",
        "dt_5": "dt_5",
        "dt_6": "dt_6",
    }


def test_cells_are_texts_so_that_a_chosen_name_stays_one() -> None:
    book = encoded(starter_of(content(brand=(Brand(id="brand_1", name="007"),))))
    assert book["Campaign"].column_dimensions["B"].width > 20
    styles = {cell.number_format for cell in book["Campaign"][2] if cell.value}
    assert styles == {"@"}
    assert book["Campaign"]["B2"].value == "007"
