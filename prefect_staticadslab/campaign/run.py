"""A campaign as a whole: from a spreadsheet and an output to chunks of work, and to a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.connection import is_loopback
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.campaign import storage
from prefect_staticadslab.campaign.adoption import Adoption, adopt
from prefect_staticadslab.campaign.brief import Brief
from prefect_staticadslab.campaign.catalogue import NOTHING_READ, Catalogue
from prefect_staticadslab.campaign.expansion import expand
from prefect_staticadslab.campaign.keys import Chunk, deal
from prefect_staticadslab.campaign.plan import Plan
from prefect_staticadslab.campaign.planned import ImageAdResult, PlannedAd
from prefect_staticadslab.campaign.preflight import (
    KeyRefusedError,
    check_catalogue,
    check_key,
    check_one_organization,
)
from prefect_staticadslab.campaign.record import OutputError
from prefect_staticadslab.campaign.results import ResultTable, check_location
from prefect_staticadslab.campaign.rows import campaign_id
from prefect_staticadslab.campaign.states import RowStatus
from prefect_staticadslab.campaign.underway import AdUnderWay

LISTED_FAILURES: Final = 5
"""Kinds of failure that a summary names; the table has them all."""


@dataclass
class Campaign:
    """A campaign's spreadsheet, checked, and its result table.

    Attributes:
        name: What the idempotency keys are made of: a name that was given, else the output.
        table: The result table, with what earlier runs recorded.
        catalogue: What was looked up of the API's catalogue.
        adoption: What became of rows that an interrupted run may have sent long ago.
    """

    name: str
    table: ResultTable
    catalogue: Catalogue = NOTHING_READ
    adoption: Adoption = field(default_factory=Adoption)

    @classmethod
    def open(
        cls,
        spreadsheet: str | Brief,
        output: str,
        *,
        catalogue: Catalogue = NOTHING_READ,
        name: str = "",
        base_url: str = "",
    ) -> Campaign:
        """Checks everything that can be checked by now, and changes nothing.

        Args:
            spreadsheet: What was read; or where a spreadsheet is that says everything in ids.
            output: Where the result table is or will be: `.csv`, `.tsv`, `.xlsx` or `.parquet`.
            catalogue: What was looked up for the spreadsheet's names; see `lookup.look_up`.
            name: The campaign's name, if not its output.
            base_url: The API that will be used, to tell a table that was made with another one.

        Raises:
            CampaignError: Something is wrong; the message lists all of it.
        """
        brief = Brief.open(spreadsheet) if isinstance(spreadsheet, str) else spreadsheet
        check_output(brief, output)
        table = ResultTable.open(output, expand(brief, catalogue))
        if base_url:
            _check_same_api(table, base_url)
        return cls(name or storage.canonical(output), table, catalogue)

    def check_simulation(self) -> None:
        """Raises if the table holds real ads: a simulation must not mix its own into them.

        Raises:
            OutputError: It does.
        """
        urls = [state.image_url for state in self.table.states if state.image_url]
        if any(not _is_local(url) for url in urls):
            raise OutputError(
                f"{self.table.location} holds real ads. Choose another output for a simulation."
            )

    async def preflight(self, *clients: StaticAdsLabClient) -> Preflight:
        """Asks the API about the keys and every id of the rows that are to be created.

        Args:
            clients: One for each key that shares the campaign.

        Raises:
            KeyRefusedError: A key is not accepted, or lacks a scope; the API is out of reach; or
                the keys are of different organizations.
            SpreadsheetError: Ids are wrong; the message lists all of them.
        """
        client = clients[0]
        accounts = [await check_key(each) for each in clients]
        check_one_organization(accounts)
        account = accounts[0]
        rows = [
            row
            for _, row, state in self.table.wanted
            if state.image_ad_id is None or state.status is RowStatus.FAILED
        ]
        unchecked = await check_catalogue(client, account, rows, self.catalogue)
        return Preflight(account.organization_name, unchecked, client.clock_ahead)

    async def adopt(self, *clients: StaticAdsLabClient) -> None:
        """Finds the ads of rows that an interrupted run may have sent a day ago or earlier.

        Args:
            clients: One for each key that shares the campaign; the first one is asked.

        Raises:
            KeyRefusedError: The API could not be asked, so nothing must be created.
        """
        try:
            accounts = frozenset(client.key_id for client in clients)
            self.adoption = await adopt(clients[0], self.table, accounts=accounts)
        except StaticAdsLabError as error:
            raise KeyRefusedError(
                "Rows of an earlier run may have been sent, and the API could not be asked for "
                f"their ads: {error}"
            ) from error

    def chunks(self, weights: Mapping[str, float] | None = None) -> list[Chunk]:
        """The rows that are not completed, in the table's order, a hundred at a time.

        Args:
            weights: How to share them out between keys; see `deal`. None for a single key.
        """
        campaign = campaign_id(self.name)
        planned = [
            PlannedAd(position, row.request, campaign, row.identity, state, wanted=not row.gone)
            for position, (row, state) in enumerate(
                zip(self.table.rows, self.table.states, strict=True)
            )
            if position not in self.adoption.held
            and (state.status is RowStatus.PROCESSING if row.gone else not state.is_completed)
        ]
        return deal(planned, weights or {"": 1.0})

    async def mark(self, chunk: Chunk, now: datetime) -> Chunk:
        """Writes down that a chunk is about to be sent, by somebody who cannot write it himself.

        Args:
            chunk: The chunk.
            now: The time, by the API's clock.

        Returns:
            The chunk, with what another run wrote down of it by then.

        Raises:
            CampaignError: It cannot be written, so nothing must be sent.
        """
        marked = [ad for ad in map(AdUnderWay, chunk.ads) if ad.wants_create]
        for ad in marked:
            ad.begin_attempt(now, chunk.account)
        known = await self.table.before_send({ad.position: ad.state for ad in marked})
        # With its mark, an ad counts as one that may exist: the chunk may be sent by a worker that
        # is lost, and then by another one, which is refused.
        ads = [
            replace(plan, state=known[plan.position], marked=True)
            if plan.position in known
            else plan
            for plan in chunk.ads
        ]
        return replace(chunk, ads=ads)

    def collect(self, results: Sequence[ImageAdResult]) -> None:
        """Notes the results of chunks, which may come from another process."""
        for result in results:
            self.table.update(result.position, result.state)

    def summarize(
        self,
        results: Sequence[ImageAdResult],
        *,
        already_completed: int,
        spent_before_usd: Decimal,
        seconds: float,
        contact_sheet: str | None,
        pictures: str,
        pictures_missing: int,
    ) -> Summary:
        """How a run ended, given its chunks' results."""
        failures = Counter(
            state.error or ""
            for _, _, state in self.table.wanted
            if state.status is RowStatus.FAILED
        )
        left = Plan.of(self.table)
        return Summary(
            rows=left.rows,
            unsent=sum(s.is_unsent for _, _, s in self.table.wanted),
            unsent_usd=sum(
                (r.request.price_usd for _, r, s in self.table.wanted if s.is_unsent), Decimal(0)
            ),
            adoption=self.adoption,
            counts=self.table.counts(),
            already_completed=already_completed,
            spent_before_usd=spent_before_usd,
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


def check_output(brief: Brief, output: str) -> None:
    """Raises if no result table of a spreadsheet can be at `output`.

    Raises:
        CampaignError: It cannot.
    """
    if storage.canonical(brief.location) == storage.canonical(output):
        raise OutputError("The output is the spreadsheet itself. Choose another file name.")
    check_location(output)


def _check_same_api(table: ResultTable, base_url: str) -> None:
    """A simulator's pictures are on this machine; they must not pass for a real API's."""
    simulated = any(_is_local(state.image_url) for state in table.states if state.image_url)
    if simulated and not _is_local(base_url):
        raise OutputError(
            f"{table.location} was made with a simulator: its pictures are on this machine. "
            "Choose another output for the real ads."
        )


def _is_local(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


@dataclass(frozen=True)
class Preflight:
    """What the API said.

    Attributes:
        organization: Whose key it is.
        unchecked: How many ids could not be looked up cheaply.
        clock_ahead: How far the API's clock is ahead of ours.
    """

    organization: str = ""
    unchecked: int = 0
    clock_ahead: timedelta = timedelta(0)


@dataclass(frozen=True)
class Summary:
    """How a run ended.

    Attributes:
        rows: All rows.
        counts: How many rows have each status.
        already_completed: Rows that earlier runs had completed.
        spent_before_usd: What the table's ads had cost before this run, in USD.
        replayed: Creates that the API answered from an earlier run.
        unsent: Rows that are still to be created.
        unsent_usd: What these will cost, in USD.
        cost_usd: What the table's ads have cost, earlier runs included, in USD.
        seconds: How long this run took.
        output: Where the table is.
        contact_sheet: Where the contact sheet is, if there is one.
        pictures: The folder of the downloaded pictures, if any were asked for.
        pictures_missing: Pictures that could not be downloaded.
        stopped_by: What stopped all creates, if something did.
        failures: Failed rows by what failed them, the most frequent first.
        adoption: What became of rows that an interrupted run may have sent long ago.
    """

    rows: int
    unsent: int
    unsent_usd: Decimal
    counts: dict[RowStatus, int]
    already_completed: int
    spent_before_usd: Decimal
    replayed: int
    cost_usd: Decimal
    seconds: float
    output: str
    contact_sheet: str | None = None
    pictures: str | None = None
    pictures_missing: int = 0
    stopped_by: str | None = None
    failures: tuple[tuple[str, int], ...] = ()
    adoption: Adoption = field(default_factory=Adoption)

    @property
    def completed(self) -> int:
        return self.counts[RowStatus.COMPLETED]

    @property
    def is_complete(self) -> bool:
        """Whether every row is completed."""
        return self.completed == self.rows

    @property
    def is_created(self) -> bool:
        """Whether every row has an ad that is completed or will be."""
        return self.completed + self.counts[RowStatus.PROCESSING] == self.rows

    def headline(self) -> str:
        """One sentence: the counts, the cost and the time."""
        before = self.spent_before_usd
        spent = f" in all, {self.cost_usd - before:.2f} of it in this run" if before else ""
        others = ", ".join(
            f"{count} {status}"
            for status, count in self.counts.items()
            if count and status is not RowStatus.COMPLETED
        )
        return (
            f"{self.completed} of {self.rows} rows completed"
            f"{f' ({others})' if others else ''}, {self.cost_usd:.2f} USD{spent}, "
            f"{self.seconds:.1f} s"
        )

    def notes(self) -> list[str]:
        """What else there is to say, a sentence each."""
        notes = []
        if self.stopped_by:
            notes.append(
                f"Creating stopped: {self.stopped_by} {_rows(self.unsent)} left, which will cost "
                f"up to {self.unsent_usd:.2f} USD; once that is mended, the same command goes on."
            )
        if rendering := self.counts[RowStatus.PROCESSING]:
            notes.append(f"{_rows(rendering)} rendering; the same command collects them.")
        if self.already_completed:
            notes.append(f"{self.already_completed} were completed by an earlier run.")
        if self.replayed:
            notes.append(f"{self.replayed} creates were answered from an earlier run.")
        if self.adoption.looked_for:
            notes.append(
                f"{self.adoption.looked_for} rows may have been sent by an earlier run: "
                f"{self.adoption.found} were found and adopted."
            )
        if self.adoption.held:
            notes.append(
                f"{_rows(len(self.adoption.held))} left alone, because nobody can say which ad is "
                "theirs; see their errors in the table."
            )
        notes += [f"{count} × {reason}" for reason, count in self.failures]
        if self.pictures_missing:
            notes.append(
                f"{self.pictures_missing} pictures could not be downloaded; "
                "the same command tries again."
            )
        return notes


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"
