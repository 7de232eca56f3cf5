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

from prefect_staticadslab.bounds import PAGE_START_BYTES
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import locations, storage
from prefect_staticadslab.campaign.files.locations import Location, file_below
from prefect_staticadslab.campaign.job_types.image_ads import ResultTable
from prefect_staticadslab.campaign.job_types.revision_rows import Change
from prefect_staticadslab.campaign.pictures.captions import captions, texts_of
from prefect_staticadslab.campaign.pictures.folder import (
    THUMBNAILS,
    remote_thumbnails,
    thumbnail_name,
)
from prefect_staticadslab.campaign.pipeline.requests import DesignTemplateRequest
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.campaign.table.result_table import JobTable

_FOLDER: Final = Path(__file__).parent / "assets"

_GENERATOR: Final = '<meta name="generator" content="prefect-staticadslab">'
"""Tells our pages from other people's, which are not overwritten."""


@dataclass(frozen=True)
class _CardText:
    """What a card says of its row's request.

    Attributes:
        caption: What the row is called.
        text: What was asked for.
        before: A picture to compare the job's picture with, if there is one.
        labels: What to call the two pictures then.
    """

    caption: str
    text: str
    before: Location | None = None
    labels: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class _Card:
    row: int
    status: str
    about: _CardText
    error: str
    job_id: str
    before: _PictureLinks
    picture: _PictureLinks
    width: int
    height: int
    cost: str


def contact_sheet(table: JobTable[Any], location: str, title: str, pictures: str = "") -> str:
    """The page for a table as one HTML text that needs no other file but the pictures.

    Args:
        table: The table.
        location: Where the page will be, so that downloaded pictures are found from there.
        title: What it is headed.
        pictures: A folder of pictures that may be linked to besides what lies below the page's own
            folder: a table may name any file, and its page must not show what it names.
    """
    places = _Pictures(location, pictures)
    cards = [
        _Card(
            row=row.number,
            status=str(state.status),
            about=about,
            error=state.error or "",
            job_id=state.job_id or "",
            before=places.links_to(about.before),
            picture=places.links_of_job(state.image_path, state.image_url),
            width=state.width or 0,
            height=state.height or 0,
            cost=f"{state.cost_usd:.2f} USD" if state.cost_usd else "",
        )
        for row, state, about in zip(table.rows, table.states, _card_texts(table), strict=True)
    ]
    counts = {str(status): count for status, count in table.totals().counts.items() if count}
    style, script = _asset("contact_sheet.css"), _asset("contact_sheet.js")
    return _template().render(
        title=title,
        generator=_GENERATOR,
        cards=cards,
        counts=counts,
        rows=sum(counts.values()),
        cost=f", {table.totals().cost_usd:.2f} USD" if "cost_usd" in table.job_type.columns else "",
        completed=counts.get(str(RowStatus.COMPLETED), 0),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _card_texts(table: JobTable[Any]) -> Iterator[_CardText]:
    """The texts of each row's card, in the rows' order."""
    if isinstance(table, ResultTable):
        audiences = texts_of(table, "audience")
        for row, caption, audience in zip(table.rows, captions(table), audiences, strict=True):
            name = f"{caption} · {audience}" if audience else caption
            yield _CardText(name, row.request.prompt or "")
        return
    for row, state in zip(table.rows, table.states, strict=True):
        match row.request:
            case DesignTemplateRequest(reference=reference):
                facts = (
                    state.facts.get(name) for name in ("aspect_ratio", "ad_format", "industry")
                )
                yield _CardText(
                    storage.name(reference.text),
                    " · ".join(filter(None, facts)),
                    reference,
                    ("Reference", "Preview"),
                )
            case Change() as change:
                previous = _web_address(state.facts.get("previous_image_url"))
                before = Location.typed(previous) if previous else None
                yield _CardText(change.image_ad_id, change.summary, before, ("Before", "After"))


def write_contact_sheet(table: JobTable[Any], title: str, pictures: str = "") -> str | None:
    """Writes the page beside the table, and returns where; None if the table is kept nowhere.

    Args:
        table, title: See `contact_sheet`.
        pictures: The folder that this run has downloaded the pictures to, if it has.

    Raises:
        CampaignError: It cannot be written, or there is another page of that name.
    """
    if table.location is None:
        return None
    location = storage.sibling(table.location, ".html")
    if storage.exists(location) and not _is_ours(location):
        raise CampaignError(f"{location} is a page of somebody else's, and is left alone.")
    storage.write_bytes(location, contact_sheet(table, location, title, pictures).encode())
    return location


def _is_ours(location: str) -> bool:
    return _GENERATOR.encode() in storage.read_start(location, PAGE_START_BYTES)


@dataclass(frozen=True)
class _PictureLinks:
    """What the page shows of a picture, and what it leads to; nothing if both are empty.

    Attributes:
        picture: The picture itself.
        image: What is shown: its thumbnail, if there is one.
    """

    picture: str = ""
    image: str = ""


class _Pictures:
    """Where a page finds pictures: the downloaded files, else the web; else nothing."""

    def __init__(self, location: str, *folders: str) -> None:
        """Takes the page's location, and folders besides its own that pictures may be in."""
        self._location = location
        self._folders = [storage.folder(location), *filter(None, folders)]
        self._thumbnails: dict[str, frozenset[str]] = {}

    def links_to(self, place: Location | None) -> _PictureLinks:
        """The links to a picture at a checked place; empty links for None."""
        if place is None:
            return _PictureLinks()
        web = _web_address(place.text)
        return (
            self._local(Path(place.text).resolve()) if place.is_local else _PictureLinks(web, web)
        )

    def links_of_job(self, image_path: str | None, image_url: str | None) -> _PictureLinks:
        """The links to a job's picture: the downloaded file if it is there, else its URL."""
        web = _web_address(image_url)
        elsewhere = _PictureLinks(web, web)
        if not image_path:
            return elsewhere
        if storage.is_url(image_path):
            return self._remote(image_path) or elsewhere
        paths = (file_below(image_path, folder) for folder in self._folders)
        path = next(filter(None, paths), None)
        return elsewhere if path is None else self._local(path)

    def _local(self, path: Path) -> _PictureLinks:
        picture = self._link(path)
        small_path = path.parent / THUMBNAILS / thumbnail_name(path.name)
        return _PictureLinks(picture, self._link(small_path) if small_path.exists() else picture)

    def _remote(self, image_path: str) -> _PictureLinks | None:
        """A picture behind a URL; only the folders that were named are asked for thumbnails."""
        picture = self._beside(image_path) or _web_address(image_path)
        if not picture:
            return None
        folder, _, name = image_path.rpartition("/")
        small = thumbnail_name(name) if name else ""
        is_ours = any(
            f"{folder}/".startswith(f"{own_folder.rstrip('/')}/") for own_folder in self._folders
        )
        if not is_ours or small not in self._remote_thumbnails(folder):
            return _PictureLinks(picture, picture)
        base, _, _ = picture.rpartition("/")
        place = f"{THUMBNAILS}/{quote(small)}"
        return _PictureLinks(picture, f"{base}/{place}" if base else place)

    def _link(self, path: Path) -> str:
        if storage.is_url(self._location):
            return path.as_uri()
        base = locations.local_path(self._location).resolve().parent
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
