"""What names need of the API is read in few requests, and a key that may not is told so."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from prefect_staticadslab import StaticAdsLabClient
from prefect_staticadslab.api.rate_limit import RateLimiter
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.names import lookup
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.names.id_check import check_ids
from prefect_staticadslab.campaign.names.listings import Catalogue
from prefect_staticadslab.campaign.names.lookup import look_up
from prefect_staticadslab.campaign.names.preflight import KeyRefusedError, check_key
from prefect_staticadslab.campaign.rows.ad_rows import read_rows
from prefect_staticadslab.campaign.rows.resource_types import BRAND
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.resources.ids import make_id
from tests.campaign.shop import sheet
from tests.conftest import simulated_ids
from tests.support.scripted import answer, scripted

ROW = {
    "brand": "Harbor Roast",
    "product": "Cold Brew Kit",
    "audience": "Commuters",
    "design_template": "ad_format=Sale",
}
HARBOR = make_id("brand", "Harbor Roast")
KIT = make_id("prod", "Harbor Roast", "Cold Brew Kit")


async def looked_up(
    url: str, *rows: Mapping[str, str], key: str = SIMULATOR_API_KEY
) -> tuple[Spreadsheet, Catalogue]:
    brief = Brief.read(sheet(*rows))
    async with StaticAdsLabClient(key, url, max_tries=1, limiter=RateLimiter()) as client:
        catalogue = await look_up(client, brief)
    return expand(brief, catalogue), catalogue


def many_products(simulator: SimulatorServer, count: int) -> list[dict[str, str]]:
    """A row for each of so many new products, all of them with an audience of the same name."""
    catalog = simulator.api.catalogue
    kit = catalog.products[KIT]
    commuters = next(a for a in catalog.audiences.values() if a["name"] == "Commuters")
    for number in range(count):
        item = {**kit, "id": f"prod_{number:016}", "name": f"Blend {number}"}
        catalog.products[item["id"]] = item
        audience = {**commuters, "id": f"aud_{number:016}", "product_id": item["id"]}
        catalog.audiences[audience["id"]] = audience
    return [{**ROW, "product": f"Blend {number}"} for number in range(count)]


async def test_each_list_is_asked_for_once(simulator: SimulatorServer) -> None:
    made, _ = await looked_up(simulator.url, ROW, ROW, {**ROW, "audience": "*"})
    assert len(made.frame) == 5
    assert simulator.api.counts["requests"] == 4


async def test_a_spreadsheet_of_ids_asks_for_nothing(simulator: SimulatorServer) -> None:
    await looked_up(simulator.url, simulated_ids())
    assert simulator.api.counts["requests"] == 0


async def test_many_parents_are_read_in_whole_lists(simulator: SimulatorServer) -> None:
    made, _ = await looked_up(simulator.url, *many_products(simulator, 150))
    assert made.frame["audience_id"].tolist() == [f"aud_{number:016}" for number in range(150)]
    # Templates and brands, the products of one brand in two pages, all audiences in two.
    assert simulator.api.counts["requests"] == 6


async def test_a_list_that_is_longer_than_its_parents_is_read_parent_by_parent(
    simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "FEW_PARENTS", 1)
    rows = many_products(simulator, 450)[-2:]
    made, _ = await looked_up(simulator.url, *rows)
    assert made.frame["audience_id"].tolist() == [f"aud_{n:016}" for n in (448, 449)]
    # Templates, brands and five pages of products; two pages in vain and one; one for each product.
    assert simulator.api.counts["requests"] == 7 + 3 + 2


async def test_preflight_does_not_ask_again_for_what_was_read(simulator: SimulatorServer) -> None:
    made, catalogue = await looked_up(simulator.url, ROW, {**ROW, "product_variant": "*"})
    before = simulator.api.counts["requests"]
    async with StaticAdsLabClient(SIMULATOR_API_KEY, simulator.url) as client:
        account = await check_key(client)
        checked = await check_ids(client, account, read_rows(made), catalogue)
        assert checked.unchecked == 0
    assert simulator.api.counts["requests"] == before + 1


@pytest.mark.parametrize(
    ("scope", "column"),
    [
        ("brands:read", "brand_id"),
        ("products:read", "product_id"),
        ("audiences:read", "audience_id"),
        ("design_templates:read", "design_template_id"),
    ],
)
async def test_a_scope_that_names_need_is_named(
    simulator: SimulatorServer, scope: str, column: str
) -> None:
    simulator.api.scopes[SIMULATOR_API_KEY].remove(scope)
    with pytest.raises(KeyRefusedError, match=f"lacks the scope {scope}") as refused:
        await looked_up(simulator.url, ROW)
    assert f"or put ids into {column}." in str(refused.value)


async def test_names_beside_ids_are_left_unchecked_without_the_scope(
    simulator: SimulatorServer,
) -> None:
    simulator.api.scopes[SIMULATOR_API_KEY].remove("brands:read")
    made, catalogue = await looked_up(simulator.url, {**simulated_ids(), "brand": "Whatever"})
    assert made.frame["brand"].tolist() == ["Whatever"]
    assert catalogue.unreadable == {BRAND}


async def test_a_key_that_is_none_and_an_api_that_is_away_are_told(
    simulator: SimulatorServer,
) -> None:
    with pytest.raises(KeyRefusedError, match="does not accept the key"):
        await looked_up(simulator.url, ROW, key="sal_live_wrong")
    with pytest.raises(KeyRefusedError, match=r"The API at http://127\.0\.0\.1:9 did not answer"):
        await looked_up("http://127.0.0.1:9", ROW)


async def test_a_server_that_does_not_filter_gives_no_product_of_another_brand() -> None:
    template = {"id": "dt_1", "status": "completed", "ad_format": "Sale"}
    unready = {"id": "dt_2", "status": "processing", "ad_format": "Sale"}
    brands = [{"id": "brand_1", "name": ROW["brand"]}]
    products = [
        {"id": "prod_2", "brand_id": "brand_2", "name": ROW["product"]},
        {"id": "prod_1", "brand_id": "brand_1", "name": ROW["product"]},
    ]
    audiences = [{"id": "aud_1", "name": ROW["audience"]}]
    script = [answer({"data": data}) for data in ([template, unready], brands, products, audiences)]
    async with scripted(script) as server:
        made, _ = await looked_up(server.url, ROW)
    ids = ["brand_id", "product_id", "audience_id", "design_template_id"]
    assert made.frame[ids].to_numpy().tolist() == [["brand_1", "prod_1", "aud_1", "dt_1"]]
