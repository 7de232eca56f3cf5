"""The contact sheet: a page that shows every row's picture, prompt, status and error."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import jinja2

from prefect_staticadslab.campaign import storage
from prefect_staticadslab.campaign.problems import CampaignError
from prefect_staticadslab.campaign.results import ResultTable
from prefect_staticadslab.campaign.states import RowStatus

_FOLDER: Final = Path(__file__).parent

_GENERATOR: Final = '<meta name="generator" content="prefect-staticadslab">'
"""Tells our pages from other people's, which are not overwritten."""


@dataclass(frozen=True)
class _Card:
    row: int
    status: str
    prompt: str
    caption: str
    error: str
    image_ad_id: str
    picture: str
    ratio: str
    cost: str


def contact_sheet(table: ResultTable, location: str, title: str) -> str:
    """The page for a table as one HTML text that needs no other file but the pictures.

    Args:
        table: The campaign's table.
        location: Where the page will be, so that downloaded pictures are found from there.
        title: What it is headed.
    """
    cards = [
        _Card(
            row=row.number,
            status=str(state.status),
            prompt=row.request.prompt or "",
            caption=_caption(table, position),
            error=state.error or "",
            image_ad_id=state.image_ad_id or "",
            picture=_picture(state.image_path, state.image_url, location),
            ratio=f"{state.width} / {state.height}" if state.width and state.height else "1 / 1",
            cost=f"{state.cost_usd:.2f} USD" if state.cost_usd else "",
        )
        for position, (row, state) in enumerate(zip(table.rows, table.states, strict=True))
    ]
    counts = {str(status): count for status, count in table.counts().items() if count}
    style, script = _asset("contact_sheet.css"), _asset("contact_sheet.js")
    return _template().render(
        title=title,
        generator=_GENERATOR,
        cards=cards,
        counts=counts,
        rows=sum(counts.values()),
        cost=f"{table.cost_usd():.2f}",
        completed=counts.get(str(RowStatus.COMPLETED), 0),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def write_contact_sheet(table: ResultTable, title: str) -> str | None:
    """Writes the page beside the table, and returns where; None if the table is kept nowhere.

    Raises:
        CampaignError: It cannot be written, or there is another page of that name.
    """
    if table.location is None:
        return None
    location = storage.sibling(table.location, ".html")
    if storage.exists(location) and _GENERATOR.encode() not in storage.read_bytes(location):
        raise CampaignError(f"{location} is a page of somebody else's, and is left alone.")
    storage.write_bytes(location, contact_sheet(table, location, title).encode())
    return location


_CAPTION_COLUMNS: Final = ("product_name", "product", "title", "name", "handle", "sku")


def _caption(table: ResultTable, position: int) -> str:
    """What the user calls the row's product, if a column looks like it."""
    names = {str(name).strip().casefold(): i for i, name in enumerate(table.frame.columns)}
    for name in _CAPTION_COLUMNS:
        if name in names:
            value = table.frame.iat[position, names[name]]
            if value:
                return str(value)
    return table.rows[position].request.product_id


def _picture(image_path: str | None, image_url: str | None, location: str) -> str:
    """Where the page finds the picture: the downloaded file, else the web; else nothing."""
    if image_path and not storage.is_url(image_path):
        path = Path(image_path).expanduser().resolve()
        if not path.exists():
            return _web_address(image_url)
        if storage.is_url(location):
            return path.as_uri()
        base = storage.local_path(location).resolve().parent
        try:
            return quote(Path(os.path.relpath(path, base)).as_posix())
        except ValueError:  # another drive of a Windows machine
            return path.as_uri()
    return _web_address(image_path) or _web_address(image_url)


def _web_address(url: str | None) -> str:
    # Anything else, such as javascript:, is no address of a picture.
    return url if url and urlsplit(url).scheme in ("http", "https") else ""


def _hash(text: str) -> str:
    """What a Content-Security-Policy wants of an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_asset("contact_sheet.html.j2"))
