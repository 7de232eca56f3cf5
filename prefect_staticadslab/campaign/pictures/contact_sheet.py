"""The contact sheet: a page that shows every row's picture, prompt, status and error."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import jinja2

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.job_types.revision_rows import Change
from prefect_staticadslab.campaign.pictures.captions import captions, texts_of
from prefect_staticadslab.campaign.pictures.folder import (
    THUMBNAILS,
    remote_thumbnails,
    thumbnail_name,
)
from prefect_staticadslab.campaign.pipeline.submit import DesignTemplateRequest
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.campaign.table.result_table import JobTable, ResultTable

_FOLDER: Final = Path(__file__).parent

_GENERATOR: Final = '<meta name="generator" content="prefect-staticadslab">'
"""Tells our pages from other people's, which are not overwritten."""


@dataclass(frozen=True)
class _About:
    """What a card says of its row's request.

    Attributes:
        caption: What the row is called.
        text: What was asked for.
        before: A picture to compare the job's picture with, if there is one: a path and a URL.
        labels: What to call the two pictures then.
    """

    caption: str
    text: str
    before: tuple[str | None, str | None] = (None, None)
    labels: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class _Card:
    row: int
    status: str
    about: _About
    error: str
    job_id: str
    before: _Shown
    picture: _Shown
    width: int
    height: int
    cost: str


def contact_sheet(table: JobTable[Any], location: str, title: str) -> str:
    """The page for a table as one HTML text that needs no other file but the pictures.

    Args:
        table: The table.
        location: Where the page will be, so that downloaded pictures are found from there.
        title: What it is headed.
    """
    pictures = _Pictures(location)
    cards = [
        _Card(
            row=row.number,
            status=str(state.status),
            about=about,
            error=state.error or "",
            job_id=state.image_ad_id or "",
            before=pictures.shown(*about.before),
            picture=pictures.shown(state.image_path, state.image_url),
            width=state.width or 0,
            height=state.height or 0,
            cost=f"{state.cost_usd:.2f} USD" if state.cost_usd else "",
        )
        for row, state, about in zip(table.rows, table.states, _told(table), strict=True)
    ]
    counts = {str(status): count for status, count in table.counts().items() if count}
    style, script = _asset("contact_sheet.css"), _asset("contact_sheet.js")
    return _template().render(
        title=title,
        generator=_GENERATOR,
        cards=cards,
        counts=counts,
        rows=sum(counts.values()),
        cost=f", {table.cost_usd():.2f} USD" if "cost_usd" in table.kind.columns else "",
        completed=counts.get(str(RowStatus.COMPLETED), 0),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _told(table: JobTable[Any]) -> Iterator[_About]:
    """What to say of each row."""
    if isinstance(table, ResultTable):
        audiences = texts_of(table, "audience")
        for row, caption, audience in zip(table.rows, captions(table), audiences, strict=True):
            name = f"{caption} · {audience}" if audience else caption
            yield _About(name, row.request.prompt or "")
        return
    for row, state in zip(table.rows, table.states, strict=True):
        match row.request:
            case DesignTemplateRequest(reference=reference):
                facts = (
                    state.facts.get(name) for name in ("aspect_ratio", "ad_format", "industry")
                )
                before = (None, reference) if storage.is_url(reference) else (reference, None)
                yield _About(
                    storage.name(reference),
                    " · ".join(filter(None, facts)),
                    before,
                    ("Reference", "Preview"),
                )
            case Change() as change:
                before = (None, state.facts.get("previous_image_url"))
                yield _About(change.image_ad_id, change.summary, before, ("Before", "After"))


def write_contact_sheet(table: JobTable[Any], title: str) -> str | None:
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


@dataclass(frozen=True)
class _Shown:
    """What the page shows of a picture, and what it leads to; nothing if both are empty.

    Attributes:
        picture: The picture itself.
        image: What is shown: its thumbnail, if there is one.
    """

    picture: str = ""
    image: str = ""


class _Pictures:
    """Where a page finds pictures: the downloaded files, else the web; else nothing."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._thumbnails: dict[str, frozenset[str]] = {}

    def shown(self, image_path: str | None, image_url: str | None) -> _Shown:
        web = _web_address(image_url)
        elsewhere = _Shown(web, web)
        if not image_path:
            return elsewhere
        if storage.is_url(image_path):
            picture = self._beside(image_path) or _web_address(image_path)
            if not picture:
                return elsewhere
            folder, _, name = image_path.rpartition("/")
            small = thumbnail_name(name) if name else ""
            if small not in self._remote_thumbnails(folder):
                return _Shown(picture, picture)
            base, _, _ = picture.rpartition("/")
            place = f"{THUMBNAILS}/{quote(small)}"
            return _Shown(picture, f"{base}/{place}" if base else place)
        path = _file(image_path)
        if path is None:
            return elsewhere
        picture = self._link(path)
        small_path = path.parent / THUMBNAILS / thumbnail_name(path.name)
        return _Shown(picture, self._link(small_path) if small_path.exists() else picture)

    def _link(self, path: Path) -> str:
        if storage.is_url(self._location):
            return path.as_uri()
        base = storage.local_path(self._location).resolve().parent
        try:
            return quote(Path(os.path.relpath(path, base)).as_posix())
        except ValueError:  # another drive of a Windows machine
            return path.as_uri()

    def _beside(self, url: str) -> str:
        """The way from the page to a file below its folder, if both are at one place."""
        folder = self._location.rpartition("/")[0] + "/"
        if storage.is_url(self._location) and url.startswith(folder):
            return quote(url.removeprefix(folder))
        return ""

    def _remote_thumbnails(self, folder: str) -> frozenset[str]:
        if folder not in self._thumbnails:
            self._thumbnails[folder] = frozenset(remote_thumbnails(folder))
        return self._thumbnails[folder]


def _file(location: str) -> Path | None:
    """The local file that a cell names; None if there is none, whatever the cell holds."""
    try:
        path = storage.local_path(location).resolve()
        return path if path.is_file() else None
    except (CampaignError, OSError, RuntimeError):
        return None


def _web_address(url: str | None) -> str:
    try:
        # Anything else, such as javascript:, is no address of a picture.
        return url if url and urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _hash(text: str) -> str:
    """What a Content-Security-Policy wants of an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_asset("contact_sheet.html.j2"))
