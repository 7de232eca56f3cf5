"""Additions to the catalogue from a table: what is not there is created, and only once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab import StaticAdsLabClient
from prefect_staticadslab.api.errors import IdempotencyConflictError
from prefect_staticadslab.api.retries import key_lock
from prefect_staticadslab.api.retries.elapsed import elapsed
from prefect_staticadslab.campaign.catalogue_tables.additions import plan_additions, types_to_read
from prefect_staticadslab.campaign.catalogue_tables.creation import (
    FRESH_KEYS,
    addition_key,
    create_additions,
)
from prefect_staticadslab.campaign.catalogue_tables.report import (
    read_catalogue,
    tables,
    write_report,
)
from prefect_staticadslab.campaign.catalogue_tables.rows import read_resource_rows
from prefect_staticadslab.campaign.rows.resource_types import AUDIENCE, BRAND, PRODUCT
from prefect_staticadslab.simulator import SimulatorServer
from tests.flows.catalog.tables import EXAMPLE, SHEETS, table_of, write_csv, write_xlsx


async def add(client: StaticAdsLabClient, table: str) -> Any:
    """Reads, plans and creates, without Prefect."""
    wanted = read_resource_rows(table)
    content = await read_catalogue(client, await client.get_account(), types_to_read(wanted))
    additions = plan_additions(wanted, content)
    return additions, await create_additions(client, additions)


async def test_a_table_adds_what_is_not_there_and_is_safe_to_run_again(
    client: StaticAdsLabClient, simulator: SimulatorServer
) -> None:
    additions, outcome = await add(client, EXAMPLE)
    assert [str(each) for each, _ in outcome.created] == [
        "brand 'Tidewater Tea'",
        "product 'Sea Fennel Infusion'",
        "product variant '50 g'",
        "product variant '200 g'",
        "audience 'Evening readers'",
        "audience 'Campers'",
    ]
    assert [row.name for row, _ in additions.present] == ["Commuters"]
    simulated = simulator.api.catalogue
    ids = {each.row.name: identifier for each, identifier in outcome.created}
    assert simulated.brands[ids["Tidewater Tea"]]["fonts"] == [{"name": "Lora"}, {"name": "Inter"}]
    assert simulated.audiences[ids["Evening readers"]]["product_id"] == ids["Sea Fennel Infusion"]
    assert simulated.audiences[ids["Campers"]]["details"] == {"season": "summer"}
    assert simulated.product_variants[ids["200 g"]]["sort_order"] == 2
    again, nothing = await add(client, EXAMPLE)
    assert (again.new, nothing.created, len(again.present)) == ((), [], 7)


async def test_two_runs_at_once_add_nothing_twice(
    client: StaticAdsLabClient, simulator: SimulatorServer
) -> None:
    wanted = read_resource_rows(EXAMPLE)
    content = await read_catalogue(client, await client.get_account(), types_to_read(wanted))
    plans = [plan_additions(wanted, content) for _ in range(2)]
    outcomes = await asyncio.gather(*(create_additions(client, plan) for plan in plans))
    ids = [[identifier for _, identifier in outcome.created] for outcome in outcomes]
    assert ids[0] == ids[1]
    names = [brand["name"] for brand in simulator.api.catalogue.brands.values()]
    assert names.count("Tidewater Tea") == 1


BRAND_AND_PRODUCT = (("kind", "name", "brand"), ("brand", "Sea", ""), ("product", "Tea", "Sea"))


@pytest.mark.parametrize("times", [1, 2])
async def test_what_was_deleted_is_added_anew_although_its_key_is_known(
    client: StaticAdsLabClient, simulator: SimulatorServer, tmp_path: Path, times: int
) -> None:
    table = write_csv(tmp_path / "new.csv", *BRAND_AND_PRODUCT)
    simulated = simulator.api.catalogue
    for _ in range(times):
        _, outcome = await add(client, table)
        (_, brand), (_, product) = outcome.created
        del simulated.products[product], simulated.brands[brand]
    _, outcome = await add(client, table)
    (_, brand), (_, product) = outcome.created
    assert simulated.brands[brand]["name"] == "Sea"
    assert simulated.products[product]["brand_id"] == brand


WITH_DESCRIPTION = (("kind", "name", "description"), ("brand", "Sea", "fresh"))


@pytest.fixture
def short_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API has done with what it was sent a moment later."""
    monkeypatch.setattr(key_lock, "WORK_SECONDS", 0.05)


@pytest.mark.usefixtures("short_work")
async def test_what_was_deleted_is_added_anew_with_other_fields(
    client: StaticAdsLabClient, simulator: SimulatorServer, tmp_path: Path
) -> None:
    """Its key was used with another body, and is refused for a day."""
    simulated = simulator.api.catalogue
    for description in ("fish", "flesh", "fresh"):
        lines = (WITH_DESCRIPTION[0], ("brand", "Sea", description))
        _, outcome = await add(client, write_csv(tmp_path / "new.csv", *lines))
        assert outcome.failed == []
        brand = simulated.brands.pop(outcome.created[0][1])
        assert brand["description"] == description


@pytest.mark.usefixtures("short_work")
async def test_what_another_run_adds_meanwhile_with_other_fields_is_not_added_twice(
    client: StaticAdsLabClient, simulator: SimulatorServer, tmp_path: Path
) -> None:
    wanted = read_resource_rows(write_csv(tmp_path / "new.csv", *WITH_DESCRIPTION))
    content = await read_catalogue(client, await client.get_account(), types_to_read(wanted))
    _, before = await add(client, write_csv(tmp_path / "other.csv", *BRAND_AND_PRODUCT[:2]))
    outcome = await create_additions(client, plan_additions(wanted, content))
    assert [i for _, i in outcome.created] == [i for _, i in before.created]
    assert [b["name"] for b in simulator.api.catalogue.brands.values()].count("Sea") == 1


async def test_while_a_request_with_the_key_may_still_run_no_other_key_is_used(
    client: StaticAdsLabClient,
    simulator: SimulatorServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refusing(*_: object, idempotency_key: str, **fields: object) -> None:
        client.key_lock(idempotency_key).note_sent(elapsed())
        raise IdempotencyConflictError("In use.", status=409, code="IDEMPOTENCY_CONFLICT")

    monkeypatch.setattr(client, "send_resource", refusing)
    _, outcome = await add(client, write_csv(tmp_path / "new.csv", *WITH_DESCRIPTION))
    assert [reason.split(".")[0] for _, reason in outcome.failed] == ["In use"]


async def test_what_is_deleted_again_and_again_is_told_as_not_created(
    client: StaticAdsLabClient, simulator: SimulatorServer, tmp_path: Path
) -> None:
    table = write_csv(tmp_path / "new.csv", *BRAND_AND_PRODUCT)
    for _ in range(FRESH_KEYS):
        _, outcome = await add(client, table)
        del simulator.api.catalogue.brands[outcome.created[0][1]]
    _, outcome = await add(client, table)
    assert outcome.created == []
    assert [reason for _, reason in outcome.failed] == [
        "it was added 3 times within a day, and deleted or renamed each time. "
        "Add it again tomorrow, or by hand",
        "the brand 'Sea' was not created",
    ]


async def test_what_was_renamed_is_not_taken_for_what_a_row_wants(
    client: StaticAdsLabClient, simulator: SimulatorServer, tmp_path: Path
) -> None:
    table = write_csv(tmp_path / "new.csv", *BRAND_AND_PRODUCT[:2])
    _, outcome = await add(client, table)
    renamed = outcome.created[0][1]
    simulator.api.catalogue.brands[renamed]["name"] = "Sea, closed"
    _, outcome = await add(client, write_csv(tmp_path / "new.csv", *BRAND_AND_PRODUCT))
    (_, brand), (_, product) = outcome.created
    assert brand != renamed
    assert simulator.api.catalogue.products[product]["brand_id"] == brand


async def test_a_workbook_has_a_sheet_for_each_kind_of_addition(
    client: StaticAdsLabClient, tmp_path: Path
) -> None:
    table = write_xlsx(
        tmp_path / "new.xlsx",
        {
            "Audiences": [["name", "product"], ["Tea drinkers", "Infusion"]],
            "notes": [["anything"], ["at all"]],
            "Product variants": [["name", "product", "sort_order"], ["50 g", "Infusion", 1]],
            "brands": [["id", "name"], [None, "Tidewater Tea"]],
            "products": [["name", "brand"], ["Infusion", "tidewater  TEA"]],
        },
    )
    _, outcome = await add(client, table)
    kinds = [each.row.resource_type.name for each, _ in outcome.created]
    assert kinds == ["brand", "product", "product_variant", "audience"]


async def test_a_report_can_be_handed_in_as_it_is(
    client: StaticAdsLabClient, tmp_path: Path
) -> None:
    frames = tables(await read_catalogue(client, await client.get_account()))
    write_report(str(tmp_path / "c.xlsx"), frames)
    additions, _ = await add(client, str(tmp_path / "c.xlsx"))
    assert additions.new == ()
    assert len(additions.present) == sum(len(frames[name]) for name in SHEETS[:4])


async def test_what_the_api_refuses_keeps_only_its_own_children_out(
    client: StaticAdsLabClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(
        "kind,name,brand,product",
        f"brand,{'x' * 10_000},,",
        f"product,P,{'x' * 10_000},",
        "audience,A,,P",
        "brand,Fine,,",
    )(tmp_path)
    original = StaticAdsLabClient.send_resource

    async def refusing(self: StaticAdsLabClient, kind: Any, **fields: Any) -> Any:
        long = len(fields["name"]) > 200
        return await original(self, kind, **{**fields, "name": 7 if long else fields["name"]})

    monkeypatch.setattr(StaticAdsLabClient, "send_resource", refusing)
    _, outcome = await add(client, table)
    assert [each.row.name for each, _ in outcome.created] == ["Fine"]
    assert [each.row.resource_type for each, _ in outcome.failed] == [BRAND, PRODUCT, AUDIENCE]
    assert "VALIDATION_ERROR" in outcome.failed[0][1]
    assert outcome.failed[2][1] == "the product 'P' was not created"


def test_keys_differ_where_kind_parent_or_name_do() -> None:
    keys = {
        addition_key(PRODUCT, "brand_1", "A"),
        addition_key(PRODUCT, "brand_2", "A"),
        addition_key(PRODUCT, "brand_1", "B"),
        addition_key(AUDIENCE, "brand_1", "A"),
    }
    assert len(keys) == 4
    assert addition_key(PRODUCT, "brand_1", " a ") in keys
