"""Where a page finds its pictures: files beside it, the web, or the page itself."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from prefect_staticadslab.bounds import EMBEDDED_BYTES
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import locations, storage
from prefect_staticadslab.campaign.files.locations import Location, file_below, folder_of
from prefect_staticadslab.campaign.pictures.folder import (
    THUMBNAILS,
    open_file,
    remote_thumbnails,
    thumbnail_name,
)
from prefect_staticadslab.campaign.pictures.picture_files import (
    THUMBNAIL_PIXELS,
    BrokenPictureError,
    small_jpeg,
)

EMBEDDED_PIXELS: Final = (THUMBNAIL_PIXELS, 360, 270, 200, 150)
"""The longest sides of embedded pictures; the largest that fits is taken."""

_SAMPLES: Final = 12
"""How many pictures say how large all are; to make all of them in every size takes minutes."""

_MARGIN: Final = 0.95
"""How much of the room an estimate may fill: those that were not looked at may be larger."""


@dataclass(frozen=True)
class PictureLinks:
    """What the page shows of a picture, and what it leads to; nothing if all are empty.

    Attributes:
        picture: The picture itself.
        image: What is shown: its thumbnail, if there is one.
        web: The picture's URL, to be shown if the file is not where the page expects it.
        file: What can be read to embed the picture: a path, or a URL below the page's folders.
    """

    picture: str = ""
    image: str = ""
    web: str = ""
    file: str = ""


class PicturePlaces:
    """Where a page finds pictures: the downloaded files, else the web; else nothing."""

    def __init__(self, location: str, *folders: str) -> None:
        """Takes the page's location, and folders besides its own that pictures may be in."""
        self._location = location
        self._folders = [folder_of(location), *filter(None, folders)]
        self._thumbnails: dict[str, frozenset[str]] = {}

    def links_to(self, place: Location | None) -> PictureLinks:
        """The links to a picture at a checked place; empty links for None."""
        if place is None:
            return PictureLinks()
        web = web_address(place.text)
        return (
            self._local(Path(place.text).resolve(), "")
            if place.is_local
            else PictureLinks(web, web, web)
        )

    def links_of_job(self, image_path: str | None, image_url: str | None) -> PictureLinks:
        """The links to a job's picture: the downloaded file if it is there, else its URL."""
        web = web_address(image_url)
        elsewhere = PictureLinks(web, web, web)
        if not image_path:
            return elsewhere
        if storage.is_url(image_path):
            return self._remote(image_path, web) or elsewhere
        paths = (file_below(image_path, folder) for folder in self._folders)
        path = next(filter(None, paths), None)
        return elsewhere if path is None else self._local(path, web)

    def _local(self, path: Path, web: str) -> PictureLinks:
        picture = self._link(path)
        folder = path.parent / THUMBNAILS
        small_path = file_below(str(folder / thumbnail_name(path.name)), str(folder.parent))
        shown = small_path or path
        return PictureLinks(picture, self._link(shown), web, str(shown))

    def _remote(self, image_path: str, web: str) -> PictureLinks | None:
        """A picture behind a URL; only the folders that were named are asked for thumbnails."""
        picture = self._beside(image_path) or web_address(image_path)
        if not picture:
            return None
        folder, _, name = image_path.rpartition("/")
        small = thumbnail_name(name) if name else ""
        is_ours = any(
            f"{folder}/".startswith(f"{own_folder.rstrip('/')}/") for own_folder in self._folders
        )
        if not is_ours or small not in self._remote_thumbnails(folder):
            return PictureLinks(picture, picture, web, image_path if is_ours else "")
        base, _, _ = picture.rpartition("/")
        place = f"{THUMBNAILS}/{quote(small)}"
        file = f"{folder}/{THUMBNAILS}/{small}"
        return PictureLinks(picture, f"{base}/{place}" if base else place, web, file)

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


def web_address(url: str | None) -> str:
    """The URL if it is one of the web, else "": `javascript:`, say, is no address of a picture."""
    try:
        return url if url and urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def embed_pictures(links: Sequence[PictureLinks]) -> list[PictureLinks]:
    """The same links for a page that goes out alone: its pictures are in it.

    All are made small enough that the page can be sent by mail. What still does not fit, or cannot
    be read, is shown from its URL. Takes some 5 ms a picture.

    Args:
        links: What the page would show; see `PicturePlaces`.
    """
    files = [link.file for link in links if link.file]
    pixels = next((p for p in EMBEDDED_PIXELS if _fits(files, p)), EMBEDDED_PIXELS[-1])
    room = EMBEDDED_BYTES
    alone = []
    for link in links:
        content = _small(link.file, pixels) if link.file else None
        if content is None or len(content) > room:
            alone.append(replace(link, picture=link.web, image=link.web))
            continue
        room -= len(content)
        data = f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
        alone.append(replace(link, picture=link.web, image=data))
    return alone


def _fits(files: Sequence[str], pixels: int) -> bool:
    """Whether all pictures fit into a page if each is made so small, judged by some of them."""
    samples = files[:: max(1, len(files) // _SAMPLES)]
    sizes = [len(content) for file in samples if (content := _small(file, pixels))]
    return not sizes or sum(sizes) / len(sizes) * len(files) <= EMBEDDED_BYTES * _MARGIN


def _small(file: str, pixels: int) -> bytes | None:
    """A picture as a small JPEG; None if it cannot be read."""
    try:
        with open_file(file) as opened:
            return small_jpeg(BytesIO(opened.read()), pixels)
    except (BrokenPictureError, CampaignError, OSError):
        return None
