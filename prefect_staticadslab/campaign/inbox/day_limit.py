"""What an inbox may start on a day, counted from its notes.

A schedule runs an inbox a hundred times a day, and whoever may put a spreadsheet into it may put a
hundred. So each note says what was started for its spreadsheet on which day, and all notes of a day
must stay within the limit. What a run is about to start is reserved in its note before anything is
created: whoever dies in the middle leaves it reserved, and of two runs at once each sees the
other's. At the end of the run the reservation becomes what was really started.

Notes are files that others may change. One that cannot be understood counts as the whole limit, if
it was written today: nobody knows what it hid, and tomorrow it hides nothing any more. But whoever
may write into the folder of results may delete its notes, and then the limit of each run is left;
so a folder that many may write to is better not the one for the results.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.date_patterns import moment_of
from prefect_staticadslab.campaign.inbox.notes import (
    NOTES_FOLDER,
    SIMULATOR,
    Note,
    note_locations,
    note_locations_since,
    read_note,
    unreadable_note_error,
    write_note,
)
from prefect_staticadslab.campaign.table.limits import limit_of

CLOCKS_APART: Final = timedelta(hours=1)
"""How far a storage's clock may be behind ours: a note that was written earlier than that before
midnight says nothing of today, and is not read."""


class DayLimitError(CampaignError):
    """So much more may not be started on this day. The message says when it may."""


@dataclass(frozen=True)
class DayLimit:
    """What an inbox may start on a day.

    Attributes:
        limit_usd: In USD; 0 means that nothing may be started.
        time_zone: Whose midnight ends the day, by its name; UTC if empty.
    """

    limit_usd: Decimal
    time_zone: str = "UTC"

    @classmethod
    def of(cls, limit_usd: float, time_zone: str) -> DayLimit:
        """The limit for an amount in USD.

        Raises:
            CampaignError: The amount is no limit; see `limit_of`.
        """
        return cls(limit_of(limit_usd, "max_spend_per_day_usd"), time_zone)

    def today(self) -> date:
        """The day that it is now in the time zone."""
        return self._now().date()

    def _now(self) -> datetime:
        """The time, with the time zone's date and hour."""
        return moment_of(now(), self.time_zone)

    def reason_never(self, new_usd: Decimal) -> str:
        """Why `new_usd` can never be started under this limit, on no day; "" if it can."""
        if new_usd <= self.limit_usd:
            return ""
        return (
            f"It costs up to {new_usd:,.2f} USD, and this inbox may start "
            f"{self.limit_usd:,.2f} on a day. Raise that limit, or take rows out."
        )

    def check(self, results: str, api: str, new_usd: Decimal) -> None:
        """Raises if so much more may not be started today. Reads today's notes.

        Args:
            results: The folder of the tables, with its notes.
            api: What stands for the API that is used.
            new_usd: In USD. With 0 nothing is read or raised.

        Raises:
            DayLimitError: It may not.
            StorageError: The notes cannot be listed.
        """
        if new_usd:
            self._check_started(results, api, new_usd, unnoted_usd=new_usd)

    def reserve(self, results: str, spreadsheet: str, note: Note, new_usd: Decimal) -> Note:
        """Writes the note of a spreadsheet that is begun, with what it is about to start.

        Args:
            results: The folder of the tables.
            spreadsheet: The spreadsheet's name.
            note: What is to be noted.
            new_usd: What is about to be started, in USD.

        Returns:
            The note to give to `write_started_note` at its end: only with what was reserved here,
            and the day for which it was.

        Raises:
            DayLimitError: So much more may not be started today; nothing stays reserved.
            CampaignError: The note cannot be read or written.
        """
        with _lock_notes(results):
            self.check(results, note.api, new_usd)
            reserved = _write_note_adding(results, spreadsheet, note, self.today(), new_usd)
        try:
            # Where nobody can be kept out, such as in a bucket, another run may have come between.
            if new_usd:
                self._check_started(results, note.api, new_usd, unnoted_usd=Decimal(0))
        except DayLimitError:
            write_started_note(results, spreadsheet, reserved, Decimal(0))
            raise
        return reserved

    def _check_started(
        self, results: str, api: str, new_usd: Decimal, *, unnoted_usd: Decimal
    ) -> None:
        """Raises if today's notes, and what is in none of them yet, come to more than the limit.

        Args:
            results: The folder of the tables, with its notes.
            api: What stands for the API: only notes of the same one count.
            new_usd: What is to be started, in USD, for the message.
            unnoted_usd: What of that is in no note yet, in USD.

        Raises:
            DayLimitError: They do, or a note cannot be read.
        """
        midnight = self._now().replace(hour=0, minute=0, second=0, microsecond=0)
        started_usd = Decimal(0)
        for place in note_locations_since(results, midnight - CLOCKS_APART):
            try:
                note = read_note(place)
            except CampaignError as error:
                raise DayLimitError(
                    f"Nobody knows what was started today, so nothing more is until midnight "
                    f"({self.time_zone or 'UTC'}): {error}"
                ) from error
            if note.api == api and note.day >= midnight.date().isoformat():
                started_usd += note.started_usd
        if started_usd + unnoted_usd <= self.limit_usd:
            return
        left_usd = max(Decimal(0), self.limit_usd - started_usd)
        raise DayLimitError(
            f"It costs up to {new_usd:,.2f} USD, and {left_usd:,.2f} of the {self.limit_usd:,.2f} "
            "that may be started on a day are left. The first run after midnight "
            f"({self.time_zone or 'UTC'}) takes it."
        )


def write_started_note(
    results: str, spreadsheet: str, reserved: Note, started_usd: Decimal, *, finished: bool = False
) -> None:
    """Writes into a spreadsheet's note what a run has really started, in place of what it reserved.

    If somebody deleted the note, it is written anew. If the spreadsheet is run with another API by
    now, its note is left alone: what that may cost is in it, and must not be forgotten. Only over a
    simulation's note it is written that the spreadsheet is finished.

    Args:
        results: The folder of the tables.
        spreadsheet: The spreadsheet's name.
        reserved: What `DayLimit.reserve` gave, with what to note as finished.
        started_usd: What was started, in USD.
        finished: Whether the spreadsheet is finished, so that the note is to say so.

    Raises:
        CampaignError: The note cannot be read or written.
    """
    with _lock_notes(results):
        current = _read_current_note(results, spreadsheet)
        if current is None or current.api != reserved.api:
            # Somebody deleted it, or runs the spreadsheet with another API by now.
            if current is None or (finished and current.api == SIMULATOR):
                note = replace(reserved, day_usd=str(started_usd))
                write_note(results, spreadsheet, note if finished else replace(note, finished=""))
            return
        settled = current
        if current.day == reserved.day:
            change = started_usd - reserved.started_usd
            settled = replace(current, day_usd=str(max(Decimal(0), current.started_usd + change)))
        if finished:
            settled = replace(reserved, day=settled.day, day_usd=settled.day_usd)
        if settled != current:
            write_note(results, spreadsheet, settled)


def now() -> datetime:
    """The time, in UTC. It is not the one for which a run was scheduled: what a late run starts
    counts for the day on which it does."""
    return datetime.now(UTC)


@contextmanager
def _lock_notes(results: str) -> Iterator[None]:
    """Locks the folder of notes against other runs of this machine while the body runs."""
    with storage.write_lock(storage.join(results, NOTES_FOLDER)):
        yield


def _read_current_note(results: str, spreadsheet: str) -> Note | None:
    """Reads a spreadsheet's note; None if it has none."""
    place = note_locations(results).get(spreadsheet)
    return None if place is None else read_note(place)


def _write_note_adding(
    results: str, spreadsheet: str, note: Note, today: date, usd: Decimal
) -> Note:
    """Writes a note with `usd` added to today's sum. Returns the note with only what was added.

    Raises:
        CampaignError: The note that is there cannot be understood, or is of another API that was
            paid today.
    """
    current = _read_current_note(results, spreadsheet)
    day, started_before = today.isoformat(), Decimal(0)
    if current is not None and current.day >= day:
        # By the clock of another machine, or of another time zone, it may be tomorrow.
        if current.day > (today + timedelta(days=1)).isoformat():
            raise unreadable_note_error(note_locations(results)[spreadsheet])
        if current.api == note.api:
            day, started_before = current.day, current.started_usd
        elif current.api != SIMULATOR and current.started_usd:
            raise CampaignError(
                f"It was run with {current.api} today, and what that may cost would be forgotten. "
                "Run a copy of the folder instead, or this one tomorrow."
            )
    total_note = replace(note, day=day, day_usd=str(started_before + usd))
    write_note(results, spreadsheet, total_note)
    return replace(note, day=day, day_usd=str(usd))
