"""Design templates from reference ads: a folder or a spreadsheet of pictures, and their table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    normalized,
    plain_text,
)
from prefect_staticadslab.campaign.files.locations import Location, LocationError
from prefect_staticadslab.campaign.files.spreadsheet import (
    AS_IT_IS,
    ReadOptions,
)
from prefect_staticadslab.campaign.job_types.references import (
    REFERENCE_COLUMNS,
    References,
    read_digests,
    reference_column,
)
from prefect_staticadslab.campaign.names.preflight import TEMPLATE_SCOPES
from prefect_staticadslab.campaign.pipeline.adoption import (
    STILL_ON_ITS_WAY,
    Adoption,
    is_sent_with,
    may_have_expired,
    may_still_be_created,
)
from prefect_staticadslab.campaign.pipeline.batch import ParallelBatch
from prefect_staticadslab.campaign.pipeline.requests import DesignTemplateRequest
from prefect_staticadslab.campaign.rows.columns import ROW_ID_COLUMN, column_positions
from prefect_staticadslab.campaign.rows.row_identity import Identities, RowIds
from prefect_staticadslab.campaign.table.job_state import KEY_COLUMNS, RowStatus
from prefect_staticadslab.campaign.table.job_type import CampaignRow, JobType
from prefect_staticadslab.campaign.table.layout import complete_result_table, input_part
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.campaign.table.table_on_disk import OutputError

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

TEMPLATE_COLUMNS: Final[Mapping[str, str]] = {
    "design_template_id": "job_id",
    "status": "status",
    "preview_url": "image_url",
    "aspect_ratio": "aspect_ratio",
    "industry": "industry",
    "ad_format": "ad_format",
    "error": "error",
    "cost_usd": "cost_usd",
    "attempts": "attempts",
    "width": "width",
    "height": "height",
    "submitted_at": "submitted_at",
    "completed_at": "completed_at",
    "image_path": "image_path",
    "reference_sha256": "reference_sha256",
    **KEY_COLUMNS,
}
"""The result columns, and the field or fact of a row's `JobState` that each of them holds."""

_LOST: Final = (
    "It was sent by a run that was interrupted, and nobody can say any more whether a design "
    "template was made. Look at the templates of that time: write the id into design_template_id "
    "and 'processing' into status"
)
HELD: Final = f"{_LOST}, or 'pending' into status to have one made."
REMOVED_AND_HELD: Final = f"{_LOST}."
MAY_BE_AT_WORK: Final = (
    "The run that sent it may still be at work, so that a design template may still be made. Run "
    "it again in two hours."
)


Locate: TypeAlias = Callable[[str], Location]
"""Gives the location that a cell's text names; raises a `LocationError` if a table must not name
it. See `References.location_of`."""


def template_job_type(
    locate: Locate, digests: Mapping[Location, str]
) -> JobType[DesignTemplateRequest]:
    """What sets a table of design templates apart from tables of other jobs.

    Args:
        locate: Gives the location of a row's reference.
        digests: The digests of the references' contents, by location.
    """
    return JobType(
        "design-templates",
        TEMPLATE_COLUMNS,
        frozenset((*REFERENCE_COLUMNS, ROW_ID_COLUMN)),
        partial(read_template_rows, locate=locate, digests=digests),
    )


def read_template_rows(
    spreadsheet: Spreadsheet,
    *,
    unique_row_ids: bool = True,
    locate: Locate,
    digests: Mapping[Location, str] | None = None,
) -> list[CampaignRow[DesignTemplateRequest]]:
    """The spreadsheet's rows as requests. A row's identity comes from its reference's content.

    Args:
        spreadsheet: What was read.
        unique_row_ids: Whether two rows with one `row_id` are a mistake.
        locate: Gives the location of a row's reference.
        digests: The digests of the references' contents, by location. Those of a complete result
            table are read from its own column instead.

    Raises:
        SpreadsheetError: With all problems of all rows.
    """
    record = complete_result_table(spreadsheet, TEMPLATE_COLUMNS)
    spreadsheet = record or spreadsheet
    columns = spreadsheet.header
    names = [normalized(name) for name in columns]
    for position in column_positions(names, (ROW_ID_COLUMN,)).get(ROW_ID_COLUMN, [])[:1]:
        names[position] = ROW_ID_COLUMN
    column = reference_column(spreadsheet)
    reference_position = columns.index(column)
    rows: list[CampaignRow[DesignTemplateRequest]] = []
    problems: list[Problem] = []
    row_ids = RowIds()
    identities = Identities()
    for number, line in zip(spreadsheet.row_numbers, spreadsheet.lines, strict=True):
        cells = dict(zip(names, line, strict=True))
        reference = plain_text(cell_text(line[reference_position])).strip()
        if not reference:
            message = "is empty. It needs a path or an address."
            problems.append(Problem(message, number, normalized(column)))
            continue
        duplicate = row_ids.add(number, cells)
        if duplicate and unique_row_ids:
            problems.append(duplicate)
        try:
            location = locate(reference)
        except LocationError as error:
            problems.append(Problem(str(error), number, normalized(column)))
            continue
        digest = (digests or {}).get(location, "")
        if record is not None:
            digest = cell_text(line[columns.index("reference_sha256")]).strip()
        request = DesignTemplateRequest(reference=location, digest=digest)
        rows.append(CampaignRow(number, request, identities.next_identity(cells, digest)))
    if problems:
        raise SpreadsheetError(problems)
    return rows


@dataclass(kw_only=True)
class TemplateBatch(ParallelBatch[DesignTemplateRequest]):
    """Design templates to make, and their table.

    Attributes:
        references: Where the reference ads were found.
    """

    scopes: ClassVar[Sequence[str]] = TEMPLATE_SCOPES

    references: References

    @classmethod
    def open(
        cls,
        source: str,
        output: str,
        *,
        options: ReadOptions = AS_IT_IS,
        name: str = "",
        again: bool = False,
    ) -> TemplateBatch:
        """Reads the references and the table of an earlier run; writes nothing.

        Args:
            source: A folder, or a spreadsheet with a column `reference`. Each picture is read and
                checked.
            output: Where the result table is or will be.
            options: How a spreadsheet is to be read.
            name: What the idempotency keys are made of; "" for the output.
            again: Whether templates of a spreadsheet that is a result table are made once more.

        Raises:
            CampaignError: Something is wrong; the message lists all of it.
        """
        if storage.canonical(source) == storage.canonical(output):
            raise OutputError("The output is the spreadsheet itself. Choose another file name.")
        references = References.read(source, options=options)
        digests = read_digests(references)
        job_type = template_job_type(references.location_of, digests)
        table = JobTable.open(
            output, input_part(references.spreadsheet, TEMPLATE_COLUMNS), job_type
        )
        table.take_over_earlier_jobs(references.spreadsheet, source, again=again)
        for position, (row, state) in enumerate(zip(table.rows, table.states, strict=True)):
            facts = {**state.facts, "reference_sha256": row.request.digest}
            if facts != state.facts:
                table.update(position, replace(state, facts=facts))
        return cls(name or storage.canonical(output), table, references=references)

    async def adopt(self, clients: Sequence[StaticAdsLabClient]) -> None:
        """Holds rows whose idempotency keys have expired, by the API's clock; see `hold_expired`.
        No request is sent."""
        self.hold_expired(clients[0].now(), {client.api_key_hash for client in clients})

    def hold_expired(self, now: datetime, api_key_hashes: Collection[str]) -> None:
        """Writes an error into marked rows that cannot safely be sent again, and sets `adoption`.

        They were sent too long ago, or nobody knows when or with which idempotency key, or with
        another API key, or were removed from the spreadsheet. No list of the API tells which
        reference a template was made from, so people must look, once no run can have it made any
        more: a second template would be paid for.

        Args:
            now: The time, by the API's clock.
            api_key_hashes: The hashes of this run's API keys.
        """
        held: dict[int, str] = {}
        for position, (row, state) in enumerate(
            zip(self.table.rows, self.table.states, strict=True)
        ):
            if state.status is not RowStatus.SUBMITTING:
                continue
            is_ours = is_sent_with(state, api_key_hashes)
            # Without the picture it cannot be sent again.
            if row.removed or not is_ours or may_have_expired(state, now):
                if may_still_be_created(state, now):
                    can_be_asked_for = not (row.removed or is_ours) and state.idempotency_key
                    held[position] = STILL_ON_ITS_WAY if can_be_asked_for else MAY_BE_AT_WORK
                else:
                    held[position] = REMOVED_AND_HELD if row.removed else HELD
                self.table.update(position, replace(state, error=held[position]))
        self.adoption = Adoption(held=held)
