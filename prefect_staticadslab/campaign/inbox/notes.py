"""What an inbox remembers of a spreadsheet besides its table: a small file for each.

A table says what became of each row. It does not say of which content of the spreadsheet it is the
whole: names and filters are looked up anew whenever it runs, and people change files while they are
read. So a note is kept of what was finished, in a hidden folder beside the tables. Without it, a
spreadsheet only runs once more, and its table knows what is paid for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from prefect_staticadslab.api.connection import is_loopback
from prefect_staticadslab.bounds import NOTE_BYTES
from prefect_staticadslab.campaign.errors import CampaignError, StorageError
from prefect_staticadslab.campaign.files import folders, locations, storage
from prefect_staticadslab.campaign.files.folders import StoredFile
from prefect_staticadslab.campaign.table.limits import amount_of

NOTES_FOLDER: Final = ".inbox"
NOTE_ENDING: Final = ".json"

SIMULATOR: Final = "simulator"
"""What stands for every simulator in notes."""


@dataclass(frozen=True)
class Note:
    """What is remembered of a spreadsheet.

    Attributes:
        campaign: The campaign's name, which its idempotency keys are made of: where the spreadsheet
            was when it was first run.
        table: The name of its table.
        api: What stands for the API that it is run with, see `api_name`: real runs ignore what was
            noted of a simulation.
        finished: The fingerprint of the content that was finished; "" if none was.
        day, day_usd: The last day on which something was started for it, such as 2026-11-25, and
            how much on that day, in USD; "" if nothing was, or by an earlier version. See
            `day_limit`.
    """

    campaign: str
    table: str
    api: str = ""
    finished: str = ""
    day: str = ""
    day_usd: str = ""

    @property
    def started_usd(self) -> Decimal:
        """What was started for it on that day, in USD."""
        return amount_of(self.day_usd or "0")

    def is_same_but_for_day(self, other: Note) -> bool:
        """Whether two notes say the same, whatever was started on a day."""
        return replace(self, day="", day_usd="") == replace(other, day="", day_usd="")


def api_name(base_url: str) -> str:
    """An API's name in notes: its host; every simulator has the same name.

    Example:
        ```python
        from prefect_staticadslab.campaign.inbox.notes import api_name

        assert api_name("http://127.0.0.1:8321") == "simulator"
        assert api_name("https://api.staticadslab.com") == "api.staticadslab.com"
        ```
    """
    host = urlsplit(base_url).hostname or ""
    return SIMULATOR if is_loopback(host) else host


def fingerprint(content: bytes) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def note_locations(results: str) -> Mapping[str, str]:
    """The notes' locations in a folder of results, by their spreadsheets' names.

    Raises:
        StorageError: The folder cannot be read.
    """
    return {file.name.removesuffix(NOTE_ENDING): place for file, place in _list_notes(results)}


def read_note(location: str) -> Note:
    """Reads a note.

    Raises:
        StorageError: It cannot be read.
        CampaignError: It cannot be understood, or holds an amount that cannot be.
    """
    try:
        note = Note(
            **{name: str(value) for name, value in json.loads(_read_text(location)).items()}
        )
        if note.day != (note.day and date.fromisoformat(note.day).isoformat()):
            raise ValueError(note.day)
        amount_of(note.day_usd or "0")
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise unreadable_note_error(location) from None
    return note


def unreadable_note_error(location: str) -> CampaignError:
    """The error for a note whose content is not valid."""
    return CampaignError(
        f"{locations.redacted(location)} remembers whether this spreadsheet was run, and cannot be "
        "understood. If you delete it, the spreadsheet runs again; what its table has is not "
        "paid for again, if the table is called as --results says by now: rename it so first."
    )


def note_locations_since(results: str, moment: datetime) -> list[str]:
    """The locations of the notes that were written since a moment, or at an unknown time.

    Raises:
        StorageError: The folder cannot be read.
    """
    return [
        place
        for file, place in _list_notes(results)
        if not file.modified or file.modified >= moment
    ]


def _list_notes(results: str) -> list[tuple[StoredFile, str]]:
    """Lists the notes in a folder of results, each as a file and its location."""
    folder = _notes_folder(results)
    return [
        (file, storage.join(folder, file.name))
        for file in folders.list_files(folder, missing_ok=True)
        if file.name.endswith(NOTE_ENDING)
    ]


def _read_text(location: str) -> str:
    """Reads a note's text. Raises `ValueError` if it is longer than a note is, or not in UTF-8."""
    content = storage.read_start(location, NOTE_BYTES + 1)
    if len(content) > NOTE_BYTES:
        raise ValueError
    return content.decode()


def _notes_folder(results: str) -> str:
    """The folder of the notes in a folder of results. Raises `StorageError` if it is a link."""
    folder = storage.join(results, NOTES_FOLDER)
    storage.check_own_folder(folder)
    return folder


def write_note(results: str, spreadsheet: str, note: Note) -> None:
    """Writes the note of a spreadsheet, given by its name; makes the notes' folder if need be.

    Raises:
        StorageError: It cannot be written.
    """
    folder = _notes_folder(results)
    place = storage.join(folder, spreadsheet + NOTE_ENDING)
    content = json.dumps(asdict(note), indent=1, ensure_ascii=False).encode()
    try:
        storage.write_bytes(place, content)
    except StorageError:
        # Object stores need no folder, and may not even let one be made.
        folders.make_folder(folder)
        storage.write_bytes(place, content)
