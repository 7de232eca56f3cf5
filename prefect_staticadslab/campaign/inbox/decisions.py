"""What is to be done with a spreadsheet of an inbox: pure decisions from what is known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from prefect_staticadslab.campaign.files import locations, storage
from prefect_staticadslab.campaign.files.folders import StoredFile
from prefect_staticadslab.campaign.inbox.notes import Note
from prefect_staticadslab.campaign.inbox.table_names import TableNames, is_spreadsheet_name
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
from prefect_staticadslab.campaign.table.limits import limit_of


@dataclass(frozen=True)
class Run:
    """The decision to run a spreadsheet, for the first time or once more.

    Attributes:
        note: What to note of it when it is begun.
    """

    note: Note

    @property
    def table(self) -> str:
        """The name of its table."""
        return self.note.table


@dataclass(frozen=True)
class Finished:
    """The decision to leave a spreadsheet: it was finished with just this content.

    Attributes:
        table: The name of its table.
        is_gone: Whether that table is no longer there.
    """

    table: str
    is_gone: bool = False


@dataclass(frozen=True)
class Refused:
    """The decision not to run a spreadsheet until somebody does what the reason says."""

    reason: str


Decision: TypeAlias = Run | Finished | Refused


def decide(
    spreadsheet: str,
    new_note: Note,
    fingerprint: str,
    note: Note | None,
    tables: Sequence[str],
    *,
    original_exists: bool = False,
) -> Decision:
    """What is to be done with a spreadsheet.

    It is finished if that was noted of just this content. Otherwise it goes on with its table, the
    newest one, whatever the date in its name: so a new day begins no new table, and pays for
    nothing again. If it has none, it gets one.

    Args:
        spreadsheet: The spreadsheet's name.
        new_note: The note that it gets if it was never run.
        fingerprint: What stands for its content.
        note: What an earlier run noted of it; None if none did. One of another API is ignored.
        tables: The names of its tables that are there, the newest last; one that was noted is the
            newest.
        original_exists: Whether the note is of a spreadsheet of the same name in another folder,
            which is still there.
    """
    if note is not None and note.api != new_note.api:
        note = None
    if note is None:
        return Run(replace(new_note, table=tables[-1] if tables else new_note.table))
    if original_exists:
        return Refused(
            f"Its table would be {note.table}, and that is the one of "
            f"{locations.redacted(note.campaign)}. Rename {spreadsheet}, or give this inbox "
            "another folder for its results."
        )
    if note.finished == fingerprint:
        return Finished(tables[-1] if tables else note.table, is_gone=not tables)
    if note.finished and not tables:
        return Refused(
            f"It was finished and then changed, and its table {note.table} is gone: every row "
            "would be paid for again. Put the table back where it was; or, to have everything "
            f"again, rename {spreadsheet}."
        )
    return Run(replace(note, table=tables[-1] if tables else new_note.table))


def name_clashes(tables: Mapping[str, str]) -> dict[str, Refused]:
    """Refusals, by name, of spreadsheets that would share a table or a contact sheet with another.

    Args:
        tables: The name of each spreadsheet's table, by the spreadsheet's name.

    Example:
        ```python
        from prefect_staticadslab.campaign.inbox.decisions import name_clashes

        tables = {"a.csv": "a-results.csv", "a.xlsx": "a-results.xlsx", "b.csv": "b-results.csv"}
        assert sorted(name_clashes(tables)) == ["a.csv", "a.xlsx"]
        ```
    """
    # Not every disk tells upper from lower case.
    stems = {name: storage.with_ending(table, "").casefold() for name, table in tables.items()}
    counts = Counter(stems.values())
    refused = {}
    for name, stem in stems.items():
        if counts[stem] > 1:
            others = ", ".join(n for n, s in stems.items() if s == stem and n != name)
            refused[name] = Refused(
                f"Its results would have the same name as those of {others}. Rename one that was "
                "never run: what another one has would be paid for again under its new name."
            )
    return refused


def split_files(
    files: Iterable[StoredFile],
    names: TableNames,
    *,
    beside: bool,
    known_tables: Set[str] = frozenset(),
) -> tuple[list[StoredFile], list[str]]:
    """Sorts out an inbox's files by their names.

    What is called like a table is never taken for a spreadsheet, whatever is in it: somebody may
    have changed its columns.

    Args:
        files: The inbox's files.
        names: How tables are called.
        beside: Whether the tables are in the same folder.
        known_tables: The names of files that were noted as tables.

    Returns:
        The files that may be spreadsheets, the oldest first; and the names of tables of which no
        spreadsheet is there, and no note.
    """
    possible = [file for file in files if is_spreadsheet_name(file.name)]
    names_like_tables = {file.name for file in possible if beside and names.is_table(file.name)}
    tables = names_like_tables | {
        file.name for file in possible if beside and file.name in known_tables
    }
    spreadsheets = [file for file in possible if file.name not in tables]
    orphans = (
        tables
        - known_tables
        - {t for file in spreadsheets for t in names.earlier_tables(file.name, tables)}
    )
    return sorted(spreadsheets, key=_modified_then_name), sorted(orphans)


def _modified_then_name(file: StoredFile) -> tuple[float, str]:
    """What files are sorted by: the oldest first, and those of unknown age before them."""
    return (file.modified.timestamp() if file.modified else 0.0), file.name


def settling_seconds(files: Iterable[StoredFile], now: datetime, minimum: float) -> float:
    """How many seconds to wait until every file's last change is `minimum` seconds ago.

    Never more than `minimum`: a disk's clock may be ahead of ours. Files of storages that do not
    tell when they were written are not waited for; most of these only ever show whole files.
    """
    ages = [(now - file.modified).total_seconds() for file in files if file.modified]
    youngest = min(ages, default=minimum)
    return min(minimum, max(0.0, minimum - youngest))


def changed_names(before: Iterable[StoredFile], after: Iterable[StoredFile]) -> frozenset[str]:
    """The names of the files that are new or changed in the second of two listings."""
    unchanged = set(before)
    return frozenset(file.name for file in after if file not in unchanged)


def is_final(rows: Iterable[JobState], *, with_pictures: bool, with_failures: bool = True) -> bool:
    """Whether every row has failed, or is completed, with its picture on disk if asked for.

    A row that failed after all attempts is done: otherwise every schedule would try it again, for
    ever. It is tried again once the spreadsheet is changed.

    Args:
        rows: What is known of each.
        with_pictures: Whether the pictures are to be downloaded, too.
        with_failures: Whether those that failed are done; not if no attempt was left to their run.
    """
    return all(
        (state.status is RowStatus.FAILED and with_failures)
        or (state.is_completed and (bool(state.image_path) or not with_pictures))
        for state in rows
    )


@dataclass(frozen=True)
class Budget:
    """What a run of an inbox may start.

    Attributes:
        limit_usd: In USD; 0 means that nothing may be started.
        started_usd: What the ads that were started by now may cost, in USD, if all complete.
    """

    limit_usd: Decimal
    started_usd: Decimal = Decimal(0)

    @classmethod
    def of(cls, limit_usd: float) -> Budget:
        """The budget of a run that begins.

        Raises:
            CampaignError: The amount is no limit; see `limit_of`.
        """
        return cls(limit_of(limit_usd))

    @property
    def left_usd(self) -> Decimal:
        """How much more may be started, in USD."""
        return self.limit_usd - self.started_usd

    def refusal_if_never(self, new_usd: Decimal) -> Refused | None:
        """The refusal of a spreadsheet that can never be run under this limit; None if it can."""
        if new_usd <= self.limit_usd:
            return None
        return Refused(
            f"It costs up to {new_usd:,.2f} USD, and a run of this inbox may start "
            f"{self.limit_usd:,.2f}. Raise that limit, or take rows out."
        )

    def reason_not_now(self, new_usd: Decimal) -> str:
        """Why a spreadsheet has to wait for the next run; "" if it has not."""
        if new_usd <= self.left_usd:
            return ""
        return (
            f"It costs up to {new_usd:,.2f} USD, and {self.left_usd:,.2f} of the "
            f"{self.limit_usd:,.2f} that a run may start are left."
        )

    def with_started(self, new_usd: Decimal) -> Budget:
        """A copy of the budget that counts `new_usd` as started."""
        return replace(self, started_usd=self.started_usd + new_usd)
