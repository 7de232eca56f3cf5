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
"""The most resources of one type in a drop-down: the first by name. Excel looks through all of them
when a cell's arrow is clicked."""

LONGEST_LABEL: Final = 200
"""The most characters of a name in a drop-down; for a longer one its id is shown."""

_RESERVED: Final = frozenset(f"{SEPARATOR};=")
"""Characters that have a meaning in a cell of design templates."""


class StarterError(ReportError):
    """No spreadsheet to start from can be made. The message says what to do."""


@dataclass(frozen=True)
class ProductChoices:
    """A product in the drop-downs.

    Attributes:
        brand: What is written into a cell for its brand: a name or an id.
        label: What is written into a cell for the product itself.
        variants: What is written for each of its variants.
        audiences: What is written for each of its audiences.
    """

    brand: str
    label: str
    variants: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()


@dataclass(frozen=True)
class TemplateChoice:
    """A design template in the drop-down.

    Attributes:
        label: What is written into a cell for it: a filter or its id.
        template: The template.
    """

    label: str
    template: DesignTemplate


@dataclass(frozen=True)
class Starter:
    """What the drop-downs of a spreadsheet to start from offer, each sorted for people.

    Attributes:
        brands: What is written into a cell for each brand.
        products: The products, in the order of their brands.
        templates: The completed design templates.
        left_out: For people: how many of what did not fit into a drop-down, such as `3 brands`.
    """

    brands: tuple[str, ...]
    products: tuple[ProductChoices, ...]
    templates: tuple[TemplateChoice, ...]
    left_out: tuple[str, ...] = ()

    def examples(self) -> list[tuple[str, ...]]:
        """The cells of two example rows, each of one ad: template, brand, product, variant,
        audience, prompt. It needs a template and a product with an audience."""
        usable = [product for product in self.products if product.audiences]
        first = next((product for product in usable if product.variants), usable[0])
        others = [product for product in usable if product is not first]
        second = next((product for product in others if product.brand != first.brand), None)
        second = second or (others or usable)[0]
        templates = (self.templates[0].label, self.templates[1 % len(self.templates)].label)
        return [
            _example_row(templates[0], first, first.audiences[0], _PROMPTS[0]),
            _example_row(templates[1], second, second.audiences[-1], _PROMPTS[1]),
        ]


_PROMPTS: Final = (
    "Bright morning light, lots of space around the product. {product} for {audience}",
    "Close up, warm colours, a short headline that names the {product}",
)

_PLAIN_PROMPT: Final = "Bright morning light, lots of space around the product"


def _example_row(
    template: str, product: ProductChoices, audience: str, prompt: str
) -> tuple[str, ...]:
    """An example row's cells; with a prompt without placeholders, if a name may be missing."""
    variant = product.variants[0] if product.variants else ""
    # What is called by its id may have no name that could be filled in.
    if product.label.startswith(PRODUCT.prefix) or audience.startswith(AUDIENCE.prefix):
        prompt = _PLAIN_PROMPT
    return template, product.brand, product.label, variant, audience, prompt


def starter_of(content: CatalogueContent) -> Starter:
    """Chooses what the drop-downs offer of a catalogue. No I/O.

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
    products = _labels_by_parent(content, PRODUCT, "brand_id")
    variants = _labels_by_parent(content, VARIANT, "product_id")
    audiences = _labels_by_parent(content, AUDIENCE, "product_id")
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
    _check_complete(brands, choices, templates)
    offered = _fitting_products(choices)
    left_out = [
        f"{more:,} {thing}"
        for more, thing in (
            (len(brands) - LISTED, "brands"),
            (len(choices) - len(offered), "products"),
            (len(templates) - LISTED, "design templates"),
        )
        if more > 0
    ]
    return Starter(
        tuple(brands.values())[:LISTED], tuple(offered), tuple(templates[:LISTED]), tuple(left_out)
    )


def _fitting_products(choices: list[ProductChoices]) -> list[ProductChoices]:
    """The first products that, with their variants and audiences, fit into the drop-downs.

    If not all of them do, products without an audience are left out: no ad can be made of them.
    """
    sizes = [max(1, len(choice.audiences), len(choice.variants)) for choice in choices]
    if sum(sizes) <= LISTED:
        return choices
    usable = [(c, size) for c, size in zip(choices, sizes, strict=True) if c.audiences]
    ends = accumulate(size for _, size in usable)
    return [choice for (choice, _), end in zip(usable, ends, strict=True) if end <= LISTED]


def _labels_by_parent(
    content: CatalogueContent, resource_type: ResourceType, parent_column: str
) -> dict[str, dict[str, str]]:
    """What is written into a cell for each resource of a type, by its parent's id and its own."""
    siblings: dict[str, list[CatalogueResource]] = {}
    for resource in content.resources.get(resource_type, ()):
        siblings.setdefault(str(getattr(resource, parent_column, None) or ""), []).append(resource)
    return {identifier: _labels(resources) for identifier, resources in siblings.items()}


def _labels(resources: Iterable[CatalogueResource]) -> dict[str, str]:
    """What is written into a cell for each of some resources, by id, sorted by what is written.

    Its name, if no other of these has that and if it can be written into a cell; else its id.
    """
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
    """What is written into a cell for each template: a filter, if that stands for this one alone;
    else its id. Sorted by what they are like.
    """
    usable = list(templates)
    alike: Counter[tuple[tuple[str, str], ...]] = Counter()
    for template in usable:
        alike.update(_every_filter([(k, fold_name(v)) for k, v in _filter_conditions(template)]))
    choices = []
    for template in usable:
        conditions = _filter_conditions(template)
        folded = tuple((key, fold_name(value)) for key, value in conditions)
        is_writable = all(_fits_filter(value) for _, value in conditions)
        label = template.id
        if conditions and is_writable and alike[folded] == 1:
            label = "; ".join(f"{key}={value}" for key, value in conditions)
        choices.append(TemplateChoice(label, template))
    return sorted(
        choices, key=lambda choice: (_filter_conditions(choice.template), choice.template.id)
    )


def _filter_conditions(template: DesignTemplate) -> list[tuple[str, str]]:
    """All keys that templates are filtered by, each with this template's value, if it has any."""
    pairs = ((key, str(getattr(template, key) or "").strip()) for key in FILTER_KEYS)
    return [(key, value) for key, value in pairs if fold_name(value)]


def _every_filter(
    conditions: Sequence[tuple[str, str]],
) -> Iterable[tuple[tuple[str, str], ...]]:
    """Every filter that a template with these conditions fits: all of their combinations."""
    for count in range(1, len(conditions) + 1):
        yield from combinations(conditions, count)


def _fits_filter(value: str) -> bool:
    """Whether a value can be written into a filter and is read as that value."""
    return _can_be_typed(value) and _RESERVED.isdisjoint(value)


def _check_complete(
    brands: Mapping[str, str],
    products: Sequence[ProductChoices],
    templates: Sequence[TemplateChoice],
) -> None:
    """Raises a `StarterError` if something is missing without which there can be no ad."""
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
