"""Downloading many pictures, a few at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from prefect_staticadslab.api.errors import (
    ACCOUNT_ERRORS,
    APIConnectionError,
    StaticAdsLabError,
    UnreadableAnswerError,
)
from prefect_staticadslab.api.web.downloads import ENDINGS, PictureDownloader, PictureGoneError
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import local_files, storage
from prefect_staticadslab.campaign.files.locations import file_below, folder_of
from prefect_staticadslab.campaign.pictures.captions import (
    is_called_like,
    is_named_after,
    name_key,
    names_by_id,
    picture_id,
    picture_stems,
    safe_id,
)
from prefect_staticadslab.campaign.pictures.folder import (
    THUMBNAILS,
    PictureFolder,
    is_full,
    thumbnail_name,
)
from prefect_staticadslab.campaign.pictures.picture_files import (
    BrokenPictureError,
    check_and_shrink,
    comment_of,
    looks_whole,
)
from prefect_staticadslab.campaign.pictures.picture_report import Pictures
from prefect_staticadslab.campaign.table.background import all_of
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.campaign.table.result_table import JobTable

logger = logging.getLogger(__name__)

OPEN_DOWNLOADS: Final = 8
OPEN_DECODES: Final = 2
"""A picture that is decoded takes some 60 MB and a processor."""

LOST_PICTURES: Final = 2 * OPEN_DOWNLOADS
"""So many in a row that nobody answers for, each tried several times, are an outage."""

FreshUrl = Callable[[str], Awaitable[str | None]]
"""Given an ad's id, where its picture is by now; None if nobody knows."""


class Downloads:
    """The downloads of one table's pictures, a few at a time."""

    def __init__(
        self,
        table: JobTable[Any],
        folder: PictureFolder,
        downloader: PictureDownloader,
        fresh_url: FreshUrl | None,
        name_by: str = "",
    ) -> None:
        self._table = table
        self._folder = folder
        self._downloader = downloader
        self._fresh_url = fresh_url
        self._stems = picture_stems(table, name_by)
        self._renames = bool(name_by)
        # Whose file has each name, as far as that is known: other people's are not ours to replace.
        self._owners = {name_key(PurePosixPath(name).stem): "" for name in folder.pictures}
        # Threads of its own: memory that a decoder used stays with its thread.
        self._decoders = ThreadPoolExecutor(OPEN_DECODES, "decode")
        self._by_id = names_by_id(folder.pictures)
        self._completed = [p for p, s in enumerate(table.states) if s.status is RowStatus.COMPLETED]
        self._file_names: dict[int, str] = {}
        self._missing: set[int] = set()
        self._fetched = 0
        self._failures_in_a_row = 0
        self._stopped_by = ""

    async def run(self) -> None:
        """Downloads all pictures that are missing; logs why one could not be had."""
        positions = iter(self._completed)
        with self._decoders:
            await all_of(self._work(positions) for _ in range(OPEN_DOWNLOADS))
        self._missing.update(p for p in self._completed if p not in self._file_names)

    def tally(self) -> Pictures:
        """What became of the pictures so far."""
        return Pictures(
            folder=self._folder.location,
            rows=len(self._completed),
            completed=len(self._file_names),
            fetched=self._fetched,
            missing=tuple(self._table.rows[p].number for p in sorted(self._missing)),
            megabytes=self._downloader.bytes / 1e6,
            stopped_by=self._stopped_by,
        )

    def names(self) -> list[str]:
        """The names of the downloaded pictures, in the rows' order."""
        return list(
            dict.fromkeys(self._file_names[position] for position in sorted(self._file_names))
        )

    async def _work(self, positions: Iterator[int]) -> None:
        for position in positions:
            if self._stopped_by:
                return
            try:
                self._file_names[position] = await self._ensure_picture(position)
                self._failures_in_a_row = 0
            except (StaticAdsLabError, CampaignError, OSError) as error:
                self._missing.add(position)
                self._failures_in_a_row = (
                    self._failures_in_a_row + 1 if isinstance(error, APIConnectionError) else 0
                )
                if is_full(error):
                    self._stop(
                        f"The disk of {self._folder.disk} is full, so no more pictures were "
                        "downloaded. Make room there; the next run goes on."
                    )
                elif self._failures_in_a_row >= LOST_PICTURES:
                    self._stop(f"The pictures' server does not answer: {error}")
                else:
                    logger.warning("Row %d: %s", self._table.rows[position].number, error)

    def _stop(self, reason: str) -> None:
        if not self._stopped_by:
            self._stopped_by = reason
            logger.warning("%s", reason)

    async def _ensure_picture(self, position: int) -> str:
        """Downloads a row's picture if it is missing, and writes its path to the table.

        Returns:
            The picture's file name.
        """
        state = self._table.states[position]
        unique = picture_id(state)
        name = await asyncio.to_thread(self._existing_name, position)
        if name is None or not await self._is_there(name, unique):
            broken, name = name, await self._get_picture(position)
            self._fetched += 1
            if broken not in (None, name) and is_named_after(broken, unique):
                await asyncio.to_thread(self._folder.remove, broken)
        elif self._renames:
            name = await self._renamed(position, name)
        path = self._folder.place(name)
        state = self._table.states[position]
        if state.image_path != path:
            self._table.update(position, replace(state, image_path=path))
        return name

    def _existing_name(self, position: int) -> str | None:
        """The name of an ad's picture in the folder.

        It is found by the table's path, by the id in the name, or by the id in its thumbnail.
        """
        state = self._table.states[position]
        if state.image_path:
            name = storage.name(state.image_path)
            here = storage.canonical(self._folder.place(name))
            if name in self._folder.pictures and storage.canonical(state.image_path) == here:
                return name
        unique = picture_id(state)
        if named := self._by_id.get(safe_id(unique)):
            return named
        names = (f"{stem}{ending}" for stem in self._stems[position] for ending in ENDINGS)
        found = (name for name in names if name in self._folder.pictures)
        return next((name for name in found if self._is_ours(name, unique)), None)

    def _is_ours(self, name: str, unique: str) -> bool:
        """Whether a file of the folder is this ad's picture: its name or its thumbnail says so."""
        small = thumbnail_name(name)
        if is_named_after(name, unique):
            return True
        if not unique or small not in self._folder.thumbnails:
            return False
        with (
            contextlib.suppress(CampaignError, OSError),
            self._folder.read(f"{THUMBNAILS}/{small}") as file,
        ):
            return comment_of(file) == safe_id(unique)
        return False

    async def _renamed(self, position: int, name: str) -> str:
        """Gives a picture the name that it should have, if it is ours. Returns its name."""
        unique, path = picture_id(self._table.states[position]), PurePosixPath(name)
        if is_called_like(path.stem, self._stems[position][0], unique):
            return name
        if not await asyncio.to_thread(self._is_ours, name, unique):
            return name
        wanted = await self._free_name(position, path.suffix)
        await asyncio.to_thread(self._folder.rename, name, wanted)
        return wanted

    async def _free_name(self, position: int, ending: str) -> str:
        """The best name of a row's picture that no other file has."""
        unique = picture_id(self._table.states[position])
        for stem in self._stems[position]:
            name, key = f"{stem}{ending}", name_key(stem)
            if self._owners.setdefault(key, unique) == unique or await asyncio.to_thread(
                self._is_ours, name, unique
            ):
                return name
        # The last has the ad's id in it.
        return f"{self._stems[position][-1]}{ending}"

    async def _is_there(self, name: str, unique: str) -> bool:
        """Whether a picture's file is whole. Makes its thumbnail if that is missing."""
        if not self._folder.pictures[name].size:
            return False
        path = self._folder.local_path(name)
        if thumbnail_name(name) in self._folder.thumbnails:
            return self._folder.is_remote or looks_whole(path)
        with self._folder.temporary() as copy, self._folder.temporary() as small:
            if self._folder.is_remote:
                await asyncio.to_thread(self._folder.get, name, copy)
                path = copy
            try:
                await self._decode(path, small, unique)
            except BrokenPictureError:
                return False
            await asyncio.to_thread(self._folder.put, small, f"{THUMBNAILS}/{thumbnail_name(name)}")
        return True

    async def _get_picture(self, position: int) -> str:
        """Gets a picture and its thumbnail into the folder. Returns its name."""
        with self._folder.temporary() as file, self._folder.temporary() as small:
            ending = await self._copy_earlier_download(position, file, small)
            if ending is None:
                ending = await self._download(position, file, small)
            name = await self._free_name(position, ending)
            await asyncio.to_thread(self._folder.put, file, name)
            await asyncio.to_thread(self._folder.put, small, f"{THUMBNAILS}/{thumbnail_name(name)}")
        return name

    async def _copy_earlier_download(self, position: int, file: Path, small: Path) -> str | None:
        """Copies a picture that an earlier run downloaded elsewhere, and makes its thumbnail.

        Returns the ending, or None if there is no such picture.

        A table names it, and anybody may have written that: so it is only taken from below the
        table's own folder, and under a name that this program gives to this ad's picture.
        """
        state = self._table.states[position]
        earlier = state.image_path
        if not earlier or not self._table.location:
            return None
        name = storage.name(earlier)
        if storage.canonical(self._folder.place(name)) == storage.canonical(earlier):
            return None
        unique = picture_id(state)
        source = file_below(earlier, folder_of(self._table.location))
        if source is None:
            return None
        if not is_named_after(name, unique) and not _is_marked(source, unique):
            return None
        try:
            await asyncio.to_thread(_copy, source, file)
            return await self._decode(file, small, unique)
        except BrokenPictureError:
            return None

    async def _download(self, position: int, file: Path, small: Path) -> str:
        """Downloads a picture, makes its thumbnail, and writes a new URL to the table.

        Returns its ending, such as `.png`.
        """

        state = self._table.states[position]

        async def check(path: Path) -> str:
            try:
                return await self._decode(path, small, picture_id(state))
            except BrokenPictureError as error:
                url = (self._table.states[position].image_url or "").partition("?")[0]
                raise UnreadableAnswerError(
                    f"The picture is broken, {error}: {url}", status=200
                ) from None

        try:
            if not state.image_url:
                raise PictureGoneError("The table has no URL of the picture.")
            return await self._downloader.download(state.image_url, file, check)
        except PictureGoneError:
            fresh = await self._fetch_fresh_url(state.job_id or "")
            if fresh is None or fresh == state.image_url:
                raise
        self._table.update(position, replace(self._table.states[position], image_url=fresh))
        return await self._downloader.download(fresh, file, check)

    async def _fetch_fresh_url(self, image_ad_id: str) -> str | None:
        """Asks the API for a picture's new URL; logs why there is none.

        After a refusal of the key it asks no more.
        """
        if self._fresh_url is None or not image_ad_id:
            return None
        try:
            return await self._fresh_url(image_ad_id)
        except ACCOUNT_ERRORS as error:
            self._fresh_url = None
            logger.warning("The API cannot be asked for new URLs: %s", error)
        except StaticAdsLabError as error:
            logger.warning("The API has no new URL of %s: %s", image_ad_id, error)
        return None

    async def _decode(self, path: Path, small: Path, unique: str) -> str:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._decoders, check_and_shrink, path, small, safe_id(unique)
        )


def _is_marked(picture: Path, unique: str) -> bool:
    """Whether a picture's thumbnail beside it says that it is this ad's."""
    small = picture.parent / THUMBNAILS / thumbnail_name(picture.name)
    with contextlib.suppress(OSError), local_files.open_file(small) as file:
        return bool(unique) and comment_of(file) == safe_id(unique)
    return False


def _copy(source: Path, target: Path) -> None:
    with local_files.open_file(source) as file, target.open("xb") as copy:
        shutil.copyfileobj(file, copy)
