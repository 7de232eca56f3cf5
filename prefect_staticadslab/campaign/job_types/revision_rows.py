"""What a table of revisions says: which ad each row changes, and how."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from prefect_staticadslab.api.models import EDITABLE_IMAGE_AD, PRICE_USD, JsonTree
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    plain_text,
    shortened,
)
from prefect_staticadslab.campaign.job_types.json_trees import (
    TreeError,
    apply_overrides,
    apply_patch,
    check_overrides,
    check_patch,
    check_tree,
)
from prefect_staticadslab.campaign.rows.cell_values import clean_id, wrong_cell_problems
from prefect_staticadslab.campaign.rows.columns import (
    ROW_ID_COLUMN,
    column_positions,
    missing_columns_message,
    repeated_column_problems,
)
from prefect_staticadslab.campaign.rows.json_cells import JsonCellError, read_json
from prefect_staticadslab.campaign.rows.row_identity import Identities, RowIds
from prefect_staticadslab.campaign.table.job_state import KEY_COLUMNS, JobState, RowStatus
from prefect_staticadslab.campaign.table.job_type import CampaignRow, JobType

CHANGE_COLUMNS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "current_json_tree": check_tree,
    "json_patch": check_patch,
    "node_overrides": check_overrides,
}
"""The columns of which each row fills one, and the function that checks its value."""

REVISION_COLUMNS: Final[Mapping[str, str]] = {
    "status": "status",
    "image_url": "image_url",
    "previous_image_url": "previous_image_url",
    "image_ad_version_id": "image_ad_version_id",
    "error": "error",
    "attempts": "attempts",
    "width": "width",
    "height": "height",
    "submitted_at": "submitted_at",
    "completed_at": "completed_at",
    "image_path": "image_path",
    "previous_tree": "previous_tree",
    "sent_tree": "sent_tree",
    "kept_tree": "kept_tree",
    **KEY_COLUMNS,
}
"""The result columns, and the field or fact of a row's `JobState` that each of them holds.

The trees are fingerprints: of the ad's tree before the revision, of the one that was sent, and of
what the API made of that.
"""


class Change(BaseModel):
    """A row's change to an editable ad: exactly one of a whole tree, a JSON patch and overrides.

    Attributes:
        image_ad_id: The ad to change.
        current_json_tree: The whole tree to render in place of the ad's.
        json_patch: The operations of a JSON patch (RFC 6902) to the ad's tree.
        node_overrides: Other texts and pictures, by node id; see `apply_overrides`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_ad_id: str
    current_json_tree: JsonTree | None = None
    json_patch: list[dict[str, Any]] | None = None
    node_overrides: dict[str, dict[str, Any]] | None = None

    @property
    def job_name(self) -> str:
        """What people call such a job, where its price is told."""
        return "revision"

    @property
    def price_usd(self) -> Decimal:
        """What a revision may cost, in USD: its price is not documented, so that of a new editable
        ad."""
        return PRICE_USD[EDITABLE_IMAGE_AD]

    @property
    def column(self) -> str:
        """The name of the column that holds the change."""
        return next(name for name in CHANGE_COLUMNS if getattr(self, name) is not None)

    @property
    def summary(self) -> str:
        """What is changed, for people: a line per change, each cut to 100 characters."""
        if self.json_patch is not None:
            changes = [(f"{o['op']} {o['path']}", o.get("value")) for o in self.json_patch]
        elif self.node_overrides is not None:
            changes = [
                (name, value)
                for change in self.node_overrides.values()
                for name, value in change.items()
            ]
        else:
            changes = [("the whole tree", None)]
        lines = [what if value is None else f"{what}: {value}" for what, value in changes]
        return "\n".join(shortened(line, 100) for line in lines)

    def apply_to(self, tree: JsonTree) -> JsonTree:
        """The entire tree to send: a copy of the given tree with this change in it.

        Raises:
            TreeError: The change does not fit the tree.
        """
        if self.json_patch is not None:
            return apply_patch(tree, self.json_patch)
        if self.node_overrides is not None:
            return apply_overrides(tree, self.node_overrides)
        return check_tree(self.current_json_tree)


def read_changes(
    spreadsheet: Spreadsheet, *, unique_row_ids: bool = True
) -> list[CampaignRow[Change]]:
    """Reads the spreadsheet's rows as changes.

    Args:
        spreadsheet: What was read.
        unique_row_ids: Whether two rows with one `row_id` are a mistake.

    Raises:
        SpreadsheetError: With all problems of all rows.
    """
    header = spreadsheet.header
    found = column_positions(header, REVISION_JOBS.known_columns)
    problems = [
        *_header_problems(header, found, spreadsheet.header_row),
        *repeated_column_problems(header, found, spreadsheet.header_row),
    ]
    if problems:
        raise SpreadsheetError(problems)
    positions = {name: same_name[0] for name, same_name in found.items()}
    rows: list[CampaignRow[Change]] = []
    identities = Identities()
    row_ids = RowIds()
    for number, line in zip(spreadsheet.row_numbers, spreadsheet.lines, strict=True):
        cells = {name: plain_text(cell_text(line[i])).strip() for name, i in positions.items()}
        errors = wrong_cell_problems(number, cells) if unique_row_ids else []
        change, row_problems = (None, errors) if errors else _read_change(number, cells)
        duplicate = row_ids.add(number, cells)
        if duplicate and unique_row_ids:
            row_problems.append(duplicate)
        problems += row_problems
        if change is not None:
            identity = identities.next_identity(cells, change.model_dump_json())
            rows.append(CampaignRow(number, change, identity))
    if problems:
        raise SpreadsheetError(problems)
    return rows


def _header_problems(names: Sequence[str], found: Collection[str], row: int) -> Iterator[Problem]:
    """What is missing in the header: the column of ads, or any column of changes.

    Args:
        names: The header's names.
        found: The known columns that are among them.
        row: The header's row number.
    """
    if "image_ad_id" not in found:
        yield Problem("The column image_ad_id is missing. It holds the ad to change, ia_….", row)
        yield Problem(missing_columns_message(names, REVISION_JOBS.known_columns), row)
    elif not any(name in found for name in CHANGE_COLUMNS):
        yield Problem(f"There is none of the columns {', '.join(CHANGE_COLUMNS)}.", row)


def _read_change(number: int, cells: Mapping[str, str]) -> tuple[Change | None, list[Problem]]:
    """The change that a row asks for; None, and what is wrong with it, if it cannot be read."""
    image_ad_id = clean_id(cells["image_ad_id"])
    if not image_ad_id.startswith("ia_") or image_ad_id == "ia_":
        message = (
            f"{shortened(image_ad_id)!r} is not the id of an image ad; that starts with ia_."
            if image_ad_id
            else "is empty. It needs the id of the ad to change, ia_…."
        )
        return None, [Problem(message, number, "image_ad_id")]
    filled = [name for name in CHANGE_COLUMNS if cells.get(name)]
    if len(filled) != 1:
        message = f"has {' and '.join(filled)}; it must have one." if filled else "has no change."
        return None, [Problem(f"{message} Fill one of {', '.join(CHANGE_COLUMNS)}.", number)]
    (column,) = filled
    try:
        value = CHANGE_COLUMNS[column](_parse_json(cells[column]))
    except TreeError as error:
        return None, [Problem(str(error), number, column)]
    return Change.model_validate({"image_ad_id": image_ad_id, column: value}), []


def _parse_json(text: str) -> Any:
    """A cell's JSON value; raises a `TreeError` if it holds none."""
    try:
        return read_json(text)
    except JsonCellError as error:
        raise TreeError(f"{error}.") from None


def _with_job_id(state: JobState, change: Change) -> JobState:
    """A state with its ad's id as job id, if the API took the revision or may have.

    A table of revisions has the id only in the user's column, not in a result column.
    """
    refused = state.status is RowStatus.FAILED and state.completed_at is None
    if state.is_unsent or refused:
        return state
    return replace(state, job_id=change.image_ad_id)


REVISION_JOBS: Final = JobType(
    "revisions",
    REVISION_COLUMNS,
    frozenset(("image_ad_id", ROW_ID_COLUMN, *CHANGE_COLUMNS)),
    read_changes,
    _with_job_id,
    exclusive=False,
)
"""What sets a table of revisions apart from tables of other jobs."""
