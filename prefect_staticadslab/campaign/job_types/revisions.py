"""Revisions of editable ads: a table of changes, applied to the trees that the API has now.

The API takes entire trees only, so the body of a revision hangs on the tree that it changes. Once
it was taken, that tree is another one. So each row keeps the fingerprint of the tree that it sent:
whoever goes on with an interrupted run knows from it whether the change has arrived.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.models import Account, ImageAd, ImageAdVersion
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.spreadsheet import (
    AS_IT_IS,
    ReadOptions,
    read_spreadsheet,
)
from prefect_staticadslab.campaign.job_types.json_trees import TreeError
from prefect_staticadslab.campaign.job_types.revision_decisions import (
    is_repetition,
    next_step,
    why_not_revisable,
)
from prefect_staticadslab.campaign.job_types.revision_rows import (
    REVISION_COLUMNS,
    REVISION_JOBS,
    Change,
)
from prefect_staticadslab.campaign.pipeline.adoption import MAY_STILL_COME
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.pipeline.chunks import Chunk
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, PlannedJob
from prefect_staticadslab.campaign.pipeline.requests import without_query
from prefect_staticadslab.campaign.table.idempotency import campaign_id
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.campaign.table.layout import input_part
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.campaign.table.table_on_disk import OutputError

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

logger = logging.getLogger(__name__)


@dataclass
class Revisions(Batch[Change]):
    """Revisions to make, and their table. Those of one ad are made one after the other.

    Attributes:
        _planned_positions: The positions of the rows that this run has planned by now.
        _client: The client that reads the ads; None before the first round.
    """

    _planned_positions: set[int] = field(default_factory=set)
    _client: StaticAdsLabClient | None = None

    @classmethod
    def open(
        cls,
        spreadsheet: str,
        output: str,
        *,
        options: ReadOptions = AS_IT_IS,
        name: str = "",
        again: bool = False,
    ) -> Revisions:
        """Reads and checks the changes and the table of an earlier run; writes nothing.

        Args:
            spreadsheet: A `.csv`, a `.tsv` or a workbook with `image_ad_id` and a change in each
                row.
            output: Where the result table is or will be.
            options: How the spreadsheet is to be read.
            name: What the idempotency keys are made of; "" for the output.
            again: Whether changes of a spreadsheet that is a result table are made once more.

        Raises:
            CampaignError: Something is wrong; the message lists all of it.
        """
        if storage.canonical(spreadsheet) == storage.canonical(output):
            raise OutputError("The output is the spreadsheet itself. Choose another file name.")
        known_columns = REVISION_JOBS.known_columns
        table_input = read_spreadsheet(
            spreadsheet,
            options=options,
            known_columns=known_columns,
            needed_columns=(frozenset(("image_ad_id",)),),
        )
        table = JobTable.open(output, input_part(table_input, REVISION_COLUMNS), REVISION_JOBS)
        table.take_over_earlier_jobs(table_input, spreadsheet, again=again)
        return cls(name or storage.canonical(output), table)

    async def check(self, client: StaticAdsLabClient, account: Account) -> int:
        """Reads the ads that the changes are for, and checks that these fit; see `Batch.check`.

        Returns:
            0: every ad was looked up.

        Raises:
            SpreadsheetError: An ad is unknown or flat, or a change does not fit its tree.
            StaticAdsLabError: The API could not be asked.
        """
        open_rows = [
            (row, state)
            for _, row, state in self.table.current_rows
            if state.status in (RowStatus.PENDING, RowStatus.FAILED)
        ]
        ads = await _read_ads(client, (row.request.image_ad_id for row, _ in open_rows))
        trees = {i: ad.current_json_tree for i, ad in ads.items()}
        problems = []
        for row, state in open_rows:
            change = row.request
            message = why_not_revisable(ads.get(change.image_ad_id))
            if message:
                problems.append(Problem(message, row.number, "image_ad_id"))
                continue
            tree = trees[change.image_ad_id]
            if tree is None or is_repetition(state, tree):
                continue  # while it renders; and a failed rendering is repeated as it is
            try:
                trees[change.image_ad_id] = change.apply_to(tree)
            except TreeError as error:
                problems.append(Problem(str(error), row.number, change.column))
        if problems:
            raise SpreadsheetError(problems)
        return 0

    async def rounds(
        self,
        clients: Sequence[StaticAdsLabClient],
        weights: Mapping[str, float],
        most: int | None,
    ) -> AsyncIterator[list[Chunk]]:
        """One revision of each ad in each round; see `Batch.rounds`.

        Ends early if the ads cannot be read, and notes that in `troubles`.
        """
        client = self._client = clients[0]
        try:
            while planned := await self.next_round(client):
                yield [Chunk(client.api_key_hash, planned)]
        except StaticAdsLabError as error:
            self.troubles.append(f"The ads could not be read any more: {error}")

    async def collect(self, results: Sequence[ImageAdResult]) -> None:
        """Writes the results and their versions into the table; see `Batch.collect`."""
        await super().collect(results)
        if self._client is not None:
            await self._record_versions(self._client, [result.position for result in results])

    async def next_round(self, client: StaticAdsLabClient) -> list[PlannedJob]:
        """Plans the next revision of each ad, with the tree to send.

        Writes into the table which rows turn out to be done already, or must wait; and never plans
        a row twice.

        Returns:
            The jobs to create or to follow; [] if this run has nothing more to do.

        Raises:
            StaticAdsLabError: The API could not be asked.
        """
        while positions := self._pick_next_rows():
            self._planned_positions.update(positions)
            rows = self.table.rows
            ads = await _read_ads(client, (rows[p].request.image_ad_id for p in positions))
            planned = [
                plan
                for position in positions
                if (plan := self._plan_row(client, position, ads)) is not None
            ]
            if planned:
                return planned
        return []

    def _pick_next_rows(self) -> list[int]:
        """The positions of each ad's first row that is not completed, and of removed rows that may
        be collected, without those planned before.

        A removed row that is being rendered is its ad's first. Writes into pending rows of the same
        ad, once its first row is planned, which row comes first.
        """
        first: dict[str, int] = {}
        sent_and_removed: list[int] = []
        for position, (row, state) in enumerate(
            zip(self.table.rows, self.table.states, strict=True)
        ):
            if row.removed and state.is_processing:
                first.setdefault(row.request.image_ad_id, position)
            elif row.removed and state.status is RowStatus.SUBMITTING:
                sent_and_removed.append(position)
        for position, row, state in self.table.current_rows:
            ad = row.request.image_ad_id
            if ad in first:
                before = self.table.rows[first[ad]].number
                message = f"Row {before}, of the same ad, comes first."
                if first[ad] in self._planned_positions and state.status is RowStatus.PENDING:
                    self.table.update(position, replace(state, error=message))
            elif not state.is_completed:
                first[ad] = position
        return [p for p in (*sent_and_removed, *first.values()) if p not in self._planned_positions]

    def _plan_row(
        self, client: StaticAdsLabClient, position: int, ads: Mapping[str, ImageAd]
    ) -> PlannedJob | None:
        """The job to create or to follow for a row; None if there is none in this run.

        Writes the row's new state into the table, unless a revision is to be sent. None is sent for
        a row that was removed: if the ad does not show that it has arrived, the row stays as it is.
        """
        row, state = self.table.rows[position], self.table.states[position]
        asked_at = state.asked_at
        is_lost = asked_at is not None and client.now() - asked_at > MAY_STILL_COME
        step = next_step(row.request, state, ads.get(row.request.image_ad_id), is_lost=is_lost)
        if row.removed and not step.state.has_ad:
            return None
        if step.request is None:
            self.table.update(position, step.state)
            return None
        if step.state.is_processing:
            self.table.update(position, step.state)
        return PlannedJob(
            position,
            step.request,
            campaign_id(self.name),
            row.identity,
            step.state,
            may_create=row.may_create,
        )

    async def _record_versions(self, client: StaticAdsLabClient, positions: Iterable[int]) -> None:
        """Reads the versions of completed revisions' ads, and writes their ids into the table.

        What cannot be read is logged, and left out.
        """
        for position in positions:
            state = self.table.states[position]
            if not state.is_completed or state.job_id is None:
                continue
            try:
                versions = [v async for v in client.list_image_ad_versions(state.job_id)]
            except StaticAdsLabError as error:
                logger.warning("The versions of %s: %s", state.job_id, error)
                continue
            version = version_of_picture(versions, state.image_url)
            if version is not None:
                facts = {**state.facts, "image_ad_version_id": version.id}
                self.table.update(position, replace(state, facts=facts))


def version_of_picture(
    versions: Sequence[ImageAdVersion], image_url: str | None
) -> ImageAdVersion | None:
    """The version of an ad with this picture; if none or several have it, the newest of them all
    or of these; None if that cannot be told, as they have neither dates nor numbers.

    What a version holds is not documented, so any of it may be missing, and several may be at one
    address.
    """
    url = without_query(image_url or "")
    same_picture = [v for v in versions if url and without_query(v.image_url or "") == url]
    if len(same_picture) == 1:
        return same_picture[0]
    dated = [
        v for v in same_picture or versions if v.created_at is not None or v.version is not None
    ]
    return max(dated, key=lambda v: (v.version or 0, str(v.created_at or "")), default=None)


async def _read_ads(client: StaticAdsLabClient, ids: Iterable[str]) -> dict[str, ImageAd]:
    """Reads ads with their trees, by id; those that the API does not know are missing.

    Raises:
        StaticAdsLabError: The API could not be asked.
    """
    ads = {ad.id: ad for ad in await client.get_image_ads(list(dict.fromkeys(ids)))}
    for identifier, ad in ads.items():
        # A list may leave the trees out.
        if ad.is_editable and ad.is_finished and ad.current_json_tree is None:
            ads[identifier] = await client.get_image_ad(identifier)
    return ads
