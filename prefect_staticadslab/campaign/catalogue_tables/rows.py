"""A table of resources to create: brands, products, variants and audiences, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from types import UnionType
from typing import Any, Final

from prefect_staticadslab.campaign.catalogue_tables.report import table_name
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    normalized,
    plain_text,
    shortened,
)
from prefect_staticadslab.campaign.files.formats.workbooks.format_detection import is_workbook
from prefect_staticadslab.campaign.files.formats.workbooks.workbook import (
    read_workbook,
    sheet_names,
)
from prefect_staticadslab.campaign.files.formulas import unescape
from prefect_staticadslab.campaign.files.google_sheets import WORKBOOK_ENDINGS
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.rows.cell_values import wrong_cell_problems
from prefect_staticadslab.campaign.rows.columns import (
    column_positions,
    repeated_column_problems,
)
from prefect_staticadslab.campaign.rows.header_hints import (
    LIKE,
    Hints,
    not_read_message,
    without_remark,
)
from prefect_staticadslab.campaign.rows.json_cells import JsonCellError, read_json
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    VARIANT,
    ResourceType,
)

CREATED_TYPES: Final = (BRAND, PRODUCT, VARIANT, AUDIENCE)
"""The types that can be created, in the order in which they are: parents first."""

PARENT_COLUMNS: Final = ("brand", "brand_id", "product", "product_id")
FIELD_COLUMNS: Final[Mapping[ResourceType, tuple[str, ...]]] = {
    BRAND: ("description", "color_palettes", "fonts", "details"),
    PRODUCT: ("description", "details"),
    VARIANT: ("sort_order",),
    AUDIENCE: ("description", "details"),
}
_ALL_FIELDS: Final = tuple(dict.fromkeys(f for fields in FIELD_COLUMNS.values() for f in fields))
KNOWN_COLUMNS: Final = frozenset(("kind", "name", *PARENT_COLUMNS, *_ALL_FIELDS))


@dataclass(frozen=True, eq=False)
class ResourceRow:
    """A row of a table: a resource that the catalogue should have.

    Attributes:
        resource_type: Its type.
        name: Its name; "" in a row that is wrong.
        row_number: The row's number as a spreadsheet program shows it.
        sheet: The name of the sheet that it is in; "" if only one sheet is read.
        parents: The row's texts in `PARENT_COLUMNS`, by column; without empty ones.
        fields: Its other fields, as the API takes them.
    """

    resource_type: ResourceType
    name: str
    row_number: int
    sheet: str = ""
    parents: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)

    def problem(self, message: str, column: str | None = None) -> Problem:
        """A problem of this row, with the sheet's name in its message."""
        return Problem(_in_sheet(message, self.sheet), self.row_number, column)


def read_resource_rows(location: str) -> list[ResourceRow]:
    """Reads a table of resources: a .csv or .tsv with a column `kind`; or an .xlsx, either such a
    table or with a sheet for each type, named as the types are in a column `kind`: `brands`,
    `products`, `product_variants` and `audiences`.

    Returns:
        The rows, parents first.

    Raises:
        SpreadsheetError: With all problems of all rows; or a sheet's name is mistyped.
        StorageError: It cannot be read.

    Example:
        ```python
        from pathlib import Path
        from prefect_staticadslab.campaign.catalogue_tables.rows import read_resource_rows

        Path("new.csv").write_text(
            "kind,name,brand,fonts\\nbrand,Tidewater Tea,,\\"Inter, Lora\\"\\n"
            "product,Sea Fennel Infusion,Tidewater Tea,\\n"
        )
        brand, product = read_resource_rows("new.csv")
        assert brand.fields == {"fonts": [{"name": "Inter"}, {"name": "Lora"}]}
        assert product.parents == {"brand": "Tidewater Tea"}
        ```
    """
    sheets: dict[str, ResourceType] = {}
    content = b""
    if storage.suffix(location) in WORKBOOK_ENDINGS:
        content = storage.read_bytes(location)
    if is_workbook(content):
        types_by_sheet = {name: _parse_resource_type(name) for name in sheet_names(content)}
        sheets = {name: each for name, each in types_by_sheet.items() if each is not None}
    if not sheets:
        spreadsheet = read_spreadsheet(location, known_columns=KNOWN_COLUMNS)
        rows, problems = _read_table(spreadsheet, None, "")
    else:
        rows, problems = [], _mistyped_sheets(types_by_sheet.keys() - sheets.keys())
        for name, resource_type in sheets.items():
            spreadsheet = read_workbook(content, sheet=name, may_be_empty=True)
            sheet_rows, sheet_problems = _read_table(
                spreadsheet, resource_type, name if len(sheets) > 1 else ""
            )
            rows, problems = rows + sheet_rows, problems + sheet_problems
    if problems:
        raise SpreadsheetError(problems)
    return sorted(rows, key=lambda row: CREATED_TYPES.index(row.resource_type))


def _read_table(
    spreadsheet: Spreadsheet, resource_type: ResourceType | None, sheet: str
) -> tuple[list[ResourceRow], list[Problem]]:
    """Reads the rows of one table.

    Args:
        spreadsheet: What was read.
        resource_type: The type of all rows that say none; None if each row has to.
        sheet: The sheet's name, for messages; "" if only one sheet is read.

    Returns:
        The rows that can be read, and what is wrong with rows or with the header.
    """
    header, header_row = spreadsheet.header, spreadsheet.header_row
    found = column_positions(header, KNOWN_COLUMNS)
    required = ["name"] if resource_type else ["kind", "name"]
    problems = [
        *(
            Problem(f"The column {name} is missing.", row=header_row)
            for name in required
            if name not in found
        ),
        *repeated_column_problems(header, found, header_row),
        *Hints.for_header(header, found, KNOWN_COLUMNS).problems(header_row),
    ]
    rows: list[ResourceRow] = []
    if not problems:
        for number, line in zip(spreadsheet.row_numbers, spreadsheet.lines, strict=True):
            cells = {
                name: unescape(plain_text(cell_text(line[places[0]])).strip())
                for name, places in found.items()
            }
            row, row_problems = _read_row(cells, resource_type, number)
            problems += row_problems
            if row is not None:
                rows.append(replace(row, sheet=sheet))
    return rows, [replace(p, message=_in_sheet(p.message, sheet)) for p in problems]


def _read_row(
    cells: Mapping[str, str], resource_type: ResourceType | None, number: int
) -> tuple[ResourceRow | None, list[Problem]]:
    """A row as a resource to create, and what is wrong with it; None if its type is not known, or a
    cell holds an error of a formula or garbled text.

    Args:
        cells: The texts of its cells, by column.
        resource_type: The type of the rows of its sheet that say none; None if each has to.
        number: The row's number, for messages.
    """
    if errors := wrong_cell_problems(number, cells):
        return None, errors
    kind = cells.get("kind", "")
    resource_type = _parse_resource_type(kind) or resource_type
    if resource_type is None:
        known = ", ".join(each.name for each in CREATED_TYPES)
        says = f"says {shortened(kind)!r}" if kind else "is empty"
        return None, [Problem(f"{says}. It holds one of {known}.", number, "kind")]
    problems = []
    if not cells["name"]:
        problems.append(
            Problem(f"is empty. Each {resource_type.thing} needs a name.", number, "name")
        )
    fields: dict[str, Any] = {}
    message: str | None
    for name in _ALL_FIELDS:
        text = cells.get(name, "")
        if not text:
            continue
        if name not in FIELD_COLUMNS[resource_type]:
            message = f"says {shortened(text)!r}, but a {resource_type.thing} has no {name}."
            problems.append(Problem(message, number, name))
            continue
        value, message = _READERS.get(name, _read_text)(text)
        if message:
            problems.append(Problem(message, number, name))
        fields[name] = value
    columns = PARENT_COLUMNS[: 2 * _ancestor_count(resource_type)]
    parents = {name: cells[name] for name in columns if cells.get(name)}
    if resource_type.parent and not parents.keys() & {
        resource_type.parent,
        resource_type.parent_column,
    }:
        message = (
            f"is empty. Say which {resource_type.parent} the {resource_type.thing} belongs to: "
            "a name or an id."
        )
        problems.append(Problem(message, number, resource_type.parent))
    return ResourceRow(resource_type, cells["name"], number, "", parents, fields), problems


def _ancestor_count(resource_type: ResourceType) -> int:
    """How many parents, one above the other, a resource of a type has."""
    return 0 if resource_type is BRAND else 1 if resource_type is PRODUCT else 2


def _mistyped_sheets(names: Iterable[str]) -> list[Problem]:
    """A problem for each sheet whose name is nearly a type's, and which is not read."""
    near = [(name, _similar_type_name(_type_key(without_remark(name)))) for name in sorted(names)]
    return [
        Problem(f"The sheet {not_read_message(name, meant, 'sheet')}")
        for name, meant in near
        if meant
    ]


def _similar_type_name(key: str) -> str:
    """The name of a type that a sheet's is like, or has the letters of; "" if there is none."""
    anagrams = (name for name in _TYPES_BY_NAME if sorted(name) == sorted(key))
    near = get_close_matches(key, _TYPES_BY_NAME, 1, LIKE)
    return next(anagrams, near[0] if near else "")


def _parse_resource_type(text: str) -> ResourceType | None:
    """The type that a cell or a sheet names, also in the plural; None if it names none."""
    return _TYPES_BY_NAME.get(_type_key(text))


def _type_key(text: str) -> str:
    """The name of a type to be compared, without case and with underscores."""
    return normalized(text).replace(" ", "_").replace("-", "_")


_TYPES_BY_NAME: Final[Mapping[str, ResourceType]] = {
    **{name: each for each in CREATED_TYPES for name in (each.name, table_name(each))},
    "variant": VARIANT,
    "variants": VARIANT,
}
"""The types that can be created, by their names and those of their tables."""

_ValueOrMessage = tuple[Any, str | None]
"""A cell's value and None; or None and the message that says what is wrong with the cell."""


def _read_text(text: str) -> _ValueOrMessage:
    return text, None


def _read_json_of_type(text: str, expected: type[Any] | UnionType, what: str) -> _ValueOrMessage:
    """A cell's JSON value, if it is of a Python type.

    Args:
        text: The cell's text.
        expected: The Python type.
        what: What such a value looks like, for the message.
    """
    try:
        value = read_json(text)
    except JsonCellError as error:
        return None, f"{error}."
    return (value, None) if isinstance(value, expected) else (None, f"is JSON, but not {what}.")


def _read_details(text: str) -> _ValueOrMessage:
    return _read_json_of_type(text, dict, 'an object like {"tone": "dry"}')


def _read_palettes(text: str) -> _ValueOrMessage:
    return _read_json_of_type(text, dict | list, 'an object like {"main": ["#12372A"]}, nor a list')


def _read_fonts(text: str) -> _ValueOrMessage:
    """Fonts as a JSON list, or their names with commas between them."""
    if text.startswith("["):
        return _read_json_of_type(text, list, 'a list like [{"name": "Inter"}]')
    return [{"name": name.strip()} for name in text.split(",") if name.strip()], None


def _read_whole_number(text: str) -> _ValueOrMessage:
    try:
        return int(text), None
    except ValueError:
        return None, f"{shortened(text)!r} is no whole number."


_READERS: Final = {
    "details": _read_details,
    "color_palettes": _read_palettes,
    "fonts": _read_fonts,
    "sort_order": _read_whole_number,
}
"""What reads a column's cells; any other column's cells are texts."""


def _in_sheet(message: str, sheet: str) -> str:
    """A message with the name of the sheet that it is about, if there is any."""
    return f"{message} (sheet {sheet})" if sheet else message
