"""From a spreadsheet's rows to requests: every row is checked before anything is created."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import pydantic

from prefect_staticadslab.api.models import ImageAdOptions, ImageAdRequest
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import Spreadsheet, cell_text, shortened
from prefect_staticadslab.campaign.files.formulas import CatalogueText, as_written
from prefect_staticadslab.campaign.rows.columns import (
    BOOLEAN_COLUMNS,
    ID_COLUMNS,
    KNOWN_COLUMNS,
    READ_COLUMNS,
    ROW_ID_COLUMN,
    SOURCE_ROW_COLUMN,
    columns_of,
    id_problem,
)
from prefect_staticadslab.campaign.rows.json_cells import JsonCellError, read_json
from prefect_staticadslab.campaign.table.job_state import AD_COLUMNS
from prefect_staticadslab.campaign.table.job_type import CampaignRow, JobType

AdRow: TypeAlias = CampaignRow[ImageAdRequest]

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ID_DIGITS: Final = 16
_TRUE: Final = frozenset(("true", "yes", "y", "1", "x"))
_FALSE: Final = frozenset(("false", "no", "n", "0"))


def campaign_id(name: str) -> str:
    """What stands for a campaign's name in keys and tables: 16 hexadecimal digits.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.ad_rows import campaign_id

        assert campaign_id("file:///ads/summer.csv") == "574dba472459f7f1"
        ```
    """
    return _digest(name)[:_ID_DIGITS]


def idempotency_key(campaign: str, identity: str, attempt: int) -> str:
    """The key of a create: the same for the same campaign, row and attempt, whoever sends it.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.ad_rows import idempotency_key

        first = idempotency_key("file:///results.csv", "a row", 1)
        assert first == idempotency_key("file:///results.csv", "a row", 1)
        assert first != idempotency_key("file:///results.csv", "a row", 2)
        ```
    """
    return _digest(campaign, identity, str(attempt))


def read_rows(spreadsheet: Spreadsheet, *, unique_row_ids: bool = True) -> list[AdRow]:
    """The spreadsheet's rows as requests.

    Args:
        spreadsheet: What was read.
        unique_row_ids: Whether two rows with one `row_id` are a mistake. In a result table they
            are not: a row that was edited is there with its old ad, too.

    Raises:
        SpreadsheetError: With all problems of all rows, in the rows' order.
    """
    columns, problems = columns_of(spreadsheet, READ_COLUMNS)
    if problems:
        raise SpreadsheetError(problems)
    rows: list[AdRow] = []
    row_ids = RowIds()
    identities = Identities()
    known: set[str] = set()
    lines = spreadsheet.frame.itertuples(index=False, name=None)
    for number, line in zip(spreadsheet.row_numbers, lines, strict=True):
        cells = {name: line[position] for name, position in columns.items()}
        request, wrong = _request(number, cells)
        taken = row_ids.problem(number, cells)
        if request is not None:
            identity = identities.of(cells, json.dumps(request.body(), sort_keys=True))
            if identity in known:
                taken = taken or row_ids.twice(number, row_id_of(cells))
            known.add(identity)
            rows.append(CampaignRow(number, request, identity))
        problems += [*wrong, *([taken] if taken and unique_row_ids else [])]
    if problems:
        raise SpreadsheetError(problems)
    return rows


AD_TABLE: Final = JobType("campaign", AD_COLUMNS, KNOWN_COLUMNS, read_rows)
"""A campaign's table."""


class RowIds:
    """Which `row_id`s there are, to tell one that two rows of a spreadsheet have."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[int, str]] = {}

    def problem(self, number: int, cells: Mapping[str, Any]) -> Problem | None:
        """What is wrong with a row's `row_id`, if another row has it.

        The ads that one row makes share its `row_id`.
        """
        row_id = row_id_of(cells)
        source = cell_text(cells.get(SOURCE_ROW_COLUMN)).strip() or f"row {number}"
        _, first_source = self._first.setdefault(row_id, (number, source))
        return self.twice(number, row_id) if row_id and source != first_source else None

    def twice(self, number: int, row_id: str) -> Problem:
        """What to say of a `row_id` that is there already."""
        return Problem(
            f"{shortened(row_id)!r} is also in row {self._first[row_id][0]}.", number, "row_id"
        )


class Identities:
    """Tells the rows of a spreadsheet apart: by their `row_id`, or else by counting equal ones."""

    def __init__(self) -> None:
        self._occurrences: Counter[str] = Counter()

    def of(self, cells: Mapping[str, Any], content: str) -> str:
        """What stands for the next row in keys and tables: 16 hexadecimal digits.

        Args:
            cells: The row.
            content: All that makes it ask for what it asks.
        """
        self._occurrences[content] += 1
        row_id = row_id_of(cells)
        which = f"row_id {row_id}" if row_id else f"occurrence {self._occurrences[content]}"
        return _digest(which, content)[:_ID_DIGITS]


def row_id_of(cells: Mapping[str, Any]) -> str:
    """A row's `row_id`, or ""."""
    return plain_text(cell_text(cells.get(ROW_ID_COLUMN))).strip()


def _request(number: int, cells: Mapping[str, Any]) -> tuple[ImageAdRequest | None, list[Problem]]:
    problems: list[Problem] = []
    fields: dict[str, Any] = {}
    for name in ID_COLUMNS:
        if name in cells:
            text = cell_text(cells[name]).strip()
            message = id_problem(name, text)
            if message:
                problems.append(Problem(message, number, name))
            fields[name] = text or None
    settings, wrong = read_settings(number, cells)
    problems += wrong
    if problems:
        return None, problems
    prompt = _prompt(cells.get("prompt"))
    try:
        request = ImageAdRequest(**fields, **settings, prompt=prompt if prompt.strip() else None)
    except pydantic.ValidationError as error:
        return None, [
            Problem(e["msg"], number, str(e["loc"][0]) if e["loc"] else None)
            for e in error.errors(include_url=False, include_input=False)
        ]
    return request, []


def _prompt(cell: Any) -> str:
    text = plain_text(cell_text(cell))
    # What was filled in just now has no apostrophe that only says that it is a text.
    return text if isinstance(cell, CatalogueText) else as_written(text)


def read_settings(number: int, cells: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """A request's `editable`, `options` and `node_overrides`, and what is wrong with them."""
    problems: list[Problem] = []
    booleans: dict[str, bool | None] = {}
    for name in BOOLEAN_COLUMNS:
        text = cell_text(cells.get(name)).strip().casefold()
        if text and text not in _TRUE | _FALSE:
            message = (
                f"{shortened(text)!r} is neither true nor false. Leave it empty for the default."
            )
            problems.append(Problem(message, number, name))
        booleans[name] = text in _TRUE if text else None
    overrides, wrong = _node_overrides(plain_text(cell_text(cells.get("node_overrides"))))
    if wrong:
        problems.append(Problem(wrong, number, "node_overrides"))
    options = {name: booleans[name] for name in BOOLEAN_COLUMNS[1:] if booleans[name] is not None}
    settings = {
        "editable": bool(booleans["editable"]),
        "options": ImageAdOptions(**options) if options else None,
        "node_overrides": overrides,
    }
    return settings, problems


def plain_text(text: str) -> str:
    """Text with one kind of line break and no control characters.

    Some table formats cannot hold the others; and a row that was read back from its own result
    table must ask for the same ad, or it would be paid for twice.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.ad_rows import plain_text

        assert plain_text("one\\r\\ntwo\\x07") == "one\\ntwo"
        ```
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL_CHARACTERS.sub("", text)


def _node_overrides(text: str) -> tuple[dict[str, dict[str, Any]] | None, str | None]:
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


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
