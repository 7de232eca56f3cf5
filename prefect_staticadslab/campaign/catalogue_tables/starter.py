"""What a spreadsheet to start from offers: the account's own brands, products and the rest. No I/O.

What a drop-down offers is what a campaign reads as just that: a name, if it is the only one among
those that one chooses from, or else the id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations
from typing import Final

from prefect_staticadslab.api.resources import CatalogueResource, DesignTemplate
from prefect_staticadslab.campaign.catalogue_tables.report import CatalogueContent, ReportError
from prefect_staticadslab.campaign.files.cells import plain_text
from prefect_staticadslab.campaign.names.cell_syntax import ALL, FILTER_KEYS, SEPARATOR
from prefect_staticadslab.campaign.names.listings import fold_name
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    TEMPLATE,
    VARIANT,
    ResourceType,
)

STARTER_TYPES: Final = (BRAND, PRODUCT, VARIANT, AUDIENCE, TEMPLATE)

LISTED: Final = 50_000
"""Resources of one type in the drop-downs, the first by name. Excel looks through all of them when
a cell's arrow is clicked."""

LONGEST_LABEL: Final = 200
"""Characters of a name in a drop-down; a longer one cannot be told from its neighbours."""

_RESERVED: Final = frozenset(f"{SEPARATOR};=")
"""What means something in a cell of design templates."""


class StarterError(ReportError):
    """No spreadsheet to start from can be made. The message says what to do."""


@dataclass(frozen=True)
class ProductChoices:
    """A product in the drop-downs.

    Attributes:
        brand, label: What its brand and itself are called in a cell.
        variants, audiences: What can be chosen with it.
    """

    brand: str
    label: str
    variants: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()


@dataclass(frozen=True)
class TemplateChoice:
    """A design template in the drop-down: what is written into a cell for it."""

    label: str
    template: DesignTemplate


@dataclass(frozen=True)
class Starter:
    """What the drop-downs offer, each sorted as people look for it.

    Attributes:
        brands: What they are called.
        products: In the order of their brands.
        templates: Those that can be used.
        left_out: What there is more of than a drop-down holds, in words.
    """

    brands: tuple[str, ...]
    products: tuple[ProductChoices, ...]
    templates: tuple[TemplateChoice, ...]
    left_out: tuple[str, ...] = ()

    def examples(self) -> list[tuple[str, ...]]:
        """Two rows that make one ad each: template, brand, product, variant, audience, prompt."""
        usable = [product for product in self.products if product.audiences]
        first = next((product for product in usable if product.variants), usable[0])
        others = [product for product in usable if product is not first]
        second = next((product for product in others if product.brand != first.brand), None)
        second = second or (others or usable)[0]
        templates = (self.templates[0].label, self.templates[1 % len(self.templates)].label)
        return [
            _example(templates[0], first, first.audiences[0], _PROMPTS[0]),
            _example(templates[1], second, second.audiences[-1], _PROMPTS[1]),
        ]


_PROMPTS: Final = (
    "Bright morning light, lots of space around the product. {product} for {audience}",
    "Close up, warm colours, a short headline that names the {product}",
)

_PLAIN_PROMPT: Final = "Bright morning light, lots of space around the product"


def _example(template: str, product: ProductChoices, audience: str, prompt: str) -> tuple[str, ...]:
    variant = product.variants[0] if product.variants else ""
    # What is called by its id may have no name that could be filled in.
    if product.label.startswith(PRODUCT.prefix) or audience.startswith(AUDIENCE.prefix):
        prompt = _PLAIN_PROMPT
    return template, product.brand, product.label, variant, audience, prompt


def starter_of(content: CatalogueContent) -> Starter:
    """What the drop-downs offer of a catalogue.

    Raises:
        StarterError: Something is missing without which there can be no ad; the message says what,
            and how to get it.

    Example:
        ```python
        from prefect_staticadslab.api.resources import Audience, Brand, DesignTemplate, Product
        from prefect_staticadslab.campaign.catalogue_tables.report import CatalogueContent
        from prefect_staticadslab.campaign.catalogue_tables.starter import starter_of
        from prefect_staticadslab.campaign.rows.resource_types import (
            AUDIENCE, BRAND, PRODUCT, TEMPLATE
        )

        starter = starter_of(CatalogueContent({
            BRAND: (Brand(id="brand_1", name="Harbor Roast"),),
            PRODUCT: (Product(id="prod_1", name="Cold Brew Kit", brand_id="brand_1"),),
            AUDIENCE: (Audience(id="aud_1", name="Commuters", product_id="prod_1"),),
            TEMPLATE: (DesignTemplate(id="dt_1", status="completed", ad_format="Sale"),),
        }))
        assert starter.brands == ("Harbor Roast",)
        assert starter.examples()[0][:3] == ("ad_format=Sale", "Harbor Roast", "Cold Brew Kit")
        ```
    """
    brands = _labels(content.resources.get(BRAND, ()))
    products = _by_parent(content, PRODUCT, "brand_id")
    variants = _by_parent(content, VARIANT, "product_id")
    audiences = _by_parent(content, AUDIENCE, "product_id")
    choices = [
        ProductChoices(
            brand,
            label,
            tuple(variants.get(product_id, {}).values()),
            tuple(audiences.get(product_id, {}).values()),
        )
        for brand_id, brand in brands.items()
        for product_id, label in products.get(brand_id, {}).items()
    ]
    templates = template_choices(
        t
        for t in content.resources.get(TEMPLATE, ())
        if isinstance(t, DesignTemplate) and t.is_completed
    )
    _check(brands, choices, templates)
    kept = _first(choices)
    left_out = [
        f"{more:,} {thing}"
        for more, thing in (
            (len(brands) - LISTED, "brands"),
            (len(choices) - len(kept), "products"),
            (len(templates) - LISTED, "design templates"),
        )
        if more > 0
    ]
    return Starter(
        tuple(brands.values())[:LISTED], tuple(kept), tuple(templates[:LISTED]), tuple(left_out)
    )


def _first(choices: list[ProductChoices]) -> list[ProductChoices]:
    """As many products as the drop-downs hold; if there are more, those that ads can be made of."""
    sizes = [max(1, len(choice.audiences), len(choice.variants)) for choice in choices]
    if sum(sizes) <= LISTED:
        return choices
    usable = [(c, size) for c, size in zip(choices, sizes, strict=True) if c.audiences]
    ends = accumulate(size for _, size in usable)
    return [choice for (choice, _), end in zip(usable, ends, strict=True) if end <= LISTED]


def _by_parent(
    content: CatalogueContent, resource_type: ResourceType, parent: str
) -> dict[str, dict[str, str]]:
    """What each parent's resources are called in a cell, by the ids of both."""
    siblings: dict[str, list[CatalogueResource]] = {}
    for resource in content.resources.get(resource_type, ()):
        siblings.setdefault(str(getattr(resource, parent, None) or ""), []).append(resource)
    return {identifier: _labels(resources) for identifier, resources in siblings.items()}


def _labels(resources: Iterable[CatalogueResource]) -> dict[str, str]:
    """What resources that one chooses from are called in a cell, by id, sorted by that."""
    all_of_them = list(resources)
    folded = Counter(fold_name(resource.name) for resource in all_of_them)
    labels = {
        resource.id: resource.name.strip()
        if folded[fold_name(resource.name)] == 1 and _can_be_typed(resource.name)
        else resource.id
        for resource in all_of_them
    }
    return dict(sorted(labels.items(), key=lambda item: (fold_name(item[1]), item[0])))


def _can_be_typed(name: str) -> bool:
    """Whether a name in a cell is read as that name, and fits into a drop-down."""
    name = name.strip()
    return (
        0 < len(name) <= LONGEST_LABEL
        and name == plain_text(name)
        and len(name.splitlines()) == 1
        and "\t" not in name
        and not name.startswith("'")
        and name != ALL
        and SEPARATOR not in name
    )


def template_choices(templates: Iterable[DesignTemplate]) -> list[TemplateChoice]:
    """What is written into a cell for each template: what it is like, if only this one is; or else
    its id.
    """
    usable = list(templates)
    alike: Counter[tuple[tuple[str, str], ...]] = Counter()
    for template in usable:
        alike.update(_every_filter([(k, fold_name(v)) for k, v in _conditions(template)]))
    choices = []
    for template in usable:
        conditions = _conditions(template)
        folded = tuple((key, fold_name(value)) for key, value in conditions)
        is_plain = all(_is_plain(value) for _, value in conditions)
        label = template.id
        if conditions and is_plain and alike[folded] == 1:
            label = "; ".join(f"{key}={value}" for key, value in conditions)
        choices.append(TemplateChoice(label, template))
    return sorted(choices, key=lambda choice: (_conditions(choice.template), choice.template.id))


def _conditions(template: DesignTemplate) -> list[tuple[str, str]]:
    pairs = ((key, str(getattr(template, key) or "").strip()) for key in FILTER_KEYS)
    return [(key, value) for key, value in pairs if fold_name(value)]


def _every_filter(
    conditions: Sequence[tuple[str, str]],
) -> Iterable[tuple[tuple[str, str], ...]]:
    for count in range(1, len(conditions) + 1):
        yield from combinations(conditions, count)


def _is_plain(value: str) -> bool:
    return _can_be_typed(value) and _RESERVED.isdisjoint(value)


def _check(
    brands: Mapping[str, str],
    products: Sequence[ProductChoices],
    templates: Sequence[TemplateChoice],
) -> None:
    missing = []
    if not templates:
        missing.append(
            "There is no finished design template, and every ad needs one. Make one from a picture "
            "of an ad that you like: staticadslab design-templates PICTURE templates.csv"
        )
    if not any(product.audiences for product in products):
        what = "There is no brand"
        if brands:
            what = "No product has an audience" if products else "No brand has a product"
        missing.append(
            f"{what}, and every ad needs a brand, a product of it, and an audience of that. Add "
            "them in the Static Ads Lab dashboard, or from a table: "
            "staticadslab catalog catalogue.xlsx --create TABLE"
        )
    if missing:
        raise StarterError("\n".join(missing))
