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
from prefect_staticadslab.campaign.kinds import CampaignRow, TableKind
from prefect_staticadslab.campaign.problems import Problem, SpreadsheetError
from prefect_staticadslab.campaign.sheet import Spreadsheet, cell_text, normalized, shortened
from prefect_staticadslab.campaign.states import AD_COLUMNS

ID_COLUMNS: Final = {
    "design_template_id": ("dt_", "a design template"),
    "brand_id": ("brand_", "a brand"),
    "product_id": ("prod_", "a product"),
    "audience_id": ("aud_", "an audience"),
    "product_variant_id": ("pv_", "a product variant"),
}
REQUIRED_COLUMNS: Final = ("design_template_id", "brand_id", "product_id", "audience_id")
BOOLEAN_COLUMNS: Final = ("editable", "generate_ai_images", "generate_copy")
INPUT_COLUMNS: Final = (*ID_COLUMNS, "prompt", *BOOLEAN_COLUMNS, "node_overrides")
ROW_ID_COLUMN: Final = "row_id"
AdRow: TypeAlias = CampaignRow[ImageAdRequest]

KNOWN_COLUMNS: Final = frozenset((*INPUT_COLUMNS, ROW_ID_COLUMN))

_ID = re.compile(r"[A-Za-z]+_[A-Za-z0-9_-]+")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_TITLE_LINES: Final = 10
_ID_DIGITS: Final = 16
_TRUE: Final = frozenset(("true", "yes", "y", "1", "x"))
_FALSE: Final = frozenset(("false", "no", "n", "0"))


def campaign_id(name: str) -> str:
    """What stands for a campaign's name in keys and tables: 16 hexadecimal digits.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows import campaign_id

        assert campaign_id("file:///ads/summer.csv") == "574dba472459f7f1"
        ```
    """
    return _digest(name)[:_ID_DIGITS]


def idempotency_key(campaign: str, identity: str, attempt: int) -> str:
    """The key of a create: the same for the same campaign, row and attempt, whoever sends it.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows import idempotency_key

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
    columns, problems = _columns(spreadsheet)
    if problems:
        raise SpreadsheetError(problems)
    rows: list[AdRow] = []
    row_ids: dict[str, int] = {}
    occurrences: Counter[str] = Counter()
    lines = spreadsheet.frame.itertuples(index=False, name=None)
    for number, line in zip(spreadsheet.row_numbers, lines, strict=True):
        cells = {name: line[position] for name, position in columns.items()}
        request, wrong = _request(number, cells)
        row_id = plain_text(cell_text(cells.get(ROW_ID_COLUMN))).strip()
        taken = row_ids.setdefault(row_id, number) != number
        if row_id and taken and unique_row_ids:
            wrong.append(
                Problem(f"{row_id!r} is also in row {row_ids[row_id]}.", number, ROW_ID_COLUMN)
            )
        problems += wrong
        if request is not None:
            sent = json.dumps(request.body(), sort_keys=True)
            occurrences[sent] += 1
            which = f"row_id {row_id}" if row_id else f"occurrence {occurrences[sent]}"
            rows.append(CampaignRow(number, request, row_identity(which, sent)))
    if problems:
        raise SpreadsheetError(problems)
    return rows


AD_TABLE: Final = TableKind(AD_COLUMNS, KNOWN_COLUMNS, read_rows)
"""A campaign's table."""


def _columns(spreadsheet: Spreadsheet) -> tuple[dict[str, int], list[Problem]]:
    """Where the columns that we read are. Names are compared without case and outer space."""
    positions: dict[str, int] = {}
    problems: list[Problem] = []
    names = [str(name) for name in spreadsheet.frame.columns]
    for position, name in enumerate(names):
        known = normalized(name)
        if known not in KNOWN_COLUMNS:
            continue
        if known in positions:
            problems.append(
                Problem(
                    f"is there twice, as {names[positions[known]]!r} and {name!r}. Rename one.",
                    row=1,
                    column=known,
                )
            )
        else:
            positions[known] = position
    missing = [name for name in REQUIRED_COLUMNS if name not in positions]
    problems += [
        Problem(
            f"The column {name} is missing. It holds the id of {ID_COLUMNS[name][1]}, "
            f"{ID_COLUMNS[name][0]}….",
            row=1,
        )
        for name in missing
    ]
    if missing:
        shown = ", ".join(name for name in names if name.strip())
        problems.append(Problem(f"The spreadsheet's columns are: {shortened(shown, 300)}", row=1))
        problems += _header_further_down(spreadsheet)
    return positions, problems


def _header_further_down(spreadsheet: Spreadsheet) -> list[Problem]:
    """A hint, if there is a title above the columns' names."""
    first_lines = spreadsheet.frame.head(_TITLE_LINES).itertuples(index=False, name=None)
    for number, line in zip(spreadsheet.row_numbers, first_lines, strict=False):
        known = {normalized(cell_text(value)) for value in line} & KNOWN_COLUMNS
        if len(known) > 1:
            hint = f"This looks like the header. Delete the {number - 1} row(s) above it."
            return [Problem(hint, row=number)]
    return []


def _request(number: int, cells: Mapping[str, Any]) -> tuple[ImageAdRequest | None, list[Problem]]:
    problems: list[Problem] = []
    fields: dict[str, Any] = {}
    for name in ID_COLUMNS:
        if name in cells:
            text = cell_text(cells[name]).strip()
            message = _id_problem(name, text)
            if message:
                problems.append(Problem(message, number, name))
            fields[name] = text or None
    booleans: dict[str, bool | None] = {}
    for name in BOOLEAN_COLUMNS:
        text = cell_text(cells.get(name)).strip().casefold()
        if text and text not in _TRUE | _FALSE:
            message = (
                f"{shortened(text)!r} is neither true nor false. Leave it empty for the default."
            )
            problems.append(Problem(message, number, name))
        booleans[name] = text in _TRUE if text else None
    overrides, message = _node_overrides(plain_text(cell_text(cells.get("node_overrides"))))
    if message:
        problems.append(Problem(message, number, "node_overrides"))
    if problems:
        return None, problems
    prompt = plain_text(cell_text(cells.get("prompt")))
    options = {name: booleans[name] for name in BOOLEAN_COLUMNS[1:] if booleans[name] is not None}
    try:
        request = ImageAdRequest(
            **fields,
            prompt=prompt if prompt.strip() else None,
            editable=bool(booleans["editable"]),
            options=ImageAdOptions(**options) if options else None,
            node_overrides=overrides,
        )
    except pydantic.ValidationError as error:
        return None, [
            Problem(e["msg"], number, str(e["loc"][0]) if e["loc"] else None)
            for e in error.errors(include_url=False, include_input=False)
        ]
    return request, []


def plain_text(text: str) -> str:
    """Text with one kind of line break and no control characters.

    Some table formats cannot hold the others; and a row that was read back from its own result
    table must ask for the same ad, or it would be paid for twice.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows import plain_text

        assert plain_text("one\\r\\ntwo\\x07") == "one\\ntwo"
        ```
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL_CHARACTERS.sub("", text)


def _id_problem(name: str, text: str) -> str | None:
    prefix, thing = ID_COLUMNS[name]
    if not text:
        if name not in REQUIRED_COLUMNS:
            return None
        return f"is empty. It needs the id of {thing}, {prefix}…."
    if text.startswith(prefix) and len(text) > len(prefix):
        if _ID.fullmatch(text):
            return None
        return f"{shortened(text)!r} holds characters that no id has."
    others = [(c, what) for c, (p, what) in ID_COLUMNS.items() if text.startswith(p)]
    if others:
        column, what = others[0]
        return (
            f"{shortened(text)!r} is the id of {what}, not of {thing} ({prefix}…). "
            f"Was it meant for {column}?"
        )
    return f"{shortened(text)!r} is not the id of {thing}; that starts with {prefix}."


def _node_overrides(text: str) -> tuple[dict[str, dict[str, Any]] | None, str | None]:
    if not text.strip():
        return None, None
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        return None, f"is no JSON: {error}. It looks like {_OVERRIDES_EXAMPLE}"
    if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
        return None, f"must be a JSON object of objects, such as {_OVERRIDES_EXAMPLE}"
    return value or None, None


_OVERRIDES_EXAMPLE: Final = '{"NODE_ID": {"characters": "Sale"}}'


def row_identity(which: str, sent: str) -> str:
    """What stands for a row in keys and tables: 16 hexadecimal digits.

    Args:
        which: Which of the rows that ask for the same.
        sent: What it asks for.
    """
    return _digest(which, sent)[:_ID_DIGITS]


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
