"""Scanning an inbox: what its spreadsheets are, and what is to be done with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import folders, locations, storage
from prefect_staticadslab.campaign.files.folders import StoredFile
from prefect_staticadslab.campaign.files.locations import Location
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.inbox import decisions
from prefect_staticadslab.campaign.inbox.day_limit import DayLimit, write_started_note
from prefect_staticadslab.campaign.inbox.decisions import Decision, Finished, Refused, Run
from prefect_staticadslab.campaign.inbox.notes import (
    Note,
    api_name,
    fingerprint,
    note_locations,
    read_note,
)
from prefect_staticadslab.campaign.inbox.table_names import TableNames
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.rows.columns import KNOWN_COLUMNS
from prefect_staticadslab.campaign.table.layout import result_columns_of

NOTHING: Final = Decimal(0)
NOTHING_A_DAY: Final = DayLimit(NOTHING)

UNWRITABLE: Final = "Its name is not in UTF-8, as those of old ZIP files are. Rename it."
"""Why a file is refused for whose name no table and no note can be written."""


@dataclass(frozen=True)
class PendingSpreadsheet:
    """A spreadsheet that is to be run.

    Attributes:
        name: Its name.
        location: Where it is.
        output: Where its table is or will be.
        fingerprint: What stands for its content; see `notes.fingerprint`.
        note: What to note of it when it is begun.
    """

    name: str
    location: str
    output: str
    fingerprint: str
    note: Note

    @property
    def finished_note(self) -> Note:
        """What to note of it once it is finished."""
        return replace(self.note, finished=self.fingerprint)


@dataclass(frozen=True)
class ScanResult:
    """What is in an inbox, by what is to be done with it.

    Attributes:
        waiting: The spreadsheets that are to be run, the oldest first.
        finished: The names of the spreadsheets that are finished.
        gone: Of these, the ones whose table is gone, with the table's name.
        refused: Why other spreadsheets are not run, by their names.
        unsettled: The names of files that are being written.
        tables: The names of files that are called like tables, or are some, and of which no
            spreadsheet is there.
    """

    waiting: tuple[PendingSpreadsheet, ...] = ()
    finished: tuple[str, ...] = ()
    gone: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    unsettled: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inbox:
    """A folder of spreadsheets, and where their tables go; make it by `open`.

    A campaign is a spreadsheet's place: its idempotency keys are made of where the spreadsheet was
    when it was first run. So a spreadsheet that is copied, or renamed, is a new campaign, and is
    paid for; one whose content is replaced goes on with its table, in which rows that are no longer
    in the spreadsheet are kept at the end.

    Attributes:
        folder: The folder.
        results: The folder of the tables.
        names: How these are called.
        api: What stands for the API that is used; see `notes.api_name`.
    """

    folder: str
    results: str
    names: TableNames
    api: str

    @classmethod
    def open(
        cls, folder: str, results: str, pattern: str, moment: datetime, base_url: str
    ) -> Inbox:
        """The inbox of a folder, which is not read yet.

        Args:
            folder: A path, or a place in an object store.
            results: A folder for the tables; the same one if empty.
            pattern: How tables are called; see `TableNames`.
            moment: The date that new tables get.
            base_url: The address of the API that will be used.

        Raises:
            CampaignError: `folder` is a web address, or tables cannot be called like that.
        """
        if storage.is_web_address(folder):
            raise CampaignError(
                f"{locations.redacted(folder)} is a web address, and no folder that can be listed."
            )
        results = results or folder
        beside = _canonical_folder(folder) == _canonical_folder(results)
        names = TableNames.of(pattern, moment, beside=beside)
        return cls(folder, results, names, api_name(base_url))

    @property
    def beside(self) -> bool:
        """Whether the tables are in the folder of the spreadsheets."""
        return _canonical_folder(self.folder) == _canonical_folder(self.results)

    def list_files(self) -> list[StoredFile]:
        """The files that may be spreadsheets, the oldest first.

        Raises:
            StorageError: The folder cannot be read.
        """
        return decisions.split_files(_list_folder(self.folder), self.names, beside=self.beside)[0]

    def scan(self, before: Sequence[StoredFile] | None = None) -> ScanResult:
        """Reads notes and spreadsheets, and decides what is to be done with each; writes nothing.

        Args:
            before: What `list_files` gave a while ago: a file that has changed since is taken as
                being written, and left for the next run. None takes all files.

        Raises:
            StorageError: A folder cannot be read.
        """
        notes = self._read_notes()
        known_tables = {note.table for note in notes.values() if isinstance(note, Note)}
        spreadsheets, tables = decisions.split_files(
            _list_folder(self.folder), self.names, beside=self.beside, known_tables=known_tables
        )
        unwritable = {file.name for file in spreadsheets if not _is_utf8(file.name)}
        spreadsheets = [file for file in spreadsheets if file.name not in unwritable]
        looked_at = spreadsheets if before is None else before
        unsettled = decisions.changed_names(looked_at, spreadsheets)
        present = [file.name for file in _list_folder(self.results)]
        decision_by_name: dict[str, Decision] = {}
        fingerprints: dict[str, str] = {}
        for name in (file.name for file in spreadsheets if file.name not in unsettled):
            try:
                fingerprints[name] = fingerprint(storage.read_bytes(self._location_of(name)))
                decision = self._decide(name, fingerprints[name], notes.get(name), present)
            except CampaignError as error:
                decision = Refused(str(error))
            if isinstance(decision, Run) and self._is_table(name):
                tables.append(name)
            else:
                decision_by_name[name] = decision
        self._refuse_clashes(decision_by_name)
        runs = {name: d for name, d in decision_by_name.items() if isinstance(d, Run)}
        finished = {name: d for name, d in decision_by_name.items() if isinstance(d, Finished)}
        refused = {n: d.reason for n, d in decision_by_name.items() if isinstance(d, Refused)}
        return ScanResult(
            waiting=tuple(
                PendingSpreadsheet(
                    name=name,
                    location=self._location_of(name),
                    output=storage.join(self.results, run.table),
                    fingerprint=fingerprints[name],
                    note=run.note,
                )
                for name, run in runs.items()
            ),
            finished=tuple(finished),
            gone={name: decision.table for name, decision in finished.items() if decision.is_gone},
            refused={**{_printable(name): UNWRITABLE for name in unwritable}, **refused},
            unsettled=tuple(sorted(unsettled)),
            tables=tuple(sorted(map(_printable, tables))),
        )

    def _refuse_clashes(self, decision_by_name: dict[str, Decision]) -> None:
        """Replaces decisions to run spreadsheets that would share a table by refusals."""
        table_by_name = {
            name: self.names.new_table(name) if isinstance(decision, Refused) else decision.table
            for name, decision in decision_by_name.items()
        }
        for name, clash in decisions.name_clashes(table_by_name).items():
            if isinstance(decision_by_name[name], Run):
                decision_by_name[name] = clash

    def _read_notes(self) -> dict[str, Note | Refused]:
        """Reads all notes, by their spreadsheets' names; one that cannot be read is a refusal."""
        notes: dict[str, Note | Refused] = {}
        for name, place in note_locations(self.results).items():
            try:
                notes[name] = read_note(place)
            except CampaignError as error:
                notes[name] = Refused(str(error))
        return notes

    def _location_of(self, name: str) -> str:
        """The location of a file in the folder. Raises `CampaignError` if its name leads out."""
        return Location.below(self.folder, name).text

    def _decide(
        self, name: str, content_hash: str, note: Note | Refused | None, present: Sequence[str]
    ) -> Decision:
        """What is to be done with a spreadsheet, given its content's fingerprint, its note, and the
        names of the files in the folder of the tables."""
        if isinstance(note, Refused):
            return note
        campaign = storage.canonical(self._location_of(name))
        tables = self.names.earlier_tables(name, present)
        if note is not None and note.table in present:
            tables.append(note.table)
        return decisions.decide(
            name,
            Note(campaign, self.names.new_table(name), self.api),
            content_hash,
            note,
            tables,
            original_exists=note is not None
            and note.campaign != campaign
            and _original_exists(note.campaign, campaign),
        )

    def _is_table(self, name: str) -> bool:
        """Reads a file. Whether it is a result table, whatever it is called; no if unreadable."""
        try:
            spreadsheet = read_spreadsheet(
                self._location_of(name), known_columns=KNOWN_COLUMNS, ragged=True
            )
        except CampaignError:
            return False  # what is wrong with it is told when it is run
        return result_columns_of(spreadsheet).is_recognized

    def begin(
        self, pending: PendingSpreadsheet, new_usd: Decimal = NOTHING, day: DayLimit = NOTHING_A_DAY
    ) -> Note:
        """Writes a spreadsheet's note, with its table and what it may start. For before any create.

        Args:
            pending: The spreadsheet.
            new_usd: What it is about to start, in USD.
            day: What may be started on this day.

        Returns:
            The note to give to `write_end_note` at its end: finished, and with what was reserved.

        Raises:
            DayLimitError: So much more may not be started on this day.
            CampaignError: It cannot be noted.
        """
        reserved = day.reserve(self.results, pending.name, pending.note, new_usd)
        return replace(reserved, finished=pending.fingerprint)

    def is_finished(self, pending: PendingSpreadsheet) -> bool:
        """Reads a spreadsheet's note. Whether it says that this content is finished; no if it
        cannot be read."""
        try:
            place = note_locations(self.results).get(pending.name)
            return place is not None and read_note(place).is_same_but_for_day(pending.finished_note)
        except CampaignError:
            return False


def write_end_note(
    results: str,
    spreadsheet: str,
    note: Note,
    table: ImageAdTable,
    *,
    with_pictures: bool,
    with_failures: bool = True,
    started_usd: Decimal = NOTHING,
) -> bool:
    """Writes into the note what a run has started, and "finished" if all rows are final.

    Args:
        results: The folder of the tables.
        spreadsheet: The spreadsheet's name.
        note: What to note as finished, as `Inbox.begin` gave it.
        table: Its table, at the end of a run.
        with_pictures, with_failures: See `decisions.is_final`.
        started_usd: What the run has started, in USD.

    Returns:
        Whether it is finished: all rows are final, and saved.

    Raises:
        CampaignError: It cannot be noted.
    """
    states = [state for _, _, state in table.current_rows]
    finished = not table.unsaved() and decisions.is_final(
        states, with_pictures=with_pictures, with_failures=with_failures
    )
    write_started_note(results, spreadsheet, note, started_usd, finished=finished)
    return finished


def _list_folder(folder: str) -> list[StoredFile]:
    """The files in a folder. Raises `StorageError` if it cannot be read."""
    # An object store has no folder where there is no file.
    return folders.list_files(folder, missing_ok=storage.is_url(folder))


def _original_exists(original: str, campaign: str) -> bool:
    """Whether the spreadsheet that a note was written for is still at `original`.

    A note may name any place, and must not make this run ask for it: only a file that is called
    like `campaign`, on this machine or in its bucket, is looked for. In another bucket it counts as
    there; under another name as gone.
    """
    if storage.name(original) != storage.name(campaign):
        return False
    if not storage.is_url(original):
        return storage.exists(original)
    campaign_url, original_url = urlsplit(campaign), urlsplit(original)
    return campaign_url[:2] != original_url[:2] or storage.exists(original)


def _is_utf8(name: str) -> bool:
    return _printable(name) == name


def _printable(name: str) -> str:
    """A file's name with a ? for what is not UTF-8, which no message to Prefect can hold."""
    return name.encode(errors="replace").decode()


def _canonical_folder(folder: str) -> str:
    """A folder's one name, by which two folders are compared; without a / at its end."""
    return storage.canonical(folder).rstrip("/")
