"""What may be spent is bounded, whatever a form, a spreadsheet or a result table says."""

from __future__ import annotations

import csv
import importlib
import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from openpyxl import load_workbook
from PIL import Image
from prefect import Flow
from ruamel.yaml import YAML

from prefect_staticadslab import (
    ImageAdJob,
    JobState,
    RowStatus,
    StaticAdsLabClient,
    StaticAdsLabCredentials,
    TypedAd,
    run_campaign,
)
from prefect_staticadslab.campaign.campaign import resolve_one_ad
from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.job_types.design_templates import TemplateBatch
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ResultTable
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.lookup import look_up
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.table.limits import (
    DAY_LIMIT_USD,
    RUN_LIMIT_USD,
    BudgetError,
    limit_for,
    limit_of,
)
from prefect_staticadslab.campaign.table.merge import AmountError
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.cli.commands.campaign import main
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

NO_AMOUNTS = [-1, -0.01, math.nan, math.inf, -math.inf]
NO_COSTS = [
    "-100000",
    "-0.01",
    "nan",
    "sNaN",
    "inf",
    "-Infinity",
    "1e999",
    "1000.01",
    "abc",
    "1,0,0",
]
NO_COUNTS = ["-1", "1.5", "nan", "inf", "1e999", "1000001", "abc"]


# Tables that were changed


def recorded(folder: Path, ending: str, *states: JobState) -> tuple[str, Path]:
    """A campaign of a row for each state, with its table. Returns where the two are."""
    place = write_campaign(folder, *(f"row {number}" for number in range(len(states))))
    output = folder / f"out{ending}"
    made = Campaign.open(place, str(output))
    for position, state in enumerate(states):
        made.table.update(position, state)
    made.table.save_now()
    return place, output


def change(output: Path, row: int, column: str, value: Any) -> None:
    """Writes a cell of a table, as anybody can. `row` is the number that Excel shows."""
    match output.suffix:
        case ".xlsx":
            book = load_workbook(output)
            (sheet,) = book.worksheets
            names = [cell.value for cell in sheet[1]]
            sheet.cell(row, names.index(column) + 1).value = value
            book.save(output)
        case ".parquet":
            frame = pd.read_parquet(output)
            frame.loc[row - 2, column] = value
            frame.to_parquet(output)
        case _:
            delimiter = "\t" if output.suffix == ".tsv" else ","
            lines = list(csv.reader(output.read_text().splitlines(), delimiter=delimiter))
            lines[row - 1][lines[0].index(column)] = str(value)
            with output.open("w", newline="") as file:
                csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(lines)


def done(number: int = 1, cost: str | None = "1") -> JobState:
    return JobState(
        RowStatus.COMPLETED,
        f"ia_{number}",
        f"http://127.0.0.1/{number}.png",
        cost_usd=None if cost is None else Decimal(cost),
        attempts=1,
    )


@pytest.fixture
def no_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, and an API that nobody answers for: whatever is refused here was refused by us."""
    monkeypatch.setenv("SAL_API_KEY", "sal_live_x")
    monkeypatch.setenv("SAL_BASE_URL", "http://127.0.0.1:9")


@pytest.mark.usefixtures("no_api")
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".xlsx"])
@pytest.mark.parametrize(
    ("column", "value"),
    [*(("cost_usd", value) for value in NO_COSTS), *(("attempts", value) for value in NO_COUNTS)],
)
def test_an_amount_that_cannot_be_is_refused_with_row_and_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str, column: str, value: str
) -> None:
    place, output = recorded(tmp_path, ending, done(1), done(2), JobState())
    change(output, 3, column, value)
    before = output.read_bytes()
    assert main([place, str(output), "--max-spend-usd", "1"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "Nothing was created."
    assert told[1].startswith(f"Row 3, column {column}: '{value}' is no ")
    assert output.name in told[1]
    assert output.read_bytes() == before


@pytest.mark.parametrize("value", [-100000, 1e300, True])
def test_a_number_of_a_workbook_is_no_better_than_its_text(tmp_path: Path, value: object) -> None:
    place, output = recorded(tmp_path, ".xlsx", done(), JobState())
    change(output, 2, "cost_usd", value)
    with pytest.raises(AmountError, match="Row 2, column cost_usd"):
        Campaign.open(place, str(output))


def test_a_negative_cost_in_a_parquet_table_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    place, output = recorded(tmp_path, ".parquet", done(), JobState())
    change(output, 2, "cost_usd", -100000.0)
    with pytest.raises(AmountError, match="Row 2, column cost_usd"):
        Campaign.open(place, str(output))


def test_rows_are_told_as_the_result_table_shows_them_and_all_at_once(tmp_path: Path) -> None:
    place, output = recorded(tmp_path, ".csv", *(done(number) for number in range(1, 7)))
    lines = output.read_text().splitlines()
    # Somebody sorted the table and left a line blank: its rows are others than the spreadsheet's.
    output.write_text("\n".join([lines[0], "", *reversed(lines[1:])]) + "\n")
    change(output, 8, "cost_usd", "-1")
    change(output, 4, "attempts", "many")
    with pytest.raises(AmountError) as refused:
        Campaign.open(place, str(output))
    told = [(problem.row, problem.column) for problem in refused.value.problems]
    assert told == [(4, "attempts"), (8, "cost_usd")]


def test_a_table_that_is_only_looked_at_is_checked_too(tmp_path: Path) -> None:
    _, output = recorded(tmp_path, ".csv", done())
    change(output, 2, "cost_usd", "-100000")
    with pytest.raises(AmountError, match="Row 2, column cost_usd"):
        ResultTable.reopen(str(output))


def test_tables_of_design_templates_and_revisions_are_checked_alike(tmp_path: Path) -> None:
    (tmp_path / "refs").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "refs" / "a.png")
    templates = str(tmp_path / "templates.csv")
    TemplateBatch.open(str(tmp_path / "refs"), templates).table.save_now()
    change(Path(templates), 2, "cost_usd", "-100000")
    with pytest.raises(AmountError, match="Row 2, column cost_usd"):
        TemplateBatch.open(str(tmp_path / "refs"), templates)

    changes, revised = tmp_path / "in.csv", tmp_path / "revised.csv"
    changes.write_text('image_ad_id,node_overrides\nia_1,"{""a"": {""characters"": ""b""}}"\n')
    Revisions.open(str(changes), str(revised)).table.save_now()
    change(revised, 2, "attempts", "nan")
    with pytest.raises(AmountError, match="Row 2, column attempts"):
        Revisions.open(str(changes), str(revised))


@pytest.mark.parametrize("cost", ["0", "", "0.01", "1e-999"])
def test_no_cost_in_a_table_lifts_the_limit(tmp_path: Path, cost: str) -> None:
    place, output = recorded(tmp_path, ".csv", done(1), done(2), JobState())
    for row in (2, 3):
        change(output, row, "cost_usd", cost)
    plan = Plan.of(Campaign.open(place, str(output)).table)
    assert plan.total_usd == 3
    with pytest.raises(BudgetError, match=r"up to 3\.00 USD, and the limit is 2\.99"):
        plan.check_budget(2.99)
    plan.check_budget(3)
    # What is shown as spent stays what the table says.
    assert plan.spent_usd <= Decimal("0.02")


def test_what_was_dearer_than_its_price_counts_as_the_table_says(tmp_path: Path) -> None:
    place, output = recorded(tmp_path, ".csv", done(1, "7.5"), JobState())
    plan = Plan.of(Campaign.open(place, str(output)).table)
    assert (plan.total_usd, plan.spent_usd) == (Decimal("8.5"), Decimal("7.5"))


def test_every_row_that_has_or_may_have_an_ad_counts_whatever_its_state(tmp_path: Path) -> None:
    states = [
        JobState(RowStatus.PROCESSING, "ia_1", attempts=1),
        JobState(RowStatus.SUBMITTING, attempts=1),
        JobState(RowStatus.FAILED, "ia_2", attempts=1, cost_usd=Decimal(0)),
        JobState(),
    ]
    place, output = recorded(tmp_path, ".csv", *states)
    assert Plan.of(Campaign.open(place, str(output)).table).total_usd == 4
    # Without their rows, what has an ad, or may have one, is still counted.
    Path(place).write_text("\n".join([*Path(place).read_text().splitlines()[:1], ""]))
    write_campaign(tmp_path, "another")
    assert Plan.of(Campaign.open(place, str(output)).table).total_usd == 1 + 1 + 1


def test_completed_revisions_count_like_new_editable_ads(tmp_path: Path) -> None:
    changes, revised = tmp_path / "in.csv", str(tmp_path / "revised.csv")
    change_of = '"{""a"": {""characters"": ""b""}}"'
    changes.write_text(f"image_ad_id,node_overrides\nia_1,{change_of}\nia_2,{change_of}\n")
    opened = Revisions.open(str(changes), revised)
    opened.table.update(0, done(1, None))
    plan = Plan.of(opened.table)
    assert plan.total_usd == 8
    assert plan.spent_usd == 0


def test_a_campaign_that_is_all_paid_for_can_still_be_collected(tmp_path: Path) -> None:
    place, output = recorded(tmp_path, ".csv", done(1), done(2))
    Plan.of(Campaign.open(place, str(output)).table).check_budget(0)


@pytest.mark.parametrize(("column", "value"), [("cost_usd", "-100000"), ("attempts", "1e999")])
@pytest.mark.parametrize("opened", ["for its campaign", "by itself"])
def test_what_another_run_writes_never_keeps_a_run_from_saving(
    tmp_path: Path, column: str, value: str, opened: str
) -> None:
    place, output = recorded(tmp_path, ".csv", done(1), JobState(RowStatus.PROCESSING, "ia_2"))
    table: JobTable[Any] = (
        Campaign.open(place, str(output)).table
        if opened == "for its campaign"
        else ResultTable.reopen(str(output))
    )
    change(output, 2, column, value)
    table.update(1, done(2))
    table.save_now()
    known = table.states[0]
    assert (known.status, known.job_id) == (RowStatus.COMPLETED, "ia_1")
    assert (known.cost_usd, known.attempts) in [(Decimal(1), 1), (None, 1), (Decimal(1), 0)]
    assert Plan.of(table).total_usd == 2
    assert value not in output.read_text()
    ResultTable.reopen(str(output))  # what is written is right again


# Limits that are none, and rows that make thousands


@pytest.mark.parametrize("value", [*NO_AMOUNTS[:3], Decimal("NaN"), "5", "abc", None, True, 1j])
def test_a_limit_that_is_none_is_refused_in_words(value: Any) -> None:
    with pytest.raises(BudgetError, match="max_spend_usd must be an amount in USD, 0 or more"):
        limit_of(value)


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
    for value in [*NO_AMOUNTS, "nan"]:
        state = await forms[form](max_spend_usd=value, return_state=True)
        assert state.name == "Refused", (form, value, state)
        assert "must be an amount in USD, 0 or more" in state.message
    if form == "inbox":
        for value in NO_AMOUNTS:
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


def test_an_amount_error_is_a_row_error_like_any_other() -> None:
    assert issubclass(AmountError, SpreadsheetError)
