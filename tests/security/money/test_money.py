"""What may be spent has a limit, whatever a form, a deployment or a row of stars says."""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from prefect import Flow
from ruamel.yaml import YAML

from prefect_staticadslab import (
    ImageAdJob,
    StaticAdsLabClient,
    StaticAdsLabCredentials,
    TypedAd,
    run_campaign,
)
from prefect_staticadslab.campaign.campaign import resolve_one_ad
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.lookup import look_up
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.table.limits import (
    DAY_LIMIT_USD,
    RUN_LIMIT_USD,
    BudgetError,
    check_limit,
    limit_for,
    limit_of,
)
from prefect_staticadslab.cli.spending import cost_line
from prefect_staticadslab.flows.campaign import campaign
from prefect_staticadslab.flows.create_ads import create_ads
from prefect_staticadslab.flows.design_templates import design_templates
from prefect_staticadslab.flows.inbox import inbox
from prefect_staticadslab.flows.revise import revise
from prefect_staticadslab.flows.watch import create_and_watch
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import ROOT, simulated_ids, write_campaign

FREE_FLOWS = {"watch", "catalog", "download_images", "inbox_campaign"}
"""Flows that people start and that create nothing that is billed; and the one that only an inbox
starts, with a limit that is reserved for it."""

NO_LIMITS = [-1, -0.01, math.nan, -math.inf, Decimal("NaN"), "5", "abc", None, True, 1j]
NO_LIMITS_IN_A_FORM = [-0.01, math.inf, "nan"]
"""Three kinds of what is none there: one place knows them all, and every form has to ask it."""


# Limits that are none, and rows that make thousands


@pytest.mark.parametrize("value", NO_LIMITS)
def test_a_limit_that_is_none_is_refused_in_words(value: Any) -> None:
    with pytest.raises(BudgetError, match="max_spend_usd must be an amount in USD, 0 or more"):
        limit_of(value)


@pytest.mark.parametrize("value", [*NO_LIMITS, math.inf])
def test_in_a_form_no_limit_is_none_either(value: Any) -> None:
    with pytest.raises(BudgetError, match="a_day must be an amount in USD, 0 or more"):
        check_limit(value, "a_day")


@pytest.mark.parametrize("total", ["0", "0.0001", "0.75", "1234567.891", "0.30"])
def test_the_limit_of_a_sum_lets_that_sum_through(total: str) -> None:
    limit = limit_of(limit_for(Decimal(total)))
    assert Decimal(total) <= limit < Decimal(total) + Decimal("0.01")


async def every_combination(simulator: SimulatorServer, folder: Path) -> tuple[Path, Brief]:
    place = folder / "in.csv"
    place.write_text(
        "brand,product,audience,design_template,editable\nFernweh Outdoor,*,*,*,true\n"
    )
    return place, Brief.open(str(place))


async def test_a_row_of_stars_is_held_by_the_limit_and_says_how_many_ads_it_makes(
    tmp_path: Path, simulator: SimulatorServer, client: StaticAdsLabClient
) -> None:
    _, brief = await every_combination(simulator, tmp_path)
    catalogue = await look_up(client, brief)
    plan = Plan.of(Campaign.open(brief, str(tmp_path / "out.csv"), catalogue=catalogue).table)
    assert plan.total_usd == 4 * plan.rows > RUN_LIMIT_USD
    with pytest.raises(BudgetError, match=rf"1 row makes {plan.rows:,} ads.*the limit is 50\.00"):
        plan.check_budget(RUN_LIMIT_USD)
    assert cost_line(plan) == (
        f"1 row makes {plan.rows:,} ads; {plan.rows:,} ads to create, "
        f"up to {4 * plan.rows:,}.00 USD."
    )
    many = replace(plan, rows=50_000, to_create={("editable", Decimal(4)): 50_000})
    assert cost_line(many).startswith("1 row makes 50,000 ads; 50,000 ads to create")


# Forms


def written_deployments() -> list[dict[str, Any]]:
    written = YAML(typ="safe").load(ROOT / "prefect.yaml")
    deployments: list[dict[str, Any]] = written["deployments"]
    return deployments


def flow_of(entrypoint: str) -> Flow[..., Any]:
    path, _, name = entrypoint.partition(":")
    found = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
    assert isinstance(found, Flow)
    return found


def all_flows() -> dict[str, Flow[..., Any]]:
    found: dict[str, Flow[..., Any]] = {}
    for file in sorted((ROOT / "prefect_staticadslab" / "flows").glob("[a-z]*.py")):
        module = importlib.import_module(f"prefect_staticadslab.flows.{file.stem}")
        found |= {name: value for name, value in vars(module).items() if isinstance(value, Flow)}
    return found


def test_every_flow_that_can_pay_has_a_limit_by_default() -> None:
    paying = {name: each for name, each in all_flows().items() if name not in FREE_FLOWS}
    assert {"campaign", "create_ads", "create_and_watch", "inbox"} <= paying.keys()
    for name, each in [*paying.items(), ("inbox_campaign", all_flows()["inbox_campaign"])]:
        limit = inspect.signature(each.fn).parameters["max_spend_usd"].default
        assert 0 < limit <= RUN_LIMIT_USD, name
    assert inspect.signature(inbox.fn).parameters["max_spend_per_day_usd"].default == DAY_LIMIT_USD


def test_every_deployment_that_can_pay_says_its_limit() -> None:
    deployments = written_deployments()
    limited = {d["name"] for d in deployments if "max_spend_usd" in d.get("parameters", {})}
    free = {d["name"] for d in deployments if flow_of(d["entrypoint"]).fn.__name__ in FREE_FLOWS}
    assert free == {"watch", "catalog", "download-images"}
    assert limited == {d["name"] for d in deployments} - free
    for deployment in deployments:
        parameters = deployment.get("parameters", {})
        assert 0 < parameters.get("max_spend_usd", 1) <= RUN_LIMIT_USD
        if deployment["entrypoint"].endswith(":inbox"):
            assert 0 < parameters["max_spend_per_day_usd"] <= DAY_LIMIT_USD


Forms = dict[str, Callable[..., Any]]


@pytest.fixture
def forms(tmp_path: Path, credentials: StaticAdsLabCredentials) -> Forms:
    """Each form that can pay, filled in but for its limit."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "refs").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "refs" / "a.png")
    place = write_campaign(tmp_path / "inbox", "a")
    changes = tmp_path / "changes.csv"
    changes.write_text('image_ad_id,node_overrides\nia_1,"{""a"": {""characters"": ""b""}}"\n')
    ids = simulated_ids()
    names: dict[str, Any] = {name.removesuffix("_id"): value for name, value in ids.items()}
    kit = ImageAdJob(credentials=credentials, **ids)
    out = str(tmp_path / "out.csv")
    return {
        "campaign": lambda **o: campaign(place, out, credentials, **o),
        "create_ads": lambda **o: create_ads(kit, [TypedAd(prompt="a")], **o),
        "design_templates": lambda **o: design_templates(
            str(tmp_path / "refs"), out, credentials, **o
        ),
        "revise": lambda **o: revise(str(changes), out, credentials, **o),
        "create_and_watch": lambda **o: create_and_watch(credentials=credentials, **names, **o),
        "inbox": lambda **o: inbox(str(tmp_path / "inbox"), credentials, settle_seconds=0, **o),
    }


def everything_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    "form", ["campaign", "create_ads", "design_templates", "revise", "create_and_watch", "inbox"]
)
async def test_a_form_with_a_limit_that_is_none_creates_and_writes_nothing(
    form: str, forms: Forms, tmp_path: Path, simulator: SimulatorServer
) -> None:
    before = everything_in(tmp_path)
    for value in NO_LIMITS_IN_A_FORM:
        state = await forms[form](max_spend_usd=value, return_state=True)
        assert state.name == "Refused", (form, value, state)
        assert "must be an amount in USD, 0 or more" in state.message
    if form == "inbox":
        for value in NO_LIMITS_IN_A_FORM:
            state = await forms[form](max_spend_per_day_usd=value, return_state=True)
            assert "max_spend_per_day_usd must be an amount" in state.message
    assert everything_in(tmp_path) == before
    assert simulator.api.counts["creates"] == 0
    assert not simulator.api.jobs


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    "form", ["campaign", "create_ads", "design_templates", "create_and_watch", "inbox", "day"]
)
async def test_a_limit_of_0_is_that_nothing_may_be_spent(
    form: str, forms: Forms, tmp_path: Path, simulator: SimulatorServer
) -> None:
    before = everything_in(tmp_path)
    option = "max_spend_per_day_usd" if form == "day" else "max_spend_usd"
    call = forms["inbox" if form == "day" else form]
    state = await call(**{option: 0}, return_state=True)
    assert state.name == "Refused", state
    assert "0.00" in state.message
    assert everything_in(tmp_path) == before
    assert simulator.api.counts["creates"] == 0


@pytest.mark.usefixtures("prefect_server")
async def test_a_form_that_says_no_limit_is_not_without_one(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    place, _ = await every_combination(simulator, tmp_path)
    state: Any = await campaign(
        str(place), str(tmp_path / "out.csv"), credentials, return_state=True
    )
    assert state.name == "Refused"
    assert "the limit is 50.00" in state.message
    assert "1 row makes" in state.message
    assert simulator.api.counts["creates"] == 0
    assert not (tmp_path / "out.csv").exists()


async def test_a_program_of_ones_own_has_no_limit_unless_it_says_one(
    client: StaticAdsLabClient,
) -> None:
    assert inspect.signature(run_campaign).parameters["max_spend_usd"].default == math.inf
    cells = {name.removesuffix("_id"): value for name, value in simulated_ids().items()}
    assert (await resolve_one_ad(client, {**cells, "editable": "true"})).price_usd == 4
    for limit in (0, 3.99, math.nan, -1):
        with pytest.raises(BudgetError):
            await resolve_one_ad(client, {**cells, "editable": "true"}, max_spend_usd=limit)
