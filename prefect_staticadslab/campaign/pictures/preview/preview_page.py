"""The preview: a page that shows every ad that a run would create, before it is paid for."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

import jinja2

from prefect_staticadslab.bounds import PAGE_START_BYTES
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.pictures.preview.planned_ads import (
    NamedCost,
    PlannedAd,
    costs_by_name,
)
from prefect_staticadslab.campaign.reports.plan import Plan, counted_ads

_FOLDER: Final = Path(__file__).parents[1] / "assets"

_STYLES: Final = (_FOLDER / "contact_sheet.css", _FOLDER / "preview_page.css")
"""It looks like the contact sheet, and has tables besides."""

_GENERATOR: Final = '<meta name="generator" content="prefect-staticadslab preview">'
"""Tells our previews from other pages, which are not overwritten."""

ENDINGS: Final = (".html", ".htm")

LISTED_SHARES: Final = 200
"""Lines of a table of costs."""


class PreviewError(CampaignError):
    """The preview cannot be written where it should be. The message says why."""


@dataclass(frozen=True)
class _Others:
    names: int
    ads: int
    usd: Decimal


@dataclass(frozen=True)
class _CostTable:
    """What the ads cost by what they have in common.

    Attributes:
        name: What that is.
        shares: The dearest ones.
        others: What the others come to, if there are any.
    """

    name: str
    shares: Sequence[NamedCost]
    others: _Others | None = None

    @classmethod
    def of(cls, name: str, found: Sequence[NamedCost]) -> _CostTable:
        listed, rest = found[:LISTED_SHARES], found[LISTED_SHARES:]
        if not rest:
            return cls(name, listed)
        usd = sum((share.usd for share in rest), Decimal(0))
        return cls(name, listed, _Others(len(rest), sum(share.ads for share in rest), usd))


def check_preview(location: str, output: str = "") -> None:
    """Raises if no preview can be written there, as far as that can be told.

    Args:
        location: Where it is to be: a path or a URL.
        output: Where the result table is, whose contact sheet lies beside it.

    Raises:
        PreviewError: It is no page's name, or another page's.
        StorageError: Nothing is written there; see `storage.check_target`.
    """
    if storage.suffix(location) not in ENDINGS:
        raise PreviewError(f"The preview {location} must end in {' or '.join(ENDINGS)}.")
    sheet = storage.sibling(output, ".html") if output else ""
    if sheet and storage.canonical(sheet) == storage.canonical(location):
        raise PreviewError(
            f"The preview {location} would be where the contact sheet is. Choose another name."
        )
    storage.check_target(location)
    if storage.exists(location) and not _is_ours(location):
        raise PreviewError(
            f"{location} is no preview of this program, and is left alone. Choose another name."
        )


def write_preview(location: str, page: str) -> None:
    """Writes the page.

    Args:
        location: Where to; see `check_preview`.
        page: The page.

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
        plan: What else there is to say of the run.
        title: What the campaign is called.
        pictures: A small JPEG of each design template, by its id. Each is in the page once,
            however many ads it makes.
    """
    names = {identifier: f"t{number}" for number, identifier in enumerate(pictures)}
    style = "".join(
        [
            *(place.read_text(encoding="utf-8") for place in _STYLES),
            *(_picture_rule(names[each], jpeg) for each, jpeg in pictures.items()),
        ]
    )
    script = (_FOLDER / "preview_page.js").read_text(encoding="utf-8")
    return _template().render(
        title=title,
        generator=_GENERATOR,
        ads=ads,
        counted=counted_ads(len(ads)),
        pictures=names,
        total=plan.new_usd,
        tables=[
            _CostTable.of("Brand", costs_by_name(ads, [ad.brand for ad in ads])),
            _CostTable.of("Design template", costs_by_name(ads, [ad.template_name for ad in ads])),
        ],
        remarks=[*plan.standing(), *plan.remarks()],
        style=style,
        script=script,
        style_hash=_content_hash(style),
        script_hash=_content_hash(script),
    )


def _picture_rule(name: str, jpeg: bytes) -> str:
    data = base64.b64encode(jpeg).decode()
    return f".{name} {{ background-image: url(data:image/jpeg;base64,{data}); }}\n"


def _is_ours(location: str) -> bool:
    return _GENERATOR.encode() in storage.read_start(location, PAGE_START_BYTES)


def _content_hash(text: str) -> str:
    """What a Content-Security-Policy wants of an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f} USD"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["money"] = _money
    return environment.from_string((_FOLDER / "preview_page.html.j2").read_text(encoding="utf-8"))
