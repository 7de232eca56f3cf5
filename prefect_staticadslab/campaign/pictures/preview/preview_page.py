"""The preview: a page that shows every ad that a run would create, before it is paid for."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final

import jinja2

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.pictures.pages import (
    is_page_with,
    page_environment,
    page_parts,
    read_asset,
)
from prefect_staticadslab.campaign.pictures.preview.planned_ads import (
    NamedCost,
    PlannedAd,
    costs_by_name,
)
from prefect_staticadslab.campaign.reports.plan import Plan, counted_ads

_STYLES: Final = ("contact_sheet.css", "preview_page.css")
"""The page looks like the contact sheet, and has tables besides."""

_GENERATOR: Final = '<meta name="generator" content="prefect-staticadslab preview">'
"""Tells a preview of ours from other pages."""

ENDINGS: Final = (".html", ".htm")

LISTED_COSTS: Final = 200
"""Lines of a table of costs; the others are added up in one."""


class PreviewError(CampaignError):
    """The preview cannot be written where it should be. The message says why."""


@dataclass(frozen=True)
class _Others:
    """What a table of costs does not list: how many names, their ads, and what these would cost."""

    names: int
    ads: int
    usd: Decimal


@dataclass(frozen=True)
class _CostTable:
    """A table of what the ads would cost.

    Attributes:
        name: What they are added up by, such as `Brand`.
        costs: The dearest brands, say, of which each is a line.
        others: What all others come to; None if there are none.
    """

    name: str
    costs: Sequence[NamedCost]
    others: _Others | None = None

    @classmethod
    def of(cls, name: str, found: Sequence[NamedCost]) -> _CostTable:
        """The table of these costs, of which the first `LISTED_COSTS` are listed."""
        listed, rest = found[:LISTED_COSTS], found[LISTED_COSTS:]
        if not rest:
            return cls(name, listed)
        usd = sum((cost.usd for cost in rest), Decimal(0))
        return cls(name, listed, _Others(len(rest), sum(cost.ads for cost in rest), usd))


def check_preview(location: str, output: str = "") -> None:
    """Raises if no preview can be written to a location, as far as can be told. Writes nothing.

    Args:
        location: Where it is to be: a path or a URL.
        output: Where the result table is, whose contact sheet lies beside it.

    Raises:
        PreviewError: It is no page's name, or the contact sheet's, or another file is there.
        StorageError: Nothing is written there; see `storage.check_target`.
    """
    if storage.suffix(location) not in ENDINGS:
        raise PreviewError(f"The preview {location} must end in {' or '.join(ENDINGS)}.")
    sheet = storage.with_ending(output, ".html") if output else ""
    if sheet and storage.canonical(sheet) == storage.canonical(location):
        raise PreviewError(
            f"The preview {location} would be where the contact sheet is. Choose another name."
        )
    storage.check_target(location)
    if storage.exists(location) and not is_page_with(_GENERATOR, location):
        raise PreviewError(
            f"{location} is no preview of this program, and is left alone. Choose another name."
        )


def write_preview(location: str, page: str) -> None:
    """Writes a preview over what is there, which is not checked here.

    Args:
        location: Where to; see `check_preview`.
        page: The page's HTML.

    Raises:
        StorageError: It cannot be written.
    """
    storage.write_bytes(location, page.encode())


def preview_page(
    ads: Sequence[PlannedAd], plan: Plan, title: str, pictures: Mapping[str, bytes]
) -> str:
    """The page as one HTML text that needs no other file.

    Args:
        ads: The ads that would be created.
        plan: The plan of the run, for the cost of all and for remarks.
        title: What the campaign is called.
        pictures: A small JPEG of each design template, by its id. Each is in the page once,
            however many ads it makes.
    """
    names = {identifier: f"t{number}" for number, identifier in enumerate(pictures)}
    style = "".join(
        [
            *map(read_asset, _STYLES),
            *(_picture_rule(names[each], jpeg) for each, jpeg in pictures.items()),
        ]
    )
    return _page_template().render(
        title=title,
        ads=ads,
        counted=counted_ads(len(ads)),
        pictures=names,
        total=plan.new_usd,
        tables=[
            _CostTable.of("Brand", costs_by_name(ads, [ad.brand for ad in ads])),
            _CostTable.of("Design template", costs_by_name(ads, [ad.template_name for ad in ads])),
        ],
        remarks=[*plan.nothing_to_create_for(), *plan.remarks()],
        **page_parts(_GENERATOR, style, read_asset("preview_page.js")),
    )


def _picture_rule(name: str, jpeg: bytes) -> str:
    """A rule of CSS that shows a picture in elements of the class `name`."""
    data = base64.b64encode(jpeg).decode()
    return f".{name} {{ background-image: url(data:image/jpeg;base64,{data}); }}\n"


def _usd_text(amount: Decimal) -> str:
    """An amount with two places and `USD`, for the template."""
    return f"{amount:,.2f} USD"


@cache
def _page_template() -> jinja2.Template:
    """The page's template, which is read once."""
    environment = page_environment()
    environment.filters["money"] = _usd_text
    return environment.from_string(read_asset("preview_page.html.j2"))
