"""Catalogues to make a starter of, and what the drop-downs of its workbook offer."""

from __future__ import annotations

import io
import re
from typing import Any

import openpyxl

from prefect_staticadslab.api.resources import (
    Audience,
    Brand,
    DesignTemplate,
    Product,
)
from prefect_staticadslab.campaign.catalogue_tables.report import CatalogueContent
from prefect_staticadslab.campaign.catalogue_tables.starter import (
    Starter,
)
from prefect_staticadslab.campaign.catalogue_tables.starter_workbook import (
    encode_starter,
)
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    TEMPLATE,
    VARIANT,
)


def template(identifier: str, **known: Any) -> DesignTemplate:
    return DesignTemplate(id=identifier, status="completed", **known)


def content(**instead: tuple[Any, ...]) -> CatalogueContent:
    resources: dict[str, tuple[Any, ...]] = {
        "brand": (Brand(id="brand_1", name="Tea"),),
        "product": (Product(id="prod_1", name="Green", brand_id="brand_1"),),
        "product_variant": (),
        "audience": (Audience(id="aud_1", name="Readers", product_id="prod_1"),),
        "design_template": (template("dt_1", ad_format="Sale"),),
    }
    resources |= instead
    kinds = {kind.name: kind for kind in (BRAND, PRODUCT, VARIANT, AUDIENCE, TEMPLATE)}
    return CatalogueContent({kinds[name]: listed for name, listed in resources.items()})


def choices(book: Any, column: str, brand: str, product: str = "") -> list[str]:
    """What a row's drop-down offers, worked out as a spreadsheet program does it."""
    lists = [[cell.value for cell in line] for line in book["Lists"].columns]
    formula = drop_downs_of(book)[column]
    place = ord(re.findall(r"Lists!\$([A-L])\$", formula)[0]) - ord("A")
    if not formula.startswith("OFFSET"):
        return [value for value in lists[place][2:] if value is not None]
    names = {"A": brand, "E": brand, "D": product}

    def part(text: str) -> int:
        tests = re.findall(r"\(Lists!\$([A-L])\$3:\$[A-L]\$\d+=\$[BC]2\)", text)
        (counted,) = re.findall(r"\*Lists!\$([A-L])\$", text)
        return sum(
            lists[ord(counted) - ord("A")][row] or 0
            for row in range(2, len(lists[0]))
            if all(
                str(lists[ord(test) - ord("A")][row]).casefold() == names[test].casefold()
                for test in tests
            )
        )

    begins, counts = re.findall(r"SUMPRODUCT\((.*?\$\d+)\)(?=,0|\)|,)", formula)
    begin, count = part(begins), max(1, part(counts))
    return [value for value in lists[place][1 + begin : 1 + begin + count] if value is not None]


def drop_downs_of(book: Any) -> dict[str, str]:
    header = [cell.value for cell in book["Campaign"][1]]
    validations = book["Campaign"].data_validations.dataValidation
    return {
        header[next(iter(rule.sqref.ranges)).min_col - 1]: rule.formula1 for rule in validations
    }


def encoded(starter: Starter) -> Any:
    return openpyxl.load_workbook(
        io.BytesIO(encode_starter(starter, {}, name="a b.xlsx", day="2026-11-26"))
    )
