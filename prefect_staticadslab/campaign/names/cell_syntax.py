"""What a spreadsheet's cells say of brands, products and the rest: ids, names, filters, or all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from prefect_staticadslab.bounds import CELL_VALUES
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.names.nearest import Nearest
from prefect_staticadslab.campaign.rows.cell_values import INVISIBLE
from prefect_staticadslab.campaign.rows.columns import (
    FILTER_EXAMPLE,
    REQUIRED_COLUMNS,
    wrong_id_message,
)
from prefect_staticadslab.campaign.rows.resource_types import BRAND, TEMPLATE, ResourceType

SEPARATOR: Final = "|"
ALL: Final = "*"
FILTER_KEYS: Final = ("ad_format", "aspect_ratio", "industry")


@dataclass(frozen=True)
class ById:
    """The resource of this id."""

    id: str


@dataclass(frozen=True)
class ByName:
    """The resource of this name, or, if there is none, of this id."""

    name: str


@dataclass(frozen=True)
class ByFilter:
    """All completed design templates that fulfil every condition.

    Attributes:
        conditions: Pairs of one of `FILTER_KEYS` and its value.
    """

    conditions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Everything:
    """All resources of the type; of a type that belongs to another one, all of the row's parent."""


Value: TypeAlias = ById | ByName | ByFilter | Everything
"""One of a cell's values, which are separated by `|`."""


@dataclass(frozen=True)
class Selector:
    """What a row says of one type of resource.

    Attributes:
        column: The column that says it, for messages.
        values: What is asked for; empty if the row says nothing of the type, or if its cell is
            wrong.
        whole: The text of the whole cell, which may be one name that has a `|` in it; "" for ids.
        stated_names: The text of the name column where the ids are in the id column: it must agree
            with them. "" if it is empty.
    """

    column: str
    values: tuple[Value, ...] = ()
    whole: str = ""
    stated_names: str = ""

    @property
    def may_be_several(self) -> bool:
        """Whether it may stand for more than one resource."""
        return len(self.values) > 1 or not all(isinstance(v, ById | ByName) for v in self.values)

    @property
    def needs_list(self) -> bool:
        """Whether the resources can only be told with the API's list: a name, a filter or `*`."""
        return not all(isinstance(value, ById) for value in self.values)


CellProblem: TypeAlias = tuple[str, str]
"""A column, and the message about its cell."""


def read_selector(
    resource_type: ResourceType, id_text: str, name_text: str, *, named: bool
) -> tuple[Selector, list[CellProblem]]:
    """Reads what a row's id cell and name cell of a type ask for.

    Args:
        resource_type: The type.
        id_text: The text of the id column's cell.
        name_text: The text of the name column's cell.
        named: Whether the spreadsheet has a name column of this type.

    Returns:
        What is asked for, and what is wrong with the cells.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.resource_types import AUDIENCE
        from prefect_staticadslab.campaign.names.cell_syntax import (
            ByName, Everything, read_selector
        )

        selector, wrong = read_selector(AUDIENCE, "", "Commuters | *", named=True)
        assert selector.values == (ByName("Commuters"), Everything()) and wrong == []
        ```
    """
    id_parts, name_parts = split_values(id_text), split_values(name_text)
    for column, parts in ((resource_type.id_column, id_parts), (resource_type.name, name_parts)):
        if len(parts) > CELL_VALUES:
            return Selector(column), [(column, _too_many_values_message(len(parts)))]
    if not id_parts and not name_parts:
        column = resource_type.name if named else resource_type.id_column
        return Selector(column), _missing_value_problems(resource_type, named=named)
    column = resource_type.id_column if id_parts else resource_type.name
    if resource_type is TEMPLATE:
        values, wrong = _read_values(resource_type, column, id_parts or name_parts)
        if (
            id_parts
            and name_parts
            and set(_read_values(resource_type, resource_type.name, name_parts)[0]) != set(values)
        ):
            says = f"but {resource_type.name} says {shortened(name_text)!r}. Clear one of them."
            wrong.append((column, f"says {shortened(id_text)!r}, {says}"))
        return Selector(column, values), wrong
    if id_parts:
        values, wrong = _read_values(resource_type, column, id_parts)
        stated = "" if not name_parts or name_parts == id_parts else name_text.strip()
        return Selector(column, values, stated_names=stated), wrong
    names = tuple(Everything() if part == ALL else ByName(part) for part in name_parts)
    wrong = [_all_brands_problem(column)] if resource_type is BRAND and ALL in name_parts else []
    return Selector(column, names, whole=name_text.strip()), wrong


def split_values(text: str) -> list[str]:
    """A cell's values between `|`, without empty ones, spaces around them and invisible characters.

    Example:
        ```python
        from prefect_staticadslab.campaign.names.cell_syntax import split_values

        assert split_values("Commuters | Home baristas |") == ["Commuters", "Home baristas"]
        ```
    """
    parts = (part.strip() for part in INVISIBLE.sub("", text).split(SEPARATOR))
    return [part for part in parts if part]


def stands_for_several(
    text: str, selector: Selector, resource_type: ResourceType, column: str
) -> bool:
    """Whether a cell does not say by itself what one ad is of.

    True for several values, a filter or `*`; in an id column for anything but one id.

    Args:
        text: The cell's text.
        selector: What the row says of the type.
        resource_type: The type.
        column: The cell's column: the type's id column or its name column.
    """
    if column == resource_type.name:
        return selector.may_be_several or len(split_values(text)) > 1 or ALL in split_values(text)
    return selector.values != (ById(text),)


def _too_many_values_message(count: int) -> str:
    """The message for a cell with so many values."""
    return (
        f"has {count:,} values with {SEPARATOR} between them, and a cell has {CELL_VALUES:,} at "
        "most. Share them out between several rows."
    )


def _missing_value_problems(resource_type: ResourceType, *, named: bool) -> list[CellProblem]:
    """The problem of a row that says nothing of a type; none if an ad can do without it."""
    if resource_type.id_column not in REQUIRED_COLUMNS:
        return []
    if not named:
        return [(resource_type.id_column, wrong_id_message(resource_type, "") or "")]
    if resource_type is TEMPLATE:
        return [
            (resource_type.name, f"is empty. It needs an id, dt_…, or a filter: {FILTER_EXAMPLE}.")
        ]
    return [
        (resource_type.name, f"is empty. Name {resource_type.with_article}, or put its id here.")
    ]


def _all_brands_problem(column: str) -> CellProblem:
    """The problem of a `*` that stands for all brands, which is not allowed."""
    return column, f"{ALL} does not stand for all brands. Name them, with {SEPARATOR} between them."


def _read_values(
    resource_type: ResourceType, column: str, parts: list[str]
) -> tuple[tuple[Value, ...], list[CellProblem]]:
    """Reads ids, filters and `*`: the values, and what is wrong with them."""
    values: list[Value] = []
    wrong: list[CellProblem] = []
    for part in parts:
        message: str | None = None
        if part == ALL:
            values.append(Everything())
            wrong += [_all_brands_problem(column)] if resource_type is BRAND else []
        elif resource_type is TEMPLATE and "=" in part:
            conditions, message = _read_conditions(part)
            values.append(ByFilter(conditions))
        else:
            message = wrong_id_message(resource_type, part)
            values.append(ById(part))
        if message:
            wrong.append((column, message))
    return tuple(values), wrong


def _read_conditions(text: str) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """A filter's conditions as pairs of a key and a value; none, and a message, if it is wrong."""
    conditions: dict[str, str] = {}
    for condition in filter(None, map(str.strip, text.split(";"))):
        key, equals, value = (part.strip() for part in condition.partition("="))
        key = key.casefold()
        if not equals or not value:
            return (), f"{shortened(condition)!r} is no filter. One looks like {FILTER_EXAMPLE}."
        if key not in FILTER_KEYS:
            first, *others = Nearest(FILTER_KEYS).by_similarity(key)
            choices = f"{first}, {' or '.join(others)}"
            return (), f"Templates are not filtered by {shortened(key)!r}, but by {choices}."
        if key in conditions:
            return (
                (),
                f"{key} is there twice. Several filters go side by side: {_TWO_FILTERS_EXAMPLE}.",
            )
        conditions[key] = value
    return tuple(conditions.items()), None


_TWO_FILTERS_EXAMPLE: Final = f"ad_format=Sale {SEPARATOR} ad_format=Bold"
