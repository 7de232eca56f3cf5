"""Downloading many pictures, a few at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
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
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.locations import file_below, folder_of
from prefect_staticadslab.campaign.pictures.captions import (
    has_wanted_name,
    is_named_by_id,
    name_key,
    names_by_id,
    picture_id_of,
    picture_stems,
    safe_id,
)
from prefect_staticadslab.campaign.pictures.folder import (
    THUMBNAILS,
    PictureFolder,
    copy_file,
    has_id_in_thumbnail,
    is_disk_full,
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
"""Downloads at once."""

OPEN_DECODES: Final = 2
"""Pictures that are decoded at once: each takes some 60 MB and a processor."""

LOST_PICTURES: Final = 2 * OPEN_DOWNLOADS
"""So many in a row for which no server answers, each tried several times, stop all downloads."""

FreshUrl = Callable[[str], Awaitable[str | None]]
"""Asks for the current URL of the picture of the job of this id; None if there is none."""


class Downloads:
    """The downloads of one table's pictures; see `download_pictures` for what they are given."""

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
        # The picture's id by the name of its file, or "" if it may be somebody else's file.
        self._owners = {name_key(PurePosixPath(name).stem): "" for name in folder.pictures}
        # Threads of its own: memory that a decoder used stays with its thread.
        self._decoders = ThreadPoolExecutor(OPEN_DECODES, "decode")
        # The names of files that were there before, by the id at their end.
        self._by_id = names_by_id(folder.pictures)
        # Positions of rows; and the names of the files that are there, by these.
        self._completed = [p for p, s in enumerate(table.states) if s.status is RowStatus.COMPLETED]
        self._missing: set[int] = set()
        self._file_names: dict[int, str] = {}
        self._fetched = 0
        self._failures_in_a_row = 0
        self._stopped_by = ""

    async def run(self) -> None:
        """Downloads the completed rows' pictures that are missing, with their thumbnails.

        Paths, and new URLs, are written to the table. Why a picture could not be had is logged.
        """
        positions = iter(self._completed)
        with self._decoders:
            await all_of(self._ensure_pictures(positions) for _ in range(OPEN_DOWNLOADS))
        self._missing.update(p for p in self._completed if p not in self._file_names)

    def tally(self) -> Pictures:
        """What became of the pictures so far. What is missing is only complete after `run`."""
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
        """The names of the pictures' files that are there, in the rows' order, each once."""
        return list(dict.fromkeys(name for _, name in sorted(self._file_names.items())))

    async def _ensure_pictures(self, positions: Iterator[int]) -> None:
        """Gets the picture of each row, from an iterator that several calls share. Logs errors."""
        for position in positions:
            try:
                if not self._stopped_by:
                    await self._ensure_picture(position)
                elif name := await asyncio.to_thread(self._existing_name, position):
                    self._note_picture(position, name)
                self._failures_in_a_row = 0
            except (StaticAdsLabError, CampaignError, OSError) as error:
                self._missing.add(position)
                is_unanswered = isinstance(error, APIConnectionError)
                self._failures_in_a_row = self._failures_in_a_row + 1 if is_unanswered else 0
                if is_disk_full(error):
                    self._stop(
                        f"The disk of {self._folder.disk} is full, so no more pictures were "
                        "downloaded. Make room there; the next run goes on."
                    )
                elif self._failures_in_a_row >= LOST_PICTURES:
                    self._stop(f"The pictures' server does not answer: {error}")
                else:
                    logger.warning("Row %d: %s", self._table.rows[position].number, error)

    def _stop(self, reason: str) -> None:
        """Lets no further download begin, and logs why; the first reason counts."""
        if not self._stopped_by:
            self._stopped_by = reason
            logger.warning("%s", reason)

    def _note_picture(self, position: int, name: str) -> None:
        """Notes which file of the folder is a row's picture, also in the table."""
        self._file_names[position], path = name, self._folder.place(name)
        state = self._table.states[position]
        if state.image_path != path:
            self._table.update(position, replace(state, image_path=path))

    async def _ensure_picture(self, position: int) -> None:
        """Gets a row's picture if it is missing or broken, and notes its file's name.

        A broken file is removed; a picture is renamed if the naming column says otherwise by now.
        """
        state = self._table.states[position]
        picture_id = picture_id_of(state)
        name = await asyncio.to_thread(self._existing_name, position)
        if name is None or not await self._ensure_thumbnail(name, picture_id):
            broken, name = name, await self._get_picture(position)
            self._fetched += 1
            if broken not in (None, name) and is_named_by_id(broken, picture_id):
                await asyncio.to_thread(self._folder.remove, broken)
        elif self._renames:
            name = await self._rename_if_needed(position, name)
        self._note_picture(position, name)

    def _existing_name(self, position: int) -> str | None:
        """The name of a row's picture in the folder; None if it is not there.

        It is found by the table's path, by the id in the name, or by the id in its thumbnail.
        """
        state = self._table.states[position]
        if state.image_path:
            name = storage.name(state.image_path)
            here = storage.canonical(self._folder.place(name))
            if name in self._folder.pictures and storage.canonical(state.image_path) == here:
                return name
        picture_id = picture_id_of(state)
        if named := self._by_id.get(safe_id(picture_id)):
            return named
        names = (f"{stem}{ending}" for stem in self._stems[position] for ending in ENDINGS)
        found = (name for name in names if name in self._folder.pictures)
        return next((name for name in found if self._holds_picture(name, picture_id)), None)

    def _holds_picture(self, name: str, picture_id: str) -> bool:
        """Whether a file of the folder is the picture of this id: its name or thumbnail says so."""
        thumbnail = thumbnail_name(name)
        if is_named_by_id(name, picture_id):
            return True
        if not picture_id or thumbnail not in self._folder.thumbnails:
            return False
        with (
            contextlib.suppress(CampaignError, OSError),
            self._folder.read(f"{THUMBNAILS}/{thumbnail}") as file,
        ):
            return comment_of(file) == safe_id(picture_id)
        return False

    async def _rename_if_needed(self, position: int, name: str) -> str:
        """Renames a row's picture as the naming column says, unless it may be somebody else's file.

        Returns its name by now.
        """
        picture_id, path = picture_id_of(self._table.states[position]), PurePosixPath(name)
        if has_wanted_name(path.stem, self._stems[position][0], picture_id):
            return name
        if not await asyncio.to_thread(self._holds_picture, name, picture_id):
            return name
        wanted = await self._reserve_name(position, path.suffix)
        await asyncio.to_thread(self._folder.rename, name, wanted)
        return wanted

    async def _reserve_name(self, position: int, ending: str) -> str:
        """The best name of a row's picture that no other file has, which no other row gets then."""
        picture_id = picture_id_of(self._table.states[position])
        for stem in self._stems[position]:
            name, key = f"{stem}{ending}", name_key(stem)
            if self._owners.setdefault(key, picture_id) == picture_id or await asyncio.to_thread(
                self._holds_picture, name, picture_id
            ):
                return name
        # The last has the picture's id in it.
        return f"{self._stems[position][-1]}{ending}"

    async def _ensure_thumbnail(self, name: str, picture_id: str) -> bool:
        """Makes a picture's thumbnail if that is missing. Returns whether the picture is whole."""
        if not self._folder.pictures[name].size:
            return False
        path = self._folder.local_path(name)
        if thumbnail_name(name) in self._folder.thumbnails:
            # A remote picture that has one was decoded before, and is not read once more.
            return self._folder.is_remote or looks_whole(path)
        with self._folder.temporary() as copy, self._folder.temporary() as thumbnail:
            if self._folder.is_remote:
                await asyncio.to_thread(self._folder.copy_to_disk, name, copy)
                path = copy
            try:
                await self._decode(path, thumbnail, picture_id)
            except BrokenPictureError:
                return False
            await self._put_thumbnail(thumbnail, name)
        return True

    async def _get_picture(self, position: int) -> str:
        """Copies or downloads a row's picture, and makes its thumbnail. Returns its file's name."""
        with self._folder.temporary() as file, self._folder.temporary() as thumbnail:
            ending = await self._copy_earlier_file(position, file, thumbnail)
            if ending is None:
                ending = await self._download(position, file, thumbnail)
            name = await self._reserve_name(position, ending)
            await asyncio.to_thread(self._folder.put, file, name)
            await self._put_thumbnail(thumbnail, name)
        return name

    async def _put_thumbnail(self, thumbnail: Path, name: str) -> None:
        """Moves the thumbnail of the picture that is called so into its folder."""
        await asyncio.to_thread(self._folder.put, thumbnail, f"{THUMBNAILS}/{thumbnail_name(name)}")

    async def _copy_earlier_file(self, position: int, file: Path, thumbnail: Path) -> str | None:
        """Copies a picture that an earlier run downloaded elsewhere, and makes its thumbnail.

        The table says where, and anybody may have written that: so it is only taken from below the
        table's own folder, and if its name or its thumbnail has this picture's id. Returns its
        ending, or None if there is no such picture.
        """
        state = self._table.states[position]
        earlier = state.image_path
        if not earlier or not self._table.location:
            return None
        name = storage.name(earlier)
        if storage.canonical(self._folder.place(name)) == storage.canonical(earlier):
            return None
        picture_id = picture_id_of(state)
        source = file_below(earlier, folder_of(self._table.location))
        if source is None:
            return None
        if not is_named_by_id(name, picture_id) and not has_id_in_thumbnail(source, picture_id):
            return None
        try:
            await asyncio.to_thread(copy_file, source, file)
            return await self._decode(file, thumbnail, picture_id)
        except BrokenPictureError:
            return None

    async def _download(self, position: int, file: Path, thumbnail: Path) -> str:
        """Downloads a row's picture, and makes its thumbnail. Returns its ending, such as `.png`.

        If it is no longer at its URL, the API is asked for another, which is written to the table.

        Raises:
            StaticAdsLabError: It could not be had.
            OSError: It cannot be written.
        """
        state = self._table.states[position]

        async def make_thumbnail(path: Path) -> str:
            try:
                return await self._decode(path, thumbnail, picture_id_of(state))
            except BrokenPictureError as error:
                url = (self._table.states[position].image_url or "").partition("?")[0]
                message = f"The picture is broken, {error}: {url}"
                raise UnreadableAnswerError(message, status=200) from None

        try:
            if not state.image_url:
                raise PictureGoneError("The table has no URL of the picture.")
            return await self._downloader.download(state.image_url, file, make_thumbnail)
        except PictureGoneError:
            fresh = await self._fetch_fresh_url(state.job_id or "")
            if fresh is None or fresh == state.image_url:
                raise
        self._table.update(position, replace(self._table.states[position], image_url=fresh))
        return await self._downloader.download(fresh, file, make_thumbnail)

    async def _fetch_fresh_url(self, image_ad_id: str) -> str | None:
        """Asks the API for a picture's current URL; None, with the reason logged, if it has none.

        Once the key was refused, the API is not asked again.
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

    async def _decode(self, path: Path, thumbnail: Path, picture_id: str) -> str:
        """Does `check_and_shrink` in a thread of its own, and notes the id in the thumbnail."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._decoders, check_and_shrink, path, thumbnail, safe_id(picture_id)
        )
