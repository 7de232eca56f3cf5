"""Where a page finds its pictures: in files beside it, in the web, or in the page itself."""

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
"""The longest sides, in pixels, of embedded pictures; the largest with which all fit is taken."""

_SAMPLES: Final = 12
"""How many pictures the size of all is estimated by: to make all in every size takes minutes."""

_MARGIN: Final = 0.95
"""The share of `EMBEDDED_BYTES` that an estimate may fill, as other pictures may be larger."""


@dataclass(frozen=True)
class PictureLinks:
    """Where a page finds a picture; there is nothing to show if all are empty.

    Attributes:
        href: What a click opens: the whole picture, relative to the page or as a URL.
        src: What is shown: its thumbnail, or the picture if there is none; relative to the page, as
            a URL, or embedded.
        web: The picture's URL in the web, to be shown if `src` cannot be; or "".
        file: What this program can read to embed the picture: a path, or a URL below the page's
            folders; or "".
    """

    href: str = ""
    src: str = ""
    web: str = ""
    file: str = ""


class PicturePlaces:
    """Makes the links of one page to pictures: to downloaded files, else to the web."""

    def __init__(self, location: str, *folders: str) -> None:
        """Takes the page's location, and folders besides its own whose files may be shown."""
        self._location = location
        self._folders = [folder_of(location), *filter(None, folders)]
        self._thumbnails: dict[str, frozenset[str]] = {}

    def links_to(self, place: Location | None) -> PictureLinks:
        """The links to a picture at any place, which was checked; empty links for None."""
        if place is None:
            return PictureLinks()
        web = web_address(place.text)
        return (
            self._links_to_file(Path(place.text).resolve(), "")
            if place.is_local
            else PictureLinks(web, web, web)
        )

    def links_of_job(self, image_path: str | None, image_url: str | None) -> PictureLinks:
        """The links to a job's picture: the downloaded file if it is there, else its URL.

        A local file is only linked to if it is below one of the page's folders.
        """
        web = web_address(image_url)
        links_to_web = PictureLinks(web, web, web)
        if not image_path:
            return links_to_web
        if storage.is_url(image_path):
            return self._links_to_remote_file(image_path, web) or links_to_web
        paths = (file_below(image_path, folder) for folder in self._folders)
        path = next(filter(None, paths), None)
        return links_to_web if path is None else self._links_to_file(path, web)

    def _links_to_file(self, path: Path, web: str) -> PictureLinks:
        """The links to a file of this machine, and to its thumbnail if there is one."""
        picture = self._href(path)
        folder = path.parent / THUMBNAILS
        small_path = file_below(str(folder / thumbnail_name(path.name)), str(folder.parent))
        shown = small_path or path
        return PictureLinks(picture, self._href(shown), web, str(shown))

    def _links_to_remote_file(self, image_path: str, web: str) -> PictureLinks | None:
        """The links to a file in an object store; None if no browser can open it.

        Only the page's folders are asked for thumbnails.
        """
        picture = self._relative_url(image_path) or web_address(image_path)
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

    def _href(self, path: Path) -> str:
        """A link to a file of this machine: relative if the page is on it, too, else absolute."""
        if storage.is_url(self._location):
            return path.as_uri()
        base = locations.local_path(self._location).resolve().parent
        try:
            return quote(Path(os.path.relpath(path, base)).as_posix())
        except ValueError:  # another drive of a Windows machine
            return path.as_uri()

    def _relative_url(self, url: str) -> str:
        """A link relative to the page; "" if the URL is not below the page's folder."""
        folder = self._location.rpartition("/")[0] + "/"
        if storage.is_url(self._location) and url.startswith(folder):
            return quote(url.removeprefix(folder))
        return ""

    def _remote_thumbnails(self, folder: str) -> frozenset[str]:
        """The names of the thumbnails in a remote folder, which is listed once."""
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
    """The same links for a page that is sent alone: pictures that can be read are in it as JPEGs.

    All are made small enough that the page can be sent by mail. What still does not fit, or cannot
    be read, is shown from its URL in the web. A click on any opens that URL. Takes some 5 ms a
    picture.

    Args:
        links: The links of the page's pictures; see `PicturePlaces`.
    """
    files = [link.file for link in links if link.file]
    pixels = next((p for p in EMBEDDED_PIXELS if _all_fit(files, p)), EMBEDDED_PIXELS[-1])
    room = EMBEDDED_BYTES
    alone = []
    for link in links:
        content = _read_small_jpeg(link.file, pixels) if link.file else None
        if content is None or len(content) > room:
            alone.append(replace(link, href=link.web, src=link.web))
            continue
        room -= len(content)
        data = f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
        alone.append(replace(link, href=link.web, src=data))
    return alone


def _all_fit(files: Sequence[str], pixels: int) -> bool:
    """Whether all pictures fit into a page in this size, estimated by some of them."""
    samples = files[:: max(1, len(files) // _SAMPLES)]
    sizes = [len(content) for file in samples if (content := _read_small_jpeg(file, pixels))]
    return not sizes or sum(sizes) / len(sizes) * len(files) <= EMBEDDED_BYTES * _MARGIN


def _read_small_jpeg(file: str, pixels: int) -> bytes | None:
    """A picture as a JPEG of so many pixels at most, see `small_jpeg`; None if it is unreadable."""
    try:
        with open_file(file) as opened:
            return small_jpeg(BytesIO(opened.read()), pixels)
    except (BrokenPictureError, CampaignError, OSError):
        return None
