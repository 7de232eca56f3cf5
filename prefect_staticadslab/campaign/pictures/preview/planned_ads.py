"""The ads that a run would create, as people call them: names for ids, prompts filled in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from prefect_staticadslab.api.resources import DesignTemplate
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.listings import Catalogue
from prefect_staticadslab.campaign.pictures.captions import captions, texts_of
from prefect_staticadslab.campaign.reports.plan import is_to_create
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    RESOURCE_TYPES,
    TEMPLATE,
    VARIANT,
    ResourceType,
)


@dataclass(frozen=True)
class PlannedAd:
    """An ad that a run would create.

    Attributes:
        row: The number of the spreadsheet's row that asks for it.
        brand, product, variant, audience: Their names; or their ids, if the names are not known.
            `variant` may be "".
        template: What the design template is like, such as `Sale 4:5`; "" if that is not known.
        template_id: The design template's id.
        template_picture: The address of the template's preview; "" if that is not known.
        prompt: The prompt as it would be sent; "" if there is none.
        job_name: `flat` or `editable`.
        price_usd: What it would cost, in USD.
    """

    row: int
    brand: str
    product: str
    variant: str
    audience: str
    template: str
    template_id: str
    template_picture: str
    prompt: str
    job_name: str
    price_usd: Decimal

    @property
    def product_name(self) -> str:
        """The product, with its variant if it has one."""
        return f"{self.product} ({self.variant})" if self.variant else self.product

    @property
    def template_name(self) -> str:
        """What the design template is like, and its id."""
        return f"{self.template}, {self.template_id}" if self.template else self.template_id


@dataclass(frozen=True)
class NamedCost:
    """What the ads of one brand, or of one design template, would cost.

    Attributes:
        name: The brand's or the template's.
        ads: How many ads there are of it.
        usd: What these would cost together, in USD.
    """

    name: str
    ads: int
    usd: Decimal


def planned_ads(campaign: Campaign) -> list[PlannedAd]:
    """The ads that a run of a campaign would create, in the table's order.

    Names come from the catalogue as far as it was read, else from the user's own columns.
    """
    table = campaign.table
    own_names = {
        kind: texts_of(table, kind.name) for kind in RESOURCE_TYPES if kind is not TEMPLATE
    }
    titles = captions(table)
    ads = []
    for position, row, state in table.current_rows:
        if not is_to_create(row, state):
            continue
        request = row.request
        ids = {kind: getattr(request, kind.id_column) or "" for kind in RESOURCE_TYPES}
        names = {
            kind: _name_in_catalogue(campaign.catalogue, kind, ids[kind])
            or texts[position]
            or ids[kind]
            for kind, texts in own_names.items()
        }
        if names[PRODUCT] == ids[PRODUCT]:
            names[PRODUCT] = titles[position]
        template = campaign.catalogue.find(TEMPLATE, ids[TEMPLATE])
        looks = template if isinstance(template, DesignTemplate) else None
        ads.append(
            PlannedAd(
                row=row.number,
                brand=names[BRAND],
                product=names[PRODUCT],
                variant=names[VARIANT],
                audience=names[AUDIENCE],
                template=" ".join(filter(None, (looks.ad_format, looks.aspect_ratio)))
                if looks
                else "",
                template_id=ids[TEMPLATE],
                template_picture=(looks and looks.picture_url) or "",
                prompt=request.prompt or "",
                job_name=request.job_name,
                price_usd=request.price_usd,
            )
        )
    return ads


def costs_by_name(ads: Sequence[PlannedAd], names: Iterable[str]) -> list[NamedCost]:
    """What the ads of each name would cost together, the dearest first.

    Args:
        ads: The ads.
        names: Each ad's name to add up by, such as its brand's, in the ads' order.
    """
    counts: dict[str, tuple[int, Decimal]] = {}
    for ad, name in zip(ads, names, strict=True):
        count, usd = counts.get(name, (0, Decimal(0)))
        counts[name] = count + 1, usd + ad.price_usd
    found = [NamedCost(name, count, usd) for name, (count, usd) in counts.items()]
    return sorted(found, key=lambda cost: (-cost.usd, cost.name))


def _name_in_catalogue(catalogue: Catalogue, kind: ResourceType, identifier: str) -> str:
    """A resource's name; "" if it was not read."""
    resource = catalogue.find(kind, identifier)
    return resource.name if resource else ""
