"""A spreadsheet to start from: made of the account's own catalogue, and a campaign as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.api.resources import (
    Audience,
    Brand,
    DesignTemplate,
    Product,
    ProductVariant,
)
from prefect_staticadslab.campaign.campaign import read_campaign
from prefect_staticadslab.campaign.catalogue_tables import starter as starters
from prefect_staticadslab.campaign.catalogue_tables.report import CatalogueContent
from prefect_staticadslab.campaign.catalogue_tables.starter import (
    ProductChoices,
    Starter,
    StarterError,
    starter_of,
    template_choices,
)
from prefect_staticadslab.campaign.catalogue_tables.starter_previews import read_previews
from prefect_staticadslab.campaign.catalogue_tables.starter_workbook import (
    COLUMNS,
    LONGEST_FORMULA,
    check_starter,
    drop_downs,
    encode_starter,
    write_starter,
)
from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.listings import Catalogue, Listing, ListKey
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    TEMPLATE,
    VARIANT,
)
from prefect_staticadslab.cli.commands.campaign import main as campaign_main
from prefect_staticadslab.cli.commands.catalog import main
from prefect_staticadslab.flows.catalog import catalog
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer


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


@pytest.fixture
def environment(simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAL_API_KEY", SIMULATOR_API_KEY)
    monkeypatch.setenv("SAL_BASE_URL", simulator.url)


async def test_it_offers_the_accounts_own_and_is_a_campaign_as_it_stands(
    prefect_server: dict[str, str],
    credentials: StaticAdsLabCredentials,
    client: Any,
    tmp_path: Path,
) -> None:
    place = tmp_path / "start.xlsx"
    state = await catalog("", credentials, starter=str(place), return_state=True)
    assert state.is_completed()
    assert str(state.message) == f"To start from:     {place}"
    book = openpyxl.load_workbook(place)
    assert book.sheetnames == ["Campaign", "Read me", "Templates", "Lists"]
    assert book["Lists"].sheet_state == "hidden"
    assert [cell.value for cell in book["Campaign"][1]] == list(COLUMNS)
    brands = choices(book, "brand", "")
    assert brands == ["Fernweh Outdoor", "Harbor Roast", "Lumière Skincare", "Pawsome Pantry"]
    assert "Cold Brew Kit" in choices(book, "product", "harbor roast")
    assert choices(book, "product_variant", "Fernweh Outdoor", "Trail Wool Socks") == [
        "L/XL",
        "S/M",
    ]
    assert choices(book, "product_variant", "Harbor Roast", "Gift Card") == []
    # Both brands have one.
    assert choices(book, "audience", "Harbor Roast", "Gift Card")[0] == "Commuters"
    assert choices(book, "audience", "Fernweh Outdoor", "Gift Card")[0] == "Families"
    assert choices(book, "audience", "Nobody", "Gift Card") == []
    # Only finished templates, each with its picture and what to write for it.
    templates: Any = book["Templates"]
    lines = [[cell.value for cell in line] for line in templates.iter_rows(min_row=2)]
    assert len(lines) == len(templates._images) == len(choices(book, "design_template", "")) == 4
    assert lines[0][1:5] == [
        "ad_format=Bold; aspect_ratio=1:1; industry=ecommerce",
        lines[0][2],
        "Bold",
        "1:1",
    ]
    read_me = "\n".join(str(line[1].value) for line in book["Read me"].iter_rows())
    assert "staticadslab campaign start.xlsx results.xlsx --dry-run" in read_me
    assert "{file}" not in read_me
    assert "{day}" not in read_me
    campaign = await read_campaign(Brief.open(str(place)), str(tmp_path / "out.csv"), [client])
    assert [row.request.price_usd for row in campaign.table.rows] == [1, 1]
    assert all("{" not in (row.request.prompt or "{") for row in campaign.table.rows)


def test_the_command_needs_no_output_and_leaves_alone_what_is_there(
    environment: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "start.xlsx")
    assert main(["--starter", place]) == 0
    before = Path(place).read_bytes()
    assert campaign_main([place, str(tmp_path / "out.csv"), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "To create:         2" in out
    assert "New cost:          up to 2.00 USD" in out
    assert main(["--starter", place]) == 2
    assert "somebody may have filled it in" in capsys.readouterr().err
    assert Path(place).read_bytes() == before
    with pytest.raises(SystemExit):
        main([])
    assert "name an output, or --starter FILE" in capsys.readouterr().err


def test_only_a_workbook_can_be_started_from(tmp_path: Path) -> None:
    with pytest.raises(StarterError, match=r"must end in .xlsx"):
        check_starter(str(tmp_path / "start.csv"))
    with pytest.raises(StorageError, match="There is no folder"):
        check_starter(str(tmp_path / "none" / "start.xlsx"))


async def test_a_key_that_may_not_read_all_of_it_is_told(
    prefect_server: dict[str, str],
    simulator: SimulatorServer,
    credentials: StaticAdsLabCredentials,
    tmp_path: Path,
) -> None:
    simulator.api.scopes[SIMULATOR_API_KEY] = ["brands:read", "products:read"]
    place = str(tmp_path / "start.xlsx")
    state = await catalog("", credentials, starter=place, return_state=True)
    assert "lacks the scope audiences:read and design_templates:read" in str(state.message)


# What is missing


@pytest.mark.parametrize(
    ("instead", "says"),
    [
        ({"design_template": ()}, ["no finished design template", "staticadslab design-templates"]),
        (
            {"design_template": (DesignTemplate(id="dt_1", status="processing"),)},
            ["no finished design template"],
        ),
        ({"brand": ()}, ["There is no brand", "--create"]),
        ({"product": ()}, ["No brand has a product", "--create"]),
        ({"audience": ()}, ["No product has an audience", "--create"]),
        (
            {"brand": (), "design_template": ()},
            ["no finished design template", "There is no brand"],
        ),
    ],
)
def test_an_account_that_cannot_make_an_ad_is_told_what_is_missing(
    instead: dict[str, Any], says: list[str]
) -> None:
    with pytest.raises(StarterError) as raised:
        starter_of(content(**instead))
    assert all(text in str(raised.value) for text in says)


# What is offered is read as just that


ODD_NAMES = [
    "Tea*", "T?a", "~Tea", ">5", "=1+1", "+1", "007", "1/2", "TRUE", "2026-01-01", "Tea & <Milk>",
    '"Tea"', "_x0041_", "<r>Tea</r>", "Thé vert é", "茶", "Tea\u00a0leaf", "a, b; c", "=", "-",
    "{product}", "O'Tea", "tea",
]  # fmt: skip
IDS_INSTEAD = ["*", "A | B", "'=1", "two\nlines", "tab\tbed", "", "x" * 201, "bell\x07", "|"]


def resolved(starter: Starter, listing: Catalogue, tmp_path: Path, row: int = 0) -> Any:
    """The request that a row of the workbook becomes."""
    place = str(tmp_path / "odd.xlsx")
    Path(place).unlink(missing_ok=True)
    write_starter(place, starter, {}, day="2026-11-26")
    brief = Brief.open(place)
    return Campaign.open(brief, str(tmp_path / "o.csv"), catalogue=listing).table.rows[row].request


@pytest.mark.parametrize("name", [*ODD_NAMES, *IDS_INSTEAD], ids=ascii)
def test_any_name_is_offered_as_what_a_campaign_reads_as_it(name: str, tmp_path: Path) -> None:
    brands = (Brand(id="brand_1", name=name), Brand(id="brand_2", name="Other"))
    products = (Product(id="prod_1", name=name, brand_id="brand_1"),)
    audiences = (Audience(id="aud_1", name=name, product_id="prod_1"),)
    variants = (ProductVariant(id="pv_1", name=name, product_id="prod_1"),)
    templates = (template("dt_1", ad_format=name, aspect_ratio="4:5"),)
    made = starter_of(
        content(
            brand=brands, product=products, audience=audiences, product_variant=variants,
            design_template=templates,
        )
    )  # fmt: skip
    (only,) = made.products
    assert (only.label == "prod_1") == (name in IDS_INSTEAD)
    listing = Catalogue(
        {
            ListKey(TEMPLATE): Listing(templates),
            ListKey(BRAND): Listing(brands),
            ListKey(PRODUCT, "brand_1"): Listing(products),
            ListKey(VARIANT, "prod_1"): Listing(variants),
            ListKey(AUDIENCE, "prod_1"): Listing(audiences),
        }
    )
    request = resolved(made, listing, tmp_path)
    assert (request.brand_id, request.product_id, request.audience_id) == (
        "brand_1",
        "prod_1",
        "aud_1",
    )
    assert (request.product_variant_id, request.design_template_id) == ("pv_1", "dt_1")


@pytest.mark.parametrize("names", [("Tea", "Tea"), ("Tea", "TEA"), ("Tea", " tea "), ("", "")])
def test_names_that_cannot_be_told_apart_are_offered_as_ids(names: tuple[str, str]) -> None:
    brands = tuple(Brand(id=f"brand_{n}", name=name) for n, name in enumerate(names, 1))
    made = starter_of(content(brand=brands))
    assert made.brands == ("brand_1", "brand_2")
    assert [(p.brand, p.label) for p in made.products] == [("brand_1", "Green")]


def test_templates_that_are_alike_are_offered_as_ids() -> None:
    alike = [template(f"dt_{n}", ad_format="Sale", aspect_ratio="4:5") for n in (1, 2)]
    single = template("dt_3", ad_format="Sale", aspect_ratio="1:1", industry="food")
    # Its words would stand for the others as well.
    wider = template("dt_4", ad_format="SALE")
    nothing = template("dt_5")
    odd = template("dt_6", ad_format="a=b; c")
    labels = {
        choice.template.id: choice.label
        for choice in template_choices([*alike, single, wider, nothing, odd])
    }
    assert labels == {
        "dt_1": "dt_1",
        "dt_2": "dt_2",
        "dt_3": "ad_format=Sale; aspect_ratio=1:1; industry=food",
        "dt_4": "dt_4",
        "dt_5": "dt_5",
        "dt_6": "dt_6",
    }


def test_cells_are_texts_so_that_a_chosen_name_stays_one() -> None:
    book = encoded(starter_of(content(brand=(Brand(id="brand_1", name="007"),))))
    assert book["Campaign"].column_dimensions["B"].width > 20
    styles = {cell.number_format for cell in book["Campaign"][2] if cell.value}
    assert styles == {"@"}
    assert book["Campaign"]["B2"].value == "007"


def encoded(starter: Starter) -> Any:
    import io

    return openpyxl.load_workbook(
        io.BytesIO(encode_starter(starter, {}, name="a b.xlsx", day="2026-11-26"))
    )


# Large catalogues


def large(products: int) -> CatalogueContent:
    return content(
        brand=tuple(Brand(id=f"brand_{n}", name=f"Brand {n}") for n in range(products)),
        product=tuple(
            Product(id=f"prod_{n}", name="Gift card", brand_id=f"brand_{n}")
            for n in range(products)
        ),
        audience=tuple(
            Audience(id=f"aud_{n}", name=f"Audience {n}", product_id=f"prod_{n // 2 * 2}")
            for n in range(products)
        ),
    )


def test_the_formulas_of_the_largest_catalogue_are_short_enough_for_excel() -> None:
    products = (ProductChoices("Tea", "Green"),) * starters.LISTED
    made = Starter(("Tea",) * starters.LISTED, products, ())
    assert max(map(len, drop_downs(made).values())) <= LONGEST_FORMULA


def test_each_row_of_a_long_list_finds_its_part() -> None:
    book = encoded(starter_of(large(500)))
    assert choices(book, "product", "Brand 498") == ["Gift card"]
    assert choices(book, "audience", "Brand 498", "Gift card") == ["Audience 498", "Audience 499"]
    assert choices(book, "audience", "Brand 499", "Gift card") == []


def test_what_is_more_than_the_drop_downs_hold_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starters, "LISTED", 6)
    made = starter_of(large(10))
    assert made.left_out == ("4 brands", "7 products")
    # Those that ads can be made of are kept.
    assert all(product.audiences for product in made.products)
    assert len(made.examples()) == 2


# Previews


async def test_previews_that_cannot_be_had_are_left_out(
    simulator: SimulatorServer, caplog: pytest.LogCaptureFixture
) -> None:
    from prefect_staticadslab.api.web import WebGate

    gate = WebGate.of(simulator.url)
    found = next(
        str(t["preview_url"])
        for t in simulator.api.catalog.design_templates.values()
        if t["preview_url"]
    )
    if found.startswith("/"):
        found = f"{simulator.url}{found}"
    pictures = await read_previews(
        [
            template("dt_1", preview_url=found),
            template("dt_2", preview_url=f"{simulator.url}/pictures/none.png"),
            template("dt_3"),
            template("dt_4", preview_url="http://10.0.0.1/a.png"),
        ],
        gate,
    )
    assert list(pictures) == ["dt_1"]
    assert "The preview of dt_2 is left out" in caplog.text
    assert "The preview of dt_4 is left out" in caplog.text
