"""Ads as they would be, in lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size

from prefect_staticadslab.campaign.files.cells import shortened, visible
from prefect_staticadslab.campaign.pictures.preview.planned_ads import PlannedAd

LISTED_ADS: Final = 5
"""Ads that are printed with a plan; the page of the preview has them all."""

WIDTH: Final = 80
"""Characters of a line, as most terminals have them."""

_INDENT: Final = "  "


def ad_lines(ads: Sequence[PlannedAd], *, more: str = "") -> list[str]:
    """The first ads, three lines each: what each is of, its template, its prompt; none if no ads.

    Args:
        ads: The ads that would be created.
        more: Where the others can be seen, to be said if these are not all; "" for nothing.
    """
    if not ads:
        return []
    listed = ads[:LISTED_ADS]
    title = "The ads to create:" if len(listed) == len(ads) else f"The first {len(listed)} ads:"
    lines = ["", title]
    digits = max(len(str(ad.row)) for ad in listed)
    for ad in listed:
        number = f"{_INDENT}Row {ad.row:>{digits}}{_INDENT}"
        room = WIDTH - len(number)
        lines.append(number + _join_names((ad.brand, ad.product_name, ad.audience), room))
        lines.append(" " * len(number) + _fit(ad.template_name, room))
        prompt = f"“{_fit(ad.prompt, room - 2)}”" if ad.prompt else "no prompt"
        lines.append(" " * len(number) + prompt)
    if len(ads) > len(listed):
        others = len(ads) - len(listed)
        lines.append(f"{_INDENT}and {others:,} more{more and f'; {more}'}")
    return lines


_SEPARATOR: Final = " · "


def _join_names(names: Sequence[str], room: int) -> str:
    """Names on one line of `room` columns. If they are too long together, the longest are cut."""
    rest = room - len(_SEPARATOR) * (len(names) - 1)
    shown = [_fit(name, rest) for name in names]
    widths = [cell_len(name) for name in shown]
    while sum(widths) > rest:
        widths[widths.index(max(widths))] -= 1
    return _SEPARATOR.join(_fit(name, width) for name, width in zip(shown, widths, strict=True))


def _fit(text: str, columns: int) -> str:
    """Text cut to one line of so many columns, with its control characters made visible.

    Characters of East Asian scripts, and most pictures, take two columns.
    """
    text = visible(shortened(text, columns))
    if cell_len(text) <= columns:
        return text
    return set_cell_size(text, columns - 1).rstrip() + "…"
