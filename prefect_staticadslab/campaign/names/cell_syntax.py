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
    """All completed design templates that are like this: pairs of a key and a value."""

    conditions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Everything:
    """All that there are."""


Value: TypeAlias = ById | ByName | ByFilter | Everything


@dataclass(frozen=True)
class Selector:
    """What a row says of one kind of resource.

    Attributes:
        column: The column that says it.
        values: What is asked for; nothing, for a product variant that may be left out.
        whole: The whole cell, which may be one name in spite of a separator in it; "" for ids.
        claim: What the names' column says beside the ids.
    """

    column: str
    values: tuple[Value, ...] = ()
    whole: str = ""
    claim: str = ""

    @property
    def is_several(self) -> bool:
        """Whether it may stand for more than one resource."""
        return len(self.values) > 1 or not all(isinstance(v, ById | ByName) for v in self.values)

    @property
    def needs_list(self) -> bool:
        """Whether the resources can only be told with the API's list: a name, a filter or `*`."""
        return not all(isinstance(value, ById) for value in self.values)


CellProblem: TypeAlias = tuple[str, str]
"""A column, and what is wrong with its cell."""


def read_selector(
    kind: ResourceType, id_text: str, name_text: str, *, named: bool
) -> tuple[Selector, list[CellProblem]]:
    """What a row's two cells of a kind say, and what is wrong with them.

    Args:
        kind: Of which kind.
        id_text: The cell of the ids' column.
        name_text: The cell of the names' column.
        named: Whether there is a names' column.

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
    id_parts, name_parts = parts_of(id_text), parts_of(name_text)
    for column, parts in ((kind.id_column, id_parts), (kind.name, name_parts)):
        if len(parts) > CELL_VALUES:
            return Selector(column), [(column, _too_many_values_message(len(parts)))]
    if not id_parts and not name_parts:
        column = kind.name if named else kind.id_column
        return Selector(column), _empty_cell_problems(kind, named=named)
    column = kind.id_column if id_parts else kind.name
    if kind is TEMPLATE:
        values, wrong = _read_values(kind, column, id_parts or name_parts)
        if (
            id_parts
            and name_parts
            and set(_read_values(kind, kind.name, name_parts)[0]) != set(values)
        ):
            says = f"but {kind.name} says {shortened(name_text)!r}. Clear one of them."
            wrong.append((column, f"says {shortened(id_text)!r}, {says}"))
        return Selector(column, values), wrong
    if id_parts:
        values, wrong = _read_values(kind, column, id_parts)
        claim = "" if not name_parts or name_parts == id_parts else name_text.strip()
        return Selector(column, values, claim=claim), wrong
    names = tuple(Everything() if part == ALL else ByName(part) for part in name_parts)
    wrong = [_all_brands_problem(column)] if kind is BRAND and ALL in name_parts else []
    return Selector(column, names, whole=name_text.strip()), wrong


def parts_of(text: str) -> list[str]:
    """A cell's values, one by one, without what nobody sees.

    Example:
        ```python
        from prefect_staticadslab.campaign.names.cell_syntax import parts_of

        assert parts_of("Commuters | Home baristas |") == ["Commuters", "Home baristas"]
        ```
    """
    parts = (part.strip() for part in INVISIBLE.sub("", text).split(SEPARATOR))
    return [part for part in parts if part]


def _too_many_values_message(count: int) -> str:
    return (
        f"has {count:,} values with {SEPARATOR} between them, and a cell has {CELL_VALUES:,} at "
        "most. Share them out between several rows."
    )


def _empty_cell_problems(kind: ResourceType, *, named: bool) -> list[CellProblem]:
    if kind.id_column not in REQUIRED_COLUMNS:
        return []
    if not named:
        return [(kind.id_column, wrong_id_message(kind, "") or "")]
    if kind is TEMPLATE:
        return [(kind.name, f"is empty. It needs an id, dt_…, or a filter: {FILTER_EXAMPLE}.")]
    return [(kind.name, f"is empty. Name {kind.with_article}, or put its id here.")]


def _all_brands_problem(column: str) -> CellProblem:
    return column, f"{ALL} does not stand for all brands. Name them, with {SEPARATOR} between them."


def _read_values(
    kind: ResourceType, column: str, parts: list[str]
) -> tuple[tuple[Value, ...], list[CellProblem]]:
    """The values that an id column's cell holds, and what is wrong with them."""
    values: list[Value] = []
    wrong: list[CellProblem] = []
    for part in parts:
        message: str | None = None
        if part == ALL:
            values.append(Everything())
            wrong += [_all_brands_problem(column)] if kind is BRAND else []
        elif kind is TEMPLATE and "=" in part:
            conditions, message = _read_conditions(part)
            values.append(ByFilter(conditions))
        else:
            message = wrong_id_message(kind, part)
            values.append(ById(part))
        if message:
            wrong.append((column, message))
    return tuple(values), wrong


def _read_conditions(text: str) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """A filter's conditions, and what is wrong with it."""
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
            return (), f"{key} is there twice. Several filters go side by side: {_SEVERAL}."
        conditions[key] = value
    return tuple(conditions.items()), None


_SEVERAL: Final = f"ad_format=Sale {SEPARATOR} ad_format=Bold"
