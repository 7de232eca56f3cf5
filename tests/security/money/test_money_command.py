"""A command says what it will cost, and above a sum it starts nothing nobody agreed to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names import lookup
from prefect_staticadslab.campaign.names.listings import Listing, ListKey
from prefect_staticadslab.campaign.reports.job_words import ADS, REVISIONS
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.rows.resource_types import ResourceType
from prefect_staticadslab.campaign.table.limits import ASK_ABOVE_USD
from prefect_staticadslab.cli import here, options, prefect_runs
from prefect_staticadslab.cli.commands import campaign as campaign_command
from prefect_staticadslab.cli.commands import design_templates as templates_command
from prefect_staticadslab.cli.commands import inbox as inbox_command
from prefect_staticadslab.cli.commands import revise as revise_command
from prefect_staticadslab.cli.commands import watch as watch_command
from prefect_staticadslab.cli.spending import Consent, consent, cost_line
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import ROOT, write_campaign

MANY = 101
"""Rows that cost more than what a command starts without asking."""

Capture = pytest.CaptureFixture[str]

CHANGE = '"{""a"": {""characters"": ""b""}}"'


# The decision


@pytest.mark.parametrize(
    ("usd", "has_limit", "is_agreed", "is_billed", "on_terminal", "decided"),
    [
        ("0", False, False, True, False, Consent.GIVEN),
        ("100", False, False, True, False, Consent.GIVEN),
        ("100.01", False, False, True, False, Consent.MISSING),
        ("100.01", False, False, True, True, Consent.ASKED),
        ("50000", True, False, True, False, Consent.GIVEN),
        ("50000", True, False, True, True, Consent.GIVEN),
        ("50000", False, True, True, False, Consent.GIVEN),
        ("50000", False, True, True, True, Consent.GIVEN),
        ("50000", False, False, False, False, Consent.GIVEN),
        ("50000", False, False, False, True, Consent.GIVEN),
    ],
)
def test_whether_a_command_may_go_ahead(
    usd: str,
    has_limit: bool,
    is_agreed: bool,
    is_billed: bool,
    on_terminal: bool,
    decided: Consent,
) -> None:
    given = consent(
        Decimal(usd),
        has_limit=has_limit,
        is_agreed=is_agreed,
        is_billed=is_billed,
        on_terminal=on_terminal,
    )
    assert given is decided


def test_what_it_costs_is_said_on_one_line(tmp_path: Path) -> None:
    plan = Plan.of(Campaign.open(write_campaign(tmp_path, "a"), str(tmp_path / "out.csv")).table)
    assert cost_line(plan, ADS) == "1 ad to create, up to 1.00 USD."
    assert cost_line(plan, REVISIONS).startswith("1 revision to make, up to 1.00 USD. What a")


# Without a terminal


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("key")
def test_without_a_terminal_a_campaign_above_the_sum_is_refused(
    tmp_path: Path, simulator: SimulatorServer, capsys: Capture
) -> None:
    place = write_campaign(tmp_path, *map(str, range(MANY)))
    assert campaign_command.main([place, str(tmp_path / "out.csv")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "101 ads to create, up to 101.00 USD.",
        "Nothing was created.",
        "This costs up to 101.00 USD, and above 100.00 USD somebody has to agree. "
        "Give it a limit, --max-spend-usd 101.00, or agree with --yes.",
    ]
    assert simulator.api.counts["requests"] == 0
    assert written(tmp_path) == ["in.csv"]


@pytest.mark.usefixtures("key")
def test_what_may_not_be_meant_is_said_along_with_what_it_costs(
    tmp_path: Path, capsys: Capture
) -> None:
    place = write_campaign(tmp_path, *map(str, range(MANY)), "1", "")
    assert campaign_command.main([place, str(tmp_path / "out.csv")]) == 2
    assert capsys.readouterr().err.splitlines()[:3] == [
        "103 ads to create, up to 103.00 USD.",
        "1 row asks for the same ad as an earlier one: row 103.",
        "1 row has no prompt: row 104.",
    ]


@pytest.mark.usefixtures("key")
def test_names_are_looked_up_so_that_their_cost_can_be_said(
    tmp_path: Path, simulator: SimulatorServer, capsys: Capture
) -> None:
    place = tmp_path / "in.csv"
    place.write_text(
        "brand,product,audience,design_template,editable\nFernweh Outdoor,*,*,*,true\n"
    )
    assert campaign_command.main([str(place), str(tmp_path / "out.csv")]) == 2
    told = capsys.readouterr().err
    assert told.startswith("1 row makes 48 ads; 48 ads to create, up to 192.00 USD.\n")
    assert simulator.api.counts["creates"] == 0
    assert written(tmp_path) == ["in.csv"]


@pytest.mark.usefixtures("key")
def test_revisions_above_the_sum_are_refused_alike(
    tmp_path: Path, simulator: SimulatorServer, capsys: Capture
) -> None:
    lines = [f"ia_{number},{CHANGE}" for number in range(26)]
    (tmp_path / "in.csv").write_text("\n".join(["image_ad_id,node_overrides", *lines, ""]))
    assert revise_command.main([str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]) == 2
    told = capsys.readouterr().err
    assert told.startswith("26 revisions to make, up to 104.00 USD. What a revision costs is not")
    assert "--max-spend-usd 104.00, or agree with --yes" in told
    assert simulator.api.counts["requests"] == 0
    assert written(tmp_path) == ["in.csv"]


@pytest.mark.usefixtures("key")
def test_design_templates_above_the_sum_are_refused_alike(
    tmp_path: Path,
    simulator: SimulatorServer,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("prefect_staticadslab.cli.spending.ASK_ABOVE_USD", 0.99)
    references = str(ROOT / "examples" / "references")
    assert templates_command.main([references, str(tmp_path / "out.csv")]) == 2
    told = capsys.readouterr().err
    assert told.startswith("4 design templates to create, up to 1.00 USD.\n")
    assert "--max-spend-usd 1.00, or agree with --yes" in told
    assert simulator.api.counts["creates"] == 0
    assert written(tmp_path) == []


@pytest.mark.parametrize("option", ["-1", "nan", "inf", "1e999", "abc", ""])
@pytest.mark.parametrize(
    "command", [campaign_command, revise_command, templates_command, inbox_command, watch_command]
)
def test_an_option_that_is_no_sum_is_refused(command: object, option: str, capsys: Capture) -> None:
    arguments = ["in.csv"] if command in (inbox_command, watch_command) else ["in.csv", "out.csv"]
    with pytest.raises(SystemExit) as refused:
        command.main([*arguments, f"--max-spend-usd={option}"])  # type: ignore[attr-defined]
    assert refused.value.code == 2
    assert "is not an amount in USD, 0 or more" in capsys.readouterr().err


@pytest.mark.usefixtures("key")
def test_a_limit_of_0_is_that_nothing_may_be_spent(
    tmp_path: Path, simulator: SimulatorServer, capsys: Capture
) -> None:
    arguments = [write_campaign(tmp_path, "a"), str(tmp_path / "out.csv"), "--max-spend-usd", "0"]
    assert campaign_command.main(arguments) == 2
    assert "This costs up to 1.00 USD, and the limit is 0.00" in capsys.readouterr().err
    assert simulator.api.counts["requests"] == 0
    assert written(tmp_path) == ["in.csv"]


@pytest.mark.usefixtures("prefect_server", "key")
def test_what_is_small_goes_ahead_and_what_is_paid_for_costs_nothing_to_collect(
    tmp_path: Path, capsys: Capture
) -> None:
    """A table of 150 USD that was paid for is not asked about again; only its new row counts."""
    prompts = [*map(str, range(150)), "new"]
    place, output = write_campaign(tmp_path, *prompts), str(tmp_path / "out.csv")
    made = Campaign.open(place, output).table
    for position in range(150):
        url = f"http://127.0.0.1/{position}.png"
        paid = JobState(RowStatus.COMPLETED, f"ia_{position}", url, cost_usd=Decimal(1), attempts=1)
        made.update(position, paid)
    made.save_now()
    assert campaign_command.main([place, output]) == 0
    told = capsys.readouterr()
    assert told.err.startswith("1 ad to create, up to 1.00 USD.\n")
    assert told.out.startswith("151 of 151 rows completed")
    assert campaign_command.main([place, output]) == 0
    # Prefect's log, which has such words, is here if no flow ran before in this process.
    assert not re.search(r"^\d+ ads? to create", capsys.readouterr().err, re.MULTILINE)


@pytest.mark.usefixtures("prefect_server", "key")
@pytest.mark.parametrize(("runs", "name"), [(prefect_runs, "run_flow"), (here, "run_here")])
def test_a_spreadsheet_that_grows_after_its_cost_was_said_is_refused(
    tmp_path: Path,
    simulator: SimulatorServer,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    runs: ModuleType,
    name: str,
) -> None:
    place = write_campaign(tmp_path, "a", "b")
    run = getattr(runs, name)

    def grown(call: object, **named: object) -> object:
        write_campaign(tmp_path, "a", "b", "c")
        return run(call, **named)

    monkeypatch.setattr(runs, name, grown)
    monkeypatch.setattr(options, "has_prefect_api", lambda: runs is prefect_runs)
    assert campaign_command.main([place, str(tmp_path / "out.csv")]) == 2
    told = capsys.readouterr().err
    assert "2 ads to create, up to 2.00 USD." in told
    assert "This costs up to 3.00 USD, and the limit is 2.00." in told
    assert simulator.api.counts["creates"] == 0


@pytest.mark.usefixtures("prefect_server")
def test_a_simulation_never_asks(tmp_path: Path, capsys: Capture) -> None:
    place = write_campaign(tmp_path, "a", "b")
    with pytest.MonkeyPatch.context() as small:
        small.setattr("prefect_staticadslab.cli.spending.ASK_ABOVE_USD", 1.0)
        assert campaign_command.main([place, str(tmp_path / "out.csv"), "--simulate"]) == 0
    assert "nothing is billed" in capsys.readouterr().err


def test_what_a_command_starts_unasked_is_no_more_than_what_is_documented() -> None:
    assert ASK_ABOVE_USD == 100
    for page in ("campaign", "templates", "revise"):
        assert "above 100 USD" in (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("prefect_server", "key")
def test_saying_the_cost_of_names_asks_for_no_list_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[object, str]] = []
    ask = lookup._read_lists

    async def counted(
        client: StaticAdsLabClient, kind: ResourceType, parents: Sequence[str]
    ) -> dict[ListKey, Listing]:
        read.extend((kind, parent) for parent in parents)
        return await ask(client, kind, parents)

    monkeypatch.setattr(lookup, "_read_lists", counted)
    names = str(ROOT / "examples" / "names.csv")
    assert campaign_command.main([names, str(tmp_path / "out.csv")]) == 0
    assert len(read) == len(set(read)) > 0
    by_flow = len(read)
    read.clear()
    (tmp_path / "out.csv").unlink()
    assert campaign_command.main([names, str(tmp_path / "o.csv"), "--max-spend-usd", "14"]) == 0
    assert len(read) == by_flow
