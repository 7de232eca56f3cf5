"""A campaign as a whole: from a spreadsheet and an output to chunks of work, and to a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.connection import is_loopback
from prefect_staticadslab.api.errors import (
    AuthenticationError,
    PermissionDeniedError,
    StaticAdsLabError,
)
from prefect_staticadslab.api.models import Account
from prefect_staticadslab.campaign import storage
from prefect_staticadslab.campaign.pipeline import ImageAdResult, PlannedAd
from prefect_staticadslab.campaign.problems import CampaignError
from prefect_staticadslab.campaign.results import OutputError, ResultTable, RowStatus
from prefect_staticadslab.campaign.rows import KNOWN_COLUMNS
from prefect_staticadslab.campaign.spreadsheet import read_spreadsheet

CHUNK_ROWS: Final = 100
"""Rows per task run: one batch poll's worth, and few enough runs for any Prefect server."""

LISTED_FAILURES: Final = 5
"""Kinds of failure that a summary names; the table has them all."""

NEEDED_SCOPES: Final = ("image_ads:write", "image_ads:read")


class KeyRefusedError(CampaignError):
    """The API does not accept the key, or not for this."""


@dataclass
class Campaign:
    """A campaign's spreadsheet, checked, and its result table.

    Attributes:
        name: What the idempotency keys are made of: a name that was given, else the output.
        table: The result table, with what earlier runs recorded.
    """

    name: str
    table: ResultTable

    @classmethod
    def open(
        cls, spreadsheet: str, output: str, *, sheet: str = "", name: str = "", base_url: str = ""
    ) -> Campaign:
        """Reads and checks everything, and changes nothing.

        Args:
            spreadsheet: A `.csv`, `.tsv` or `.xlsx`: a path or any fsspec URL.
            output: Where the result table is or will be: `.csv`, `.tsv`, `.xlsx` or `.parquet`.
            sheet: Which sheet of an XLSX; the first by default.
            name: The campaign's name, if not its output.
            base_url: The API that will be used, to tell a table that was made with another one.

        Raises:
            CampaignError: Something is wrong; the message lists all of it.
        """
        if storage.canonical(spreadsheet) == storage.canonical(output):
            raise OutputError("The output is the spreadsheet itself. Choose another file name.")
        read = read_spreadsheet(spreadsheet, sheet=sheet or None, known_columns=KNOWN_COLUMNS)
        table = ResultTable.open(output, read)
        if base_url:
            _check_same_api(table, base_url)
        return cls(name or storage.canonical(output), table)

    def chunks(self) -> list[list[PlannedAd]]:
        """The rows that are not completed, in the table's order, a hundred at a time."""
        planned = [
            PlannedAd(position, row.request, self.name, row.identity, state)
            for position, (row, state) in enumerate(
                zip(self.table.rows, self.table.states, strict=True)
            )
            if state.status is not RowStatus.COMPLETED
        ]
        return [planned[i : i + CHUNK_ROWS] for i in range(0, len(planned), CHUNK_ROWS)]

    def collect(self, results: Sequence[ImageAdResult]) -> None:
        """Notes the results of chunks, which may come from another process."""
        for result in results:
            self.table.update(result.position, result.state)

    def summarize(
        self,
        results: Sequence[ImageAdResult],
        *,
        already_completed: int,
        seconds: float,
        contact_sheet: str | None,
        pictures: str,
        pictures_missing: int,
    ) -> Summary:
        """How a run ended, given its chunks' results."""
        failures = Counter(
            state.error or "" for state in self.table.states if state.status is RowStatus.FAILED
        )
        return Summary(
            rows=len(self.table.rows),
            counts=self.table.counts(),
            already_completed=already_completed,
            replayed=sum(result.replayed for result in results),
            cost_usd=self.table.cost_usd(),
            seconds=seconds,
            output=self.table.location or "",
            contact_sheet=contact_sheet,
            pictures=pictures or None,
            pictures_missing=pictures_missing,
            stopped_by=next((r.stopped_by for r in results if r.stopped_by), None),
            failures=tuple(failures.most_common(LISTED_FAILURES)),
        )


def _check_same_api(table: ResultTable, base_url: str) -> None:
    """A simulator's pictures are on this machine; they must not pass for a real API's."""
    simulated = any(_is_local(state.image_url) for state in table.states if state.image_url)
    if simulated and not _is_local(base_url):
        raise OutputError(
            f"{table.location} was made with a simulator: its pictures are on this machine. "
            "Choose another output for the real ads."
        )


def _is_local(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


async def check_key(client: StaticAdsLabClient) -> Account:
    """Asks the API whose key this is, before anything is created with it.

    Raises:
        KeyRefusedError: The key is not accepted, or lacks a scope; or the API is out of reach.
    """
    try:
        account = await client.get_account()
    except (AuthenticationError, PermissionDeniedError) as error:
        raise KeyRefusedError(
            f"The API does not accept the key: {error}. Check it in the Static Ads Lab dashboard."
        ) from error
    except StaticAdsLabError as error:
        raise KeyRefusedError(f"The API at {client.base_url} did not answer: {error}") from error
    missing = [s for s in NEEDED_SCOPES if account.scopes and s not in account.scopes]
    if missing:
        raise KeyRefusedError(
            f"The key lacks the scope {' and '.join(missing)}. "
            "Give it that in the Static Ads Lab dashboard, or use another key."
        )
    return account


@dataclass(frozen=True)
class Summary:
    """How a run ended.

    Attributes:
        rows: All rows.
        counts: How many rows have each status.
        already_completed: Rows that earlier runs had completed.
        replayed: Creates that the API answered from an earlier run.
        cost_usd: What the table's rows have cost, earlier runs included, in USD.
        seconds: How long this run took.
        output: Where the table is.
        contact_sheet: Where the contact sheet is, if there is one.
        pictures: The folder of the downloaded pictures, if any were asked for.
        pictures_missing: Pictures that could not be downloaded.
        stopped_by: What stopped all creates, if something did.
        failures: Failed rows by what failed them, the most frequent first.
    """

    rows: int
    counts: dict[RowStatus, int]
    already_completed: int
    replayed: int
    cost_usd: Decimal
    seconds: float
    output: str
    contact_sheet: str | None = None
    pictures: str | None = None
    pictures_missing: int = 0
    stopped_by: str | None = None
    failures: tuple[tuple[str, int], ...] = ()

    @property
    def completed(self) -> int:
        return self.counts[RowStatus.COMPLETED]

    @property
    def is_complete(self) -> bool:
        """Whether every row is completed."""
        return self.completed == self.rows

    def headline(self) -> str:
        """One sentence: the counts, the cost and the time."""
        others = ", ".join(
            f"{count} {status}"
            for status, count in self.counts.items()
            if count and status is not RowStatus.COMPLETED
        )
        return (
            f"{self.completed} of {self.rows} rows completed"
            f"{f' ({others})' if others else ''}, {self.cost_usd:.2f} USD, "
            f"{self.seconds:.1f} s"
        )

    def notes(self) -> list[str]:
        """What else there is to say, a sentence each."""
        notes = []
        if self.stopped_by:
            notes.append(
                f"Creating stopped: {self.stopped_by} "
                "Once that is mended, the same command goes on."
            )
        if self.already_completed:
            notes.append(f"{self.already_completed} were completed by an earlier run.")
        if self.replayed:
            notes.append(f"{self.replayed} creates were answered from an earlier run.")
        notes += [f"{count} × {reason}" for reason, count in self.failures]
        if self.pictures_missing:
            notes.append(
                f"{self.pictures_missing} pictures could not be downloaded; "
                "the same command tries again."
            )
        return notes
