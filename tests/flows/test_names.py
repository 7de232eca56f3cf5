"""Spreadsheets of names and combinations, through the real flow and the real command."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.client.schemas.objects import State

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabCredentials
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.cli.commands.campaign import main
from prefect_staticadslab.flows.campaign import campaign
from prefect_staticadslab.simulator import SimulatorServer
from tests.campaign.names.test_expanded_campaigns import ESPRESSO, write
from tests.campaign.shop import SHOP
from tests.cli.commands import killed_on_its_way, table
from tests.conftest import ROOT, set_key

NAMES = str(ROOT / "examples" / "names.csv")
MATRIX = str(ROOT / "examples" / "matrix.csv")


async def run(
    spreadsheet: str, output: Path, credentials: StaticAdsLabCredentials, **options: Any
) -> State[None]:
    state: Any = await campaign(spreadsheet, str(output), credentials, return_state=True, **options)
    return cast(State[None], state)


# The flow


@pytest.mark.usefixtures("prefect_server")
async def test_the_example_of_names_completes_and_keeps_every_cell(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    state = await run(NAMES, tmp_path / "out.csv", credentials)
    assert state.is_completed(), state.message
    before, after = read_spreadsheet(NAMES).frame, read_spreadsheet(str(tmp_path / "out.csv")).frame
    theirs = [name for name in before.columns if name not in ("prompt", "design_template")]
    assert after[theirs].equals(before[theirs])
    assert set(after["image_ad_id"]) == set(simulator.api.jobs)
    assert len(simulator.api.jobs) == len(before)
    sent = {job.body["prompt"] for job in simulator.api.jobs.values()}
    assert "Morning Tide, 250 g, now 12.90 €. Steam over a harbour at dawn." in sent
    assert not [prompt for prompt in sent if "{" in prompt]


@pytest.mark.usefixtures("prefect_server")
async def test_the_example_matrix_makes_many_ads_of_three_rows(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    state = await run(MATRIX, tmp_path / "out.xlsx", credentials)
    assert state.is_completed(), state.message
    made = read_spreadsheet(str(tmp_path / "out.xlsx")).frame
    assert len(made) == len(simulator.api.jobs) > 15
    assert sorted(set(made["source_row"])) == ["2", "3", "4"]
    assert not made["sent_audience"].str.contains(r"[|*]").any()
    first = made.iloc[0]
    told = f"{first['sent_product']}, 2 for 1. What {first['sent_audience']} "
    assert first["sent_prompt"].startswith(told)
    assert (await run(MATRIX, tmp_path / "out.xlsx", credentials)).is_completed()
    assert len(simulator.api.jobs) == len(made)


@pytest.mark.usefixtures("prefect_server")
async def test_the_budget_is_held_against_all_ads_of_a_matrix(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    state = await run(MATRIX, tmp_path / "out.csv", credentials, max_spend_usd=10)
    assert state.name == "Refused"
    assert "3 rows make" in (state.message or "")
    assert "the limit is 10.00" in (state.message or "")
    assert simulator.api.counts["creates"] == 0
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.usefixtures("prefect_server")
async def test_names_that_mean_nothing_or_too_much_are_refused_before_anything_is_sent(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    brands = simulator.api.catalogue.brands
    other = {**next(iter(brands.values())), "id": f"brand_{2:016}", "name": "HARBOR ROAST"}
    brands[other["id"]] = other
    rest = ("", "Commuters", "ad_format=Sale", "1", "x")
    place = write(
        tmp_path,
        ("harbor roast", "Cold Brew Kit", *rest),
        ("Harbor Roast", "Cold Brew Kid", *rest),
        ("Harbor Roast", "Cold Brew Kit", *rest),
    )
    state = await run(place, tmp_path / "out.csv", credentials)
    assert state.name == "Refused"
    told = (state.message or "").splitlines()
    assert told[0].startswith("Row 2, column brand: 2 brands are called 'harbor roast': brand_")
    assert told[1].startswith("Row 3, column product: There is no product 'Cold Brew Kid' of Harb")
    assert len(told) == 2
    assert simulator.api.counts["creates"] == 0


# The command


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAL_API_KEY", raising=False)


@pytest.mark.usefixtures("no_key")
def test_a_dry_run_without_a_key_says_what_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([MATRIX, str(tmp_path / "out.csv"), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Rows:              3\nNames, filters and * were not looked up")
    assert "SAL_API_KEY" in told
    assert main([MATRIX, str(tmp_path / "out.csv")]) == 2
    assert "No API key" in capsys.readouterr().err


@pytest.mark.usefixtures("no_key")
def test_a_simulated_dry_run_looks_names_up_in_the_simulator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([MATRIX, str(tmp_path / "out.csv"), "--dry-run", "--simulate"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    says = r"The spreadsheet's 3 rows make (\d+) ads, which cost up to \1\.00 USD\."
    assert re.fullmatch(says, first)
    assert list(tmp_path.iterdir()) == []


def test_with_a_key_a_dry_run_tells_what_is_wrong_with_names(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    simulator: SimulatorServer,
) -> None:
    set_key(monkeypatch, simulator)
    place = write(tmp_path, ("Harbour Roast", "Cold Brew Kit", "", "*", "*", "", ""))
    arguments = [place, str(tmp_path / "out.csv"), "--dry-run"]
    assert main(arguments) == 2
    assert "Did you mean 'Harbor Roast'?" in capsys.readouterr().err
    assert main([*arguments, "--no-preflight"]) == 2


def test_what_needs_no_key_is_told_before_prefect_and_the_api_are_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAL_API_KEY", "sal_live_x")
    monkeypatch.setenv("SAL_BASE_URL", "http://127.0.0.1:9")
    place = write(tmp_path, ("Harbor Roast", "Cold Brew Kit", "", "", "*", "", "{prise}"))
    assert main([place, str(tmp_path / "out.csv")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[1] == "Row 2, column audience: is empty. Name an audience, or put its id here."
    assert told[2].startswith(
        "Row 2, column prompt: {prise} is no column. There are, the most similar first: price, "
    )
    assert len(told) == 3
    place = write(tmp_path, ("Harbor Roast", "Cold Brew Kit", "", "*", "*", "", ""))
    assert main([place, str(tmp_path / "none" / "out.csv")]) == 2
    assert "There is no folder" in capsys.readouterr().err


def test_a_simulation_of_names_is_not_mixed_into_real_ads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = write(tmp_path, ("Alder & Co", "Tea", "", "*", "*", "", ""))
    made = Campaign.open(Brief.open(place), str(tmp_path / "out.csv"), catalogue=SHOP)
    url = "https://cdn.example.com/1.png"
    made.table.update(0, JobState(RowStatus.COMPLETED, "ia_1", url, attempts=1))
    made.table.save_now()
    place = write(tmp_path, ("Harbor Roast", "Cold Brew Kit", "", "*", "*", "", ""))
    assert main([place, str(tmp_path / "out.csv"), "--simulate"]) == 2
    assert "was made with the real API" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_a_killed_matrix_goes_on_and_pays_for_each_ad_once(
    tmp_path: Path, prefect_server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(*ESPRESSO, "*", "*", "ad_format=Sale", str(n), "{price}") for n in range(7)]
    arguments = [write(tmp_path, *rows), str(tmp_path / "out.csv")]
    with killed_on_its_way(arguments, prefect_server, monkeypatch) as simulator:
        rows = [("HARBOR ROAST", *row[1:]) for row in reversed(rows)]
        write(tmp_path, *rows)
        assert main(arguments) == 0
        assert {row["image_ad_id"] for row in table(tmp_path)} == set(simulator.api.jobs)
        assert len(simulator.api.jobs) == 7 * 6


@pytest.mark.usefixtures("prefect_server")
def test_the_command_runs_names_on_the_simulator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([NAMES, str(tmp_path / "out.csv"), "--simulate"]) == 0
    told = capsys.readouterr()
    assert "SIMULATION" in told.err
    assert told.out.startswith("14 of 14 rows completed, 14.00 USD")
