"""What is wrong with a table of additions is told with row, column and sheet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from prefect_staticadslab import Brand, Product, StaticAdsLabClient
from prefect_staticadslab.campaign.catalogue_tables.additions import (
    plan_additions,
    types_to_read,
)
from prefect_staticadslab.campaign.catalogue_tables.report import (
    read_catalogue,
)
from prefect_staticadslab.campaign.catalogue_tables.rows import read_resource_rows
from prefect_staticadslab.campaign.errors import SpreadsheetError
from tests.flows.catalog.tables import table_of, write_xlsx


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (table_of("name,brand", "A,B"), ["Row 1: The column kind is missing."]),
        (
            table_of("kind,name,brand", "brand,,", "shop,A,", ",A,", "product,A,"),
            [
                "Row 2, column name: is empty. Each brand needs a name.",
                "Row 3, column kind: says 'shop'. It holds one of",
                "Row 4, column kind: is empty. It holds one of",
                "Row 5, column brand: is empty. Say which brand the product belongs to",
            ],
        ),
        (
            table_of("kind;name;details;sort_order", "brand;A;tone;", "brand;B;[1];3"),
            [
                "Row 2, column details: is no JSON",
                "Row 3, column details: is JSON, but not an object",
                "Row 3, column sort_order: says '3', but a brand has no sort_order.",
            ],
        ),
        (
            table_of("kind,name,product,sort_order", "variant,A,P,first"),
            ["Row 2, column sort_order: 'first' is no whole number."],
        ),
        (
            table_of(
                "kind;name;details;color_palettes;fonts",
                "brand;A;;[NaN];",
                'brand;B;{"a":1e999};;',
                'brand;C;{"a":"\\ud800"};;',
                f"brand;D;;;{'[' * 300}{']' * 300}",
                f'brand;E;{{"a":{"[" * 100_000};;',
            ),
            [
                "Row 2, column color_palettes: is no JSON: it holds NaN",
                "Row 3, column details: is no JSON that can be sent: 1e999 is too large",
                "Row 4, column details: is no JSON: it holds half of a character, \\ud800.",
                "Row 5, column fonts: is no JSON that can be sent: it is nested more than 100",
                "Row 6, column details: is no JSON that can be sent: it is nested more than 100",
            ],
        ),
        (
            table_of(
                "kind,name,brand,description",
                "brand,#N/A,,#REF!",
                "#NAME?,A,,",
                "product,A,#WERT!,",
                "product,#1 A,B,#N/A is fine",
            ),
            [
                "Row 2, column name: holds #N/A, an error of a formula",
                "Row 2, column description: holds #REF!, an error of a formula",
                "Row 3, column kind: holds #NAME?, an error of a formula",
                "Row 4, column brand: holds #WERT!, an error of a formula",
            ],
        ),
        (
            table_of("kind,name,descripton,Font,sku", "brand,A,x,Inter,1"),
            [
                "Row 1: 'descripton' is not read. Did you mean description?",
                "Row 1: 'Font' is not read. Did you mean fonts?",
            ],
        ),
        (
            table_of("kind,name,Brand,brand", "product,A,B,C"),
            ["Row 1, column brand: is there twice, as 'Brand' and 'brand'."],
        ),
    ],
)
def test_all_that_is_wrong_with_a_table_is_told_with_row_and_column(
    tmp_path: Path, write: Callable[[Path], str], says: list[str]
) -> None:
    with pytest.raises(SpreadsheetError) as refused:
        read_resource_rows(write(tmp_path))
    told = str(refused.value).splitlines()
    assert len(told) == len(says)
    assert all(line.startswith(said) for line, said in zip(told, says, strict=True))


def test_columns_are_found_however_people_write_them(tmp_path: Path) -> None:
    header = "Kind,NAME,Brand ID,sort-order,Color Palettes"
    table = table_of(header, "variant,A,brand_1,3,", 'brand,B,,,"{}"')(tmp_path)
    with pytest.raises(SpreadsheetError, match="Say which product the product variant belongs to"):
        read_resource_rows(table)
    table = table_of(header, "product,A,brand_1,,", 'brand,B,,,"{}"')(tmp_path)
    brand, product = read_resource_rows(table)
    assert brand.fields == {"color_palettes": {}}
    assert product.parents == {"brand_id": "brand_1"}


def test_sheets_are_found_in_the_singular_too_and_a_row_may_say_its_own_kind(
    tmp_path: Path,
) -> None:
    sheets: dict[str, list[list[str | None]]] = {
        "Brand": [["name", "kind", "brand"], ["A", None, None], ["P", "product", "A"]],
        "Variants": [["name", "product"], ["V", "P"]],
        "Audience": [["name", "product"], ["N", "P"]],
    }
    rows = read_resource_rows(write_xlsx(tmp_path / "new.xlsx", sheets))
    assert [(row.resource_type.thing, row.name, row.sheet) for row in rows] == [
        ("brand", "A", "Brand"),
        ("product", "P", "Brand"),
        ("product variant", "V", "Variants"),
        ("audience", "N", "Audience"),
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *(("Prodcuts", "products"), ("brandss", "brands"), ("Audience s", "audiences")),
        *(("product_varaints", "product_variants"), ("Brads", "brands"), ("Brnad", "brand")),
        *(("Variant s", "variants"), ("Prodcut", "product"), ("Products (new)", "products")),
    ],
)
def test_a_sheet_whose_name_is_mistyped_is_told(tmp_path: Path, name: str, meant: str) -> None:
    sheets: dict[str, list[list[str | None]]] = {
        "brands": [["name"], ["Tidewater Tea"]],
        name: [["name", "brand", "product"], ["Sea Fennel", "Tidewater Tea", None]],
    }
    place = write_xlsx(tmp_path / "new.xlsx", sheets)
    with pytest.raises(SpreadsheetError) as refused:
        read_resource_rows(place)
    assert str(refused.value).startswith(
        f"The sheet {name!r} is not read. Did you mean {meant}? Then rename it;"
    )


@pytest.mark.parametrize(
    "name", ["Notes", "Productions", "Product images", "Old products", "Sheet1"]
)
def test_a_sheet_of_ones_own_is_left_alone(tmp_path: Path, name: str) -> None:
    sheets: dict[str, list[list[str | None]]] = {
        "brands": [["name"], ["Tidewater Tea"]],
        name: [["anything"], ["else"]],
    }
    (row,) = read_resource_rows(write_xlsx(tmp_path / "new.xlsx", sheets))
    assert row.name == "Tidewater Tea"


def test_the_only_sheet_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    sheets: dict[str, list[list[str | None]]] = {
        "Productos": [["kind", "name"], ["brand", "Tidewater Tea"]]
    }
    (row,) = read_resource_rows(write_xlsx(tmp_path / "new.xlsx", sheets))
    assert row.name == "Tidewater Tea"


def test_a_problem_says_in_which_sheet_it_is(tmp_path: Path) -> None:
    sheets: dict[str, list[list[str | None]]] = {
        "brands": [["name"], ["A"]],
        "products": [["name", "brand"], [None, "A"]],
    }
    with pytest.raises(SpreadsheetError, match=r"Row 2, .* \(sheet products\)"):
        read_resource_rows(write_xlsx(tmp_path / "new.xlsx", sheets))


async def test_parents_that_are_nowhere_or_several_and_rows_that_are_there_twice_are_told(
    client: StaticAdsLabClient, tmp_path: Path
) -> None:
    table = table_of(
        "kind,name,brand,brand_id,product",
        "product,A,Harbour Roast,,",
        "product,A,,brand_none,",
        "brand,New,,,",
        "brand,NEW,,,",
        "product,Cold Brew Kit,New,,",
        "audience,All,,,Cold Brew Kit",
        "audience,All,Harbor Roast,,Cold Brew Kit",
    )(tmp_path)
    wanted = read_resource_rows(table)
    content = await read_catalogue(client, await client.get_account(), types_to_read(wanted))
    with pytest.raises(SpreadsheetError) as refused:
        plan_additions(wanted, content)
    assert {str(problem).split(".")[0] for problem in refused.value.problems} == {
        "Row 2, column brand: There is no brand 'Harbour Roast', neither in the catalogue nor in "
        "this file",
        "Row 3, column brand_id: There is no brand 'brand_none', neither in the catalogue nor in "
        "this file",
        "Row 5, column name: 'NEW' is also in row 4",
        "Row 7, column product: There are 2 products called 'Cold Brew Kit'",
    }


async def test_a_parents_id_and_name_that_contradict_each_other_are_told(
    client: StaticAdsLabClient, tmp_path: Path
) -> None:
    brands = [brand async for brand in client.list_resources(Brand)]
    (harbor,) = (brand.id for brand in brands if brand.name == "Harbor Roast")
    other = next(brand for brand in brands if brand.id != harbor)
    products = [product async for product in client.list_resources(Product)]
    kit = next(product for product in products if product.brand_id == harbor)
    table = table_of(
        "kind,name,brand,brand_id,product,product_id",
        f"product,A,{other.name},{harbor},,",
        f"product,B,harbor  ROAST,{harbor},,",
        f"product,C,{harbor},{harbor},,",
        f"audience,D,,,None such,{kit.id}",
        f"audience,E,{other.name},,,{kit.id}",
        f"variant,F,,{other.id},,{kit.id}",
        f"variant,G,Harbor Roast,{harbor},{kit.name},{kit.id}",
        f"audience,H,{other.name},{harbor},{kit.name},",
    )(tmp_path)
    wanted = read_resource_rows(table)
    content = await read_catalogue(client, await client.get_account(), types_to_read(wanted))
    with pytest.raises(SpreadsheetError) as refused:
        plan_additions(wanted, content)
    of_harbor = "is of the brand 'Harbor Roast', but"
    assert {str(problem) for problem in refused.value.problems} == {
        f"Row 2, column brand_id: {of_harbor} brand says {other.name!r}. Clear one of them.",
        f"Row 5, column product_id: is of the product {kit.name!r}, but product says 'None such'. "
        "Clear one of them.",
        f"Row 6, column product_id: {of_harbor} brand says {other.name!r}. Clear one of them.",
        f"Row 7, column product_id: {of_harbor} brand_id says {other.id!r}. Clear one of them.",
        f"Row 9, column brand_id: {of_harbor} brand says {other.name!r}. Clear one of them.",
    }
