"""The simulated organization's brands, products, variants, audiences and design templates.

Ids are made from names, so they are the same in every simulator, and examples can use them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from prefect_staticadslab.simulator.model.catalogue.catalogue import Catalogue
from prefect_staticadslab.simulator.model.design_templates.template import PIXELS
from prefect_staticadslab.simulator.model.resources.ids import make_id
from prefect_staticadslab.simulator.model.trees import template_tree

CREATED_AT: Final = "2026-01-05T09:00:00.000Z"


@dataclass(frozen=True)
class _BrandSeed:
    """A brand of the start, with the variants of its products, and whom each is advertised to."""

    name: str
    description: str
    colors: tuple[str, ...]
    products: dict[str, tuple[str, ...]]
    audiences: tuple[str, ...]


_BRANDS: Final = (
    _BrandSeed(
        "Harbor Roast",
        "Small-batch coffee from a harbour town",
        ("#2B1D14", "#C8773A", "#F6E9DA"),
        {
            "Morning Tide Espresso": ("250 g", "1 kg"),
            "Cold Brew Kit": (),
            "Lighthouse Decaf": ("250 g",),
            "Gift Card": (),
        },
        ("Commuters", "Home baristas", "Night-shift workers"),
    ),
    _BrandSeed(
        "Fernweh Outdoor",
        "Light gear for long walks",
        ("#12372A", "#7FB069", "#FBFADA"),
        {
            "Ridge 32 Backpack": ("Moss", "Slate"),
            "Trail Wool Socks": ("S/M", "L/XL"),
            "Two-Person Tent": (),
            "Gift Card": (),
        },
        ("Weekend hikers", "Thru-hikers", "Families"),
    ),
    _BrandSeed(
        "Lumière Skincare",
        "Five ingredients, nothing else",
        ("#4A2545", "#E8A0BF", "#FFF4F7"),
        {
            "Crème de Nuit": ("30 ml", "50 ml"),
            "Vitamin C Serum": (),
            "Rosé Lip Balm": (),
        },
        ("Sensitive skin", "Over forty", "Gift buyers"),
    ),
    _BrandSeed(
        "Pawsome Pantry",
        "Food that dogs would buy themselves",
        ("#16324F", "#F4A259", "#FDF6EC"),
        {
            "Salmon Kibble": ("2 kg", "10 kg"),
            "Peanut Butter Biscuits": (),
            "Puppy Starter Box": (),
        },
        ("New puppy owners", "Senior dogs", "Picky eaters"),
    ),
)

_TEMPLATES: Final = (
    ("Bold headline", "Bold", "1:1", "ecommerce", "completed"),
    ("Seasonal sale", "Sale", "4:5", "ecommerce", "completed"),
    ("Customer voice", "Testimonial", "4:5", "beauty", "completed"),
    ("Product hero", "Product", "9:16", "food", "completed"),
    ("Still in the works", "Bold", "1:1", "ecommerce", "processing"),
)


def seeded_catalogue(more_brands: int = 0) -> Catalogue:
    """The catalogue that every simulator starts with.

    Args:
        more_brands: How many more brands there are, with a product and an audience each.
    """
    catalogue = Catalogue()
    for brand in _BRANDS:
        _add_brand(catalogue, brand)
    for number in range(1, more_brands + 1):
        name = f"Brand {number}"
        _add_brand(catalogue, _BrandSeed(name, "", (), {"Product": ()}, ("Everybody",)))
    for template in _TEMPLATES:
        _add_template(catalogue, *template)
    return catalogue


def _add_template(
    catalogue: Catalogue, name: str, ad_format: str, aspect_ratio: str, industry: str, status: str
) -> None:
    template_id = make_id("dt", name)
    width, height = PIXELS[aspect_ratio]
    catalogue.design_templates[template_id] = _with_dates(
        id=template_id,
        reference_image_url=None,
        status=status,
        error=None,
        current_json_tree=template_tree(name, width, height),
        preview_url=f"/pictures/{template_id}.png" if status == "completed" else None,
        width=width,
        height=height,
        aspect_ratio=aspect_ratio,
        industry=industry,
        ad_format=ad_format,
        json_tree_version=1,
        duration_ms=9000 if status == "completed" else None,
    )


def _add_brand(catalogue: Catalogue, seed: _BrandSeed) -> None:
    brand_id = make_id("brand", seed.name)
    catalogue.brands[brand_id] = _with_dates(
        id=brand_id,
        name=seed.name,
        description=seed.description or None,
        color_palettes={"brand": list(seed.colors)} if seed.colors else None,
        fonts=[{"name": "Inter"}],
        logo_image_ids=[] if seed.colors else None,
        details={"tagline": seed.description} if seed.description else None,
    )
    for product, variants in seed.products.items():
        product_id = make_id("prod", seed.name, product)
        catalogue.products[product_id] = _with_dates(
            id=product_id, brand_id=brand_id, name=product, description=None, details=None
        )
        for order, variant in enumerate(variants):
            variant_id = make_id("pv", seed.name, product, variant)
            catalogue.product_variants[variant_id] = _with_dates(
                id=variant_id, product_id=product_id, name=variant, sort_order=order, image_ids=[]
            )
        for audience in seed.audiences:
            audience_id = make_id("aud", seed.name, product, audience)
            catalogue.audiences[audience_id] = _with_dates(
                id=audience_id, product_id=product_id, name=audience, description=None, details={}
            )


def _with_dates(**fields: Any) -> dict[str, Any]:
    """A resource of these fields that was created at the start."""
    return {**fields, "created_at": CREATED_AT, "updated_at": CREATED_AT}


def earlier_ads(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """What three editable ads and a flat one were created from, by id."""
    templates = [t for t in catalogue.design_templates.values() if t["status"] == "completed"]
    products = list(catalogue.products.values())
    bodies = {}
    for number, editable in enumerate((True, True, True, False), 1):
        product = products[(number - 1) * 4]
        audience = next(a for a in catalogue.audiences.values() if a["product_id"] == product["id"])
        bodies[make_id("ia", "earlier", str(number))] = {
            "design_template_id": templates[number - 1]["id"],
            "brand_id": product["brand_id"],
            "product_id": product["id"],
            "audience_id": audience["id"],
            "prompt": f"An earlier ad for {str(audience['name']).lower()}",
            "editable": editable,
        }
    return bodies
