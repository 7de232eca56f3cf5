"""The drop-downs of a spreadsheet to start from: the lists behind them, and their formulas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, Final

from prefect_staticadslab.campaign.catalogue_tables.starter import Starter

LISTS: Final = "Lists"
"""The name of the sheet with the lists."""

LONGEST_FORMULA: Final = 255
"""The most characters of a drop-down's formula; with a longer one Excel calls the file broken."""

FIRST_LIST_ROW: Final = 3
"""The row number in which the lists begin: below their header and a blank row, whose cells are
offered if nothing fits."""


def list_columns(starter: Starter) -> dict[str, Iterable[Any]]:
    """The columns of the sheet with the lists, by their headers.

    Beside each parent it says where its part of the other list begins, counted from 1, and how
    long that is.
    """
    product_counts = Counter(product.brand for product in starter.products)
    brand_parts = _begins_and_counts([product_counts[brand] for brand in starter.brands])
    audience_parts = _begins_and_counts([len(p.audiences) for p in starter.products])
    variant_parts = _begins_and_counts([len(p.variants) for p in starter.products])
    return {
        "brand": starter.brands,
        "its products from": [begin for begin, _ in brand_parts],
        "how many": [count for _, count in brand_parts],
        "product": [p.label for p in starter.products],
        "of the brand": [p.brand for p in starter.products],
        "its audiences from": [begin for begin, _ in audience_parts],
        "how many audiences": [count for _, count in audience_parts],
        "its variants from": [begin for begin, _ in variant_parts],
        "how many variants": [count for _, count in variant_parts],
        "audience": [label for p in starter.products for label in p.audiences],
        "variant": [label for p in starter.products for label in p.variants],
        "design template": [choice.label for choice in starter.templates],
    }


def _begins_and_counts(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Where each part of a list begins, counted from 1, and its length; (0, 0) for an empty part.

    Args:
        counts: The lengths of the parts, in their order in the list.
    """
    begins = accumulate(counts, initial=1)
    return [
        (begin, count) if count else (0, 0) for begin, count in zip(begins, counts, strict=False)
    ]


def drop_downs(starter: Starter) -> dict[str, str]:
    """The formulas that give the cells of row 2 of the campaign their choices, by column.

    They compare as people do, without case; functions such as MATCH and COUNTIF would take a name
    with `*`, `?` or `>` for a pattern.

    Example:
        ```python
        from prefect_staticadslab.campaign.catalogue_tables.starter import Starter
        from prefect_staticadslab.campaign.catalogue_tables.starter_lists import drop_downs

        assert drop_downs(Starter(("Tea", "Coffee"), (), ()))["brand"] == "=Lists!$A$3:$A$4"
        ```
    """
    brands, products = (max(1, len(each)) for each in (starter.brands, starter.products))
    brand = _equals("A", brands, "$B2")
    product = f"{_equals('E', products, '$B2')}*{_equals('D', products, '$C2')}"
    formulas = {
        "design_template": f"={_range('L', max(1, len(starter.templates)))}",
        "brand": f"={_range('A', brands)}",
        "product": _part_of_list("D", brand, "B", "C", brands),
        "product_variant": _part_of_list("K", product, "H", "I", products),
        "audience": _part_of_list("J", product, "F", "G", products),
    }
    assert all(len(formula) <= LONGEST_FORMULA for formula in formulas.values())  # noqa: S101
    return formulas


def _range(column: str, count: int) -> str:
    """The cells of a list with so many entries, in a column of the sheet Lists, for a formula."""
    return f"{LISTS}!${column}${FIRST_LIST_ROW}:${column}${FIRST_LIST_ROW + count - 1}"


def _equals(column: str, count: int, cell: str) -> str:
    """The part of a formula that compares each entry of a list with a cell: 1 where it is equal."""
    return f"({_range(column, count)}={cell})"


def _part_of_list(column: str, condition: str, begins: str, counts: str, rows: int) -> str:
    """The formula of the part of a list that belongs to what a row says.

    It gives the blank cell above the list if no part does.

    Args:
        column: The list's column.
        condition: A formula's part that is 1 for the entry of the parents' list that the row says.
        begins: The column beside the parents' list that says where each one's part begins, from 1.
        counts: The column that says how long each one's part is.
        rows: How many entries the parents' list has.
    """
    begin = f"SUMPRODUCT({condition}*{_range(begins, rows)})"
    count = f"SUMPRODUCT({condition}*{_range(counts, rows)})"
    return f"=OFFSET({LISTS}!${column}${FIRST_LIST_ROW - 1},{begin},0,MAX(1,{count}),1)"
