"""What a table wants in the catalogue: brands, products, variants and audiences, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import UnionType
from typing import Any, Final

from prefect_staticadslab.campaign.catalogue_tables.report import plural
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
from prefect_staticadslab.campaign.files.formulas import as_written
from prefect_staticadslab.campaign.files.google_sheets import WORKBOOK_ENDINGS
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.rows.json_cells import JsonCellError, read_json
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    VARIANT,
    ResourceType,
)

CREATED_KINDS: Final = (BRAND, PRODUCT, VARIANT, AUDIENCE)
"""In the order in which they are created: parents first."""

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
        kind: Of which kind.
        name: Its name.
        row: The row's number as a spreadsheet program shows it.
        sheet: The sheet that it is in, if there are several.
        parents: What the row says of brand and product, by column.
        fields: Its other fields, as the API takes them.
    """

    kind: ResourceType
    name: str
    row: int
    sheet: str = ""
    parents: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)

    def problem(self, message: str, column: str | None = None) -> Problem:
        """Something that is wrong with this row."""
        return Problem(_in_sheet(message, self.sheet), self.row, column)


def read_resource_rows(location: str) -> list[ResourceRow]:
    """Reads a table of resources: a .csv or .tsv with a column `kind`; or an .xlsx, either such a
    table or with a sheet for each kind, named `brands`, `products`, `product_variants` and
    `audiences`.

    Raises:
        SpreadsheetError: With all problems of all rows.
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
        kinds = {plural(kind): kind for kind in CREATED_KINDS}
        for name in sheet_names(content):
            kind = kinds.get(normalized(name).replace(" ", "_").replace("-", "_"))
            if kind is not None:
                sheets[name] = kind
    if not sheets:
        spreadsheet = read_spreadsheet(location, known_columns=KNOWN_COLUMNS)
        rows, problems = _read_table(spreadsheet, None, "")
    else:
        rows, problems = [], []
        for name, kind in sheets.items():
            spreadsheet = read_workbook(content, sheet=name, may_be_empty=True)
            sheet_rows, sheet_problems = _read_table(
                spreadsheet, kind, name if len(sheets) > 1 else ""
            )
            rows, problems = rows + sheet_rows, problems + sheet_problems
    if problems:
        raise SpreadsheetError(problems)
    return sorted(rows, key=lambda row: CREATED_KINDS.index(row.kind))


def _read_table(
    spreadsheet: Spreadsheet, kind: ResourceType | None, sheet: str
) -> tuple[list[ResourceRow], list[Problem]]:
    """The rows of one table, all of one kind or each of its own, and what is wrong with them."""
    names = list(map(normalized, spreadsheet.header))
    required = ["name"] if kind else ["kind", "name"]
    problems = [
        Problem(_in_sheet(f"The column {name} is missing.", sheet), row=1)
        for name in required
        if name not in names
    ]
    if problems:
        return [], problems
    rows = []
    for number, line in zip(spreadsheet.row_numbers, spreadsheet.lines, strict=True):
        cells = {
            name: as_written(plain_text(cell_text(value)).strip())
            for name, value in reversed(list(zip(names, line, strict=True)))
            if name in KNOWN_COLUMNS
        }
        row, wrong = _read_row(cells, kind, number)
        problems += [replace(p, message=_in_sheet(p.message, sheet)) for p in wrong]
        if row is not None:
            rows.append(replace(row, sheet=sheet))
    return rows, problems


def _read_row(
    cells: Mapping[str, str], kind: ResourceType | None, number: int
) -> tuple[ResourceRow | None, list[Problem]]:
    """A row as a resource to create, as far as it can be read, and what is wrong with it.

    Args:
        cells: Its cells, by column.
        kind: What all rows of its sheet are; None if the row says so itself.
        number: The row's number, for messages.
    """
    if kind is None:
        kind = _type_of(cells["kind"])
        if kind is None:
            known = ", ".join(k.name for k in CREATED_KINDS)
            says = f"says {shortened(cells['kind'])!r}" if cells["kind"] else "is empty"
            return None, [Problem(f"{says}. It holds one of {known}.", number, "kind")]
    problems = []
    if not cells["name"]:
        problems.append(Problem(f"is empty. Each {kind.thing} needs a name.", number, "name"))
    fields: dict[str, Any] = {}
    message: str | None
    for name in _ALL_FIELDS:
        text = cells.get(name, "")
        if not text:
            continue
        if name not in FIELD_COLUMNS[kind]:
            message = f"says {shortened(text)!r}, but a {kind.thing} has no {name}."
            problems.append(Problem(message, number, name))
            continue
        value, message = _READERS.get(name, _as_text)(text)
        if message:
            problems.append(Problem(message, number, name))
        fields[name] = value
    columns = PARENT_COLUMNS[: 2 * (_depth(kind))]
    parents = {name: cells[name] for name in columns if cells.get(name)}
    if kind.parent and not parents.keys() & {kind.parent, kind.parent_column}:
        message = f"is empty. Say which {kind.parent} the {kind.thing} belongs to: a name or an id."
        problems.append(Problem(message, number, kind.parent))
    return ResourceRow(kind, cells["name"], number, "", parents, fields), problems


def _depth(kind: ResourceType) -> int:
    """How many parents it has, one above the other."""
    return 0 if kind is BRAND else 1 if kind is PRODUCT else 2


def _type_of(text: str) -> ResourceType | None:
    name = normalized(text).replace(" ", "_").replace("-", "_")
    aliases = {"variant": VARIANT, "variants": VARIANT}
    names = {n: kind for kind in CREATED_KINDS for n in (kind.name, plural(kind))}
    return {**names, **aliases}.get(name)


_Read = tuple[Any, str | None]


def _as_text(text: str) -> _Read:
    return text, None


def _json(text: str, kind: type[Any] | UnionType, what: str) -> _Read:
    try:
        value = read_json(text)
    except JsonCellError as error:
        return None, f"{error}."
    return (value, None) if isinstance(value, kind) else (None, f"is JSON, but not {what}.")


def _details(text: str) -> _Read:
    return _json(text, dict, 'an object like {"tone": "dry"}')


def _palettes(text: str) -> _Read:
    return _json(text, dict | list, 'an object like {"main": ["#12372A"]}, nor a list')


def _fonts(text: str) -> _Read:
    if text.startswith("["):
        return _json(text, list, 'a list like [{"name": "Inter"}]')
    return [{"name": name.strip()} for name in text.split(",") if name.strip()], None


def _whole_number(text: str) -> _Read:
    try:
        return int(text), None
    except ValueError:
        return None, f"{shortened(text)!r} is no whole number."


_READERS: Final = {
    "details": _details,
    "color_palettes": _palettes,
    "fonts": _fonts,
    "sort_order": _whole_number,
}


def _in_sheet(message: str, sheet: str) -> str:
    return f"{message} (sheet {sheet})" if sheet else message
