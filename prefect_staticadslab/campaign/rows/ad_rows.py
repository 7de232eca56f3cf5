"""From a spreadsheet's rows to requests: every row is checked before anything is created."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import pydantic

from prefect_staticadslab.api.models import ImageAdOptions, ImageAdRequest
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    plain_text,
    shortened,
)
from prefect_staticadslab.campaign.files.formulas import CatalogueText, unescape
from prefect_staticadslab.campaign.rows.cell_values import (
    clean_id,
    read_boolean,
    wrong_cell_problems,
)
from prefect_staticadslab.campaign.rows.columns import (
    BOOLEAN_COLUMNS,
    READ_COLUMNS,
    find_columns,
    wrong_id_message,
)
from prefect_staticadslab.campaign.rows.json_cells import JsonCellError, read_json
from prefect_staticadslab.campaign.rows.resource_types import RESOURCE_TYPES
from prefect_staticadslab.campaign.rows.row_identity import Identities, RowIds, row_id_of
from prefect_staticadslab.campaign.rows.stray_rows import stray_row_problem
from prefect_staticadslab.campaign.table.job_type import CampaignRow
from prefect_staticadslab.campaign.table.layout import SENT_PROMPT_COLUMN

AdRow: TypeAlias = CampaignRow[ImageAdRequest]


def read_rows(spreadsheet: Spreadsheet, *, unique_row_ids: bool = True) -> list[AdRow]:
    """The spreadsheet's rows as requests, each with its identity.

    Args:
        spreadsheet: What was read; every row is one ad, by ids.
        unique_row_ids: Whether two rows with one `row_id` are a mistake, and so is an error of a
            formula. In a result table they are not: a row that was edited is there with its old
            ad, too.

    Raises:
        SpreadsheetError: With all problems of all rows, in the rows' order.
    """
    columns, problems = find_columns(spreadsheet, READ_COLUMNS)
    if problems:
        raise SpreadsheetError(problems)
    rows: list[AdRow] = []
    row_ids = RowIds()
    identities = Identities()
    identities_seen: set[str] = set()
    for number, line in zip(spreadsheet.row_numbers, spreadsheet.lines, strict=True):
        cells = {name: line[position] for name, position in columns.items()}
        # An ad of an earlier version may have been made of an error; that is over.
        errors = wrong_cell_problems(number, cells) if unique_row_ids else []
        request, wrong = (None, errors) if errors else _read_request(number, cells)
        if wrong and (stray := stray_row_problem(number, spreadsheet.header, line)):
            wrong = [stray]
        duplicate = row_ids.add(number, cells)
        if request is not None:
            identity = identities.next_identity(cells, request_content(request))
            if identity in identities_seen:
                duplicate = duplicate or row_ids.duplicate_problem(number, row_id_of(cells))
            identities_seen.add(identity)
            rows.append(CampaignRow(number, request, identity, prompt_cell=_prompt_cell(cells)))
        problems += [*wrong, *([duplicate] if duplicate and unique_row_ids else [])]
    if problems:
        raise SpreadsheetError(problems)
    return rows


def request_content(request: ImageAdRequest) -> str:
    """All that a request asks for, as one text: its body, in JSON with sorted names."""
    return json.dumps(request.body(), sort_keys=True)


def _read_request(
    number: int, cells: Mapping[str, Any]
) -> tuple[ImageAdRequest | None, list[Problem]]:
    """The request of row `number` and no problems; or None and all that is wrong with its cells."""
    problems: list[Problem] = []
    fields: dict[str, Any] = {}
    for kind in RESOURCE_TYPES:
        column = kind.id_column
        if column in cells:
            text = clean_id(cell_text(cells[column]))
            if message := wrong_id_message(kind, text):
                problems.append(Problem(message, number, column))
            fields[column] = text or None
    settings, wrong = read_settings(number, cells)
    problems += wrong
    if problems:
        return None, problems
    prompt = _read_prompt(_prompt_cell(cells))
    try:
        request = ImageAdRequest(**fields, **settings, prompt=prompt if prompt.strip() else None)
    except pydantic.ValidationError as error:
        return None, [
            Problem(e["msg"], number, str(e["loc"][0]) if e["loc"] else None)
            for e in error.errors(include_url=False, include_input=False)
        ]
    return request, []


def _prompt_cell(cells: Mapping[str, Any]) -> Any:
    """The cell whose text is sent as the prompt: what was filled in, if a table has that."""
    sent = cells.get(SENT_PROMPT_COLUMN)
    return sent if cell_text(sent).strip() else cells.get("prompt")


def _read_prompt(cell: Any) -> str:
    """A cell's prompt, as it is sent; "" or only spaces if there is none."""
    text = plain_text(cell_text(cell))
    # What was filled in just now has no apostrophe that only says that it is a text.
    return text if isinstance(cell, CatalogueText) else unescape(text)


def read_settings(number: int, cells: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """What the columns of settings say.

    Args:
        number: The row's number.
        cells: Its cells, by their columns.

    Returns:
        A request's `editable`, `options` and `node_overrides`, by these names; and what is wrong
        with the cells. What cannot be read has its default.
    """
    problems: list[Problem] = []
    booleans: dict[str, bool | None] = {}
    for name in BOOLEAN_COLUMNS:
        try:
            booleans[name] = read_boolean(cells.get(name))
        except ValueError:
            text = shortened(cell_text(cells.get(name)).strip())
            message = f"{text!r} is neither true nor false. Leave it empty for the default."
            problems.append(Problem(message, number, name))
            booleans[name] = None
    overrides, wrong = _read_node_overrides(plain_text(cell_text(cells.get("node_overrides"))))
    if wrong:
        problems.append(Problem(wrong, number, "node_overrides"))
    options = {
        name: booleans[name] for name in ImageAdOptions.model_fields if booleans[name] is not None
    }
    settings = {
        "editable": bool(booleans["editable"]),
        "options": ImageAdOptions(**options) if options else None,
        "node_overrides": overrides,
    }
    return settings, problems


def _read_node_overrides(text: str) -> tuple[dict[str, dict[str, Any]] | None, str | None]:
    """What a cell's text overrides, None if nothing; and what is wrong with it, None if nothing."""
    if not text.strip():
        return None, None
    try:
        value = read_json(text)
    except JsonCellError as error:
        return None, f"{error}. It looks like {_OVERRIDES_EXAMPLE}"
    if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
        return None, f"must be a JSON object of objects, such as {_OVERRIDES_EXAMPLE}"
    return value or None, None


_OVERRIDES_EXAMPLE: Final = '{"NODE_ID": {"characters": "Sale"}}'
