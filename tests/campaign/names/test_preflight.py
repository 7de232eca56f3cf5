"""Before the first create: the key and every id are looked up, in a handful of requests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from prefect_staticadslab import StaticAdsLabClient
from prefect_staticadslab.api.rate_limit import RateLimiter
from prefect_staticadslab.campaign.campaign import Prepared, prepare
from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.id_check import LEAST_REQUESTS
from prefect_staticadslab.campaign.names.preflight import KeyRefusedError
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.catalogue.seeds import seeded_catalogue
from prefect_staticadslab.simulator.model.resources.ids import make_id
from tests.conftest import simulated_ids
from tests.support.scripted import answer, error, scripted

COLUMNS = ("design_template_id", "brand_id", "product_id", "audience_id", "product_variant_id")
GOOD = simulated_ids()
OTHER_BRAND = make_id("brand", "Pawsome Pantry")
OTHER_PRODUCT = make_id("prod", "Pawsome Pantry", "Salmon Kibble")
OTHER_VARIANT = make_id("pv", "Pawsome Pantry", "Salmon Kibble", "2 kg")
OTHER_AUDIENCE = make_id("aud", "Pawsome Pantry", "Salmon Kibble", "Picky eaters")
UNREADY = make_id("dt", "Still in the works")

Open = Callable[..., Campaign]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Opens a campaign of one row per dictionary, each with what differs from a good row."""

    def make(*rows: dict[str, str]) -> Campaign:
        lines = [",".join({**GOOD, **row}.get(name, "") for name in COLUMNS) for row in rows]
        (tmp_path / "in.csv").write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
        return Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"))

    return make


async def preflight(
    campaign: Campaign, url: str, key: str = SIMULATOR_API_KEY
) -> Prepared[Campaign]:
    async with StaticAdsLabClient(key, url, max_tries=1, limiter=RateLimiter()) as client:
        return await prepare(campaign, [client], dry_run=True)


async def test_a_good_campaign_is_told_whose_key_it_is(
    opened: Open, simulator: SimulatorServer
) -> None:
    asked = await preflight(opened({}, {}), simulator.url)
    assert (asked.organization, asked.unchecked) == ("Simulated Shops", 0)
    assert simulator.api.counts["requests"] <= 6


async def test_everything_that_is_wrong_is_told_at_once_by_row_and_column(
    opened: Open, simulator: SimulatorServer
) -> None:
    campaign = opened(
        {"brand_id": "brand_none"},
        {},
        {"design_template_id": UNREADY},
        {"design_template_id": "dt_none"},
        {"product_id": OTHER_PRODUCT, "audience_id": OTHER_AUDIENCE},
        {"audience_id": OTHER_AUDIENCE},
        {"product_variant_id": OTHER_VARIANT},
        {"product_variant_id": "pv_none"},
        {"product_id": "prod_none"},
    )
    with pytest.raises(SpreadsheetError) as refused:
        await preflight(campaign, simulator.url)
    places = {(p.row, p.column) for p in refused.value.problems}
    assert places == {
        (2, "brand_id"),
        (2, "product_id"),
        (4, "design_template_id"),
        (5, "design_template_id"),
        (6, "product_id"),
        (7, "audience_id"),
        (8, "product_variant_id"),
        (9, "product_variant_id"),
        (10, "product_id"),
        (10, "audience_id"),
    }
    told = str(refused.value)
    assert "Row 2, column brand_id: There is no brand brand_none in this organization." in told
    assert f"{UNREADY} is processing; only a completed design template can be used." in told
    assert f"{OTHER_PRODUCT} (Salmon Kibble) belongs to the brand {OTHER_BRAND}, not to" in told
    assert simulator.api.counts["creates"] == 0


async def test_what_is_wrong_in_many_rows_is_one_line(
    opened: Open, simulator: SimulatorServer
) -> None:
    bad = {"design_template_id": "dt_none"}
    with pytest.raises(SpreadsheetError) as refused:
        await preflight(opened(bad, bad, bad, {}, bad), simulator.url)
    assert str(refused.value) == (
        "Rows 2-4, 6, column design_template_id: "
        "There is no design template dt_none in this organization."
    )


async def test_a_whole_catalogue_is_looked_up_in_a_handful_of_requests(
    opened: Open, simulator: SimulatorServer
) -> None:
    catalog = seeded_catalogue()
    rows = [
        {
            "brand_id": catalog.products[audience["product_id"]]["brand_id"],
            "product_id": audience["product_id"],
            "audience_id": audience["id"],
            "design_template_id": template["id"],
        }
        for audience in catalog.audiences.values()
        for template in catalog.design_templates.values()
        if template["status"] == "completed"
    ]
    assert len(rows) == 168
    asked = await preflight(opened(*rows), simulator.url)
    assert asked.unchecked == 0
    assert simulator.api.counts["requests"] <= 6


async def test_an_endless_catalogue_is_not_read_to_its_end(
    opened: Open, simulator: SimulatorServer
) -> None:
    audiences = simulator.api.catalogue.audiences
    good = audiences[GOOD["audience_id"]]
    for number in range(3000):
        audience = {**good, "id": f"aud_{number:016}", "name": str(number)}
        audiences[audience["id"]] = audience
    asked = await preflight(
        opened(*({"audience_id": f"aud_{n:016}"} for n in range(2900, 3000))), simulator.url
    )
    assert asked.unchecked > 0
    # The key, the template, the brand and the product; the rest are pages of audiences.
    assert simulator.api.counts["requests"] == 4 + LEAST_REQUESTS + 1


@pytest.mark.parametrize("scope", ["image_ads:write", "image_ads:read"])
async def test_a_missing_scope_is_named(
    opened: Open, simulator: SimulatorServer, scope: str
) -> None:
    simulator.api.scopes[SIMULATOR_API_KEY].remove(scope)
    with pytest.raises(KeyRefusedError, match=f"lacks the scope {scope}"):
        await preflight(opened({}), simulator.url)


async def test_what_the_key_may_not_read_is_left_to_the_api(
    opened: Open, simulator: SimulatorServer
) -> None:
    simulator.api.scopes[SIMULATOR_API_KEY] = ["image_ads:write", "image_ads:read"]
    asked = await preflight(opened({"brand_id": "brand_none"}), simulator.url)
    assert asked.organization == "Simulated Shops"


async def test_a_key_that_is_none_and_an_api_that_is_away_are_told(
    opened: Open, simulator: SimulatorServer
) -> None:
    with pytest.raises(KeyRefusedError, match="does not accept the key"):
        await preflight(opened({}), simulator.url, key="sal_live_wrong")
    with pytest.raises(KeyRefusedError, match=r"The API at http://127\.0\.0\.1:9 did not answer"):
        await preflight(opened({}), "http://127.0.0.1:9")


async def test_scopes_that_make_no_sense_are_no_reason_to_refuse(opened: Open) -> None:
    account = answer({"data": {"organization": "Acme", "scopes": "all"}})
    script = [account, answer({"data": []}), error(404, "NOT_FOUND")]
    async with scripted(script) as server:
        with pytest.raises(SpreadsheetError, match="There is no design template"):
            await preflight(opened({}), server.url)


async def test_rows_that_are_done_are_not_looked_up(
    opened: Open, simulator: SimulatorServer
) -> None:
    from prefect_staticadslab import JobState, RowStatus

    campaign = opened({"brand_id": "brand_deleted"}, {})
    campaign.table.update(0, JobState(RowStatus.COMPLETED, "ia_1", "https://cdn/1.png"))
    assert (await preflight(campaign, simulator.url)).unchecked == 0
