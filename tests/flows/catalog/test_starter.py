"""A spreadsheet to start from: made of the account's own catalogue, and a campaign as it stands."""

from __future__ import annotations

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
)
from prefect_staticadslab.campaign.campaign import read_campaign
from prefect_staticadslab.campaign.catalogue_tables import starter as starters
from prefect_staticadslab.campaign.catalogue_tables.report import CatalogueContent
from prefect_staticadslab.campaign.catalogue_tables.starter import (
    ProductChoices,
    Starter,
    StarterError,
    starter_of,
)
from prefect_staticadslab.campaign.catalogue_tables.starter_lists import (
    LONGEST_FORMULA,
    drop_downs,
)
from prefect_staticadslab.campaign.catalogue_tables.starter_previews import read_previews
from prefect_staticadslab.campaign.catalogue_tables.starter_workbook import (
    COLUMNS,
    check_starter,
)
from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.cli.commands.campaign import main as campaign_main
from prefect_staticadslab.cli.commands.catalog import main
from prefect_staticadslab.flows.catalog import catalog
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.flows.catalog.starter_books import choices, content, encoded, template


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

    gate = WebGate.allowing(simulator.url)
    found = next(
        str(t["preview_url"])
        for t in simulator.api.catalogue.design_templates.values()
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
