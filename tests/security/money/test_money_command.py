"""A command says what it will cost, and above a sum it asks, at a real terminal or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names import lookup
from prefect_staticadslab.campaign.names.listings import Listing, ListKey
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.reports.work import ADS, REVISIONS
from prefect_staticadslab.campaign.rows.resource_types import ResourceType
from prefect_staticadslab.campaign.table.limits import ASK_ABOVE_USD
from prefect_staticadslab.cli import here, options, prefect_runs
from prefect_staticadslab.cli.commands import campaign as campaign_command
from prefect_staticadslab.cli.commands import design_templates as templates_command
from prefect_staticadslab.cli.commands import inbox as inbox_command
from prefect_staticadslab.cli.commands import revise as revise_command
from prefect_staticadslab.cli.commands import watch as watch_command
from prefect_staticadslab.cli.spending import Consent, consent, cost_line
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import ROOT, simulated_ids, write_campaign
from tests.support.processes import Terminal

MANY = 101
"""Rows that cost more than what a command starts without asking."""

EDITABLE = 26
"""Rows that do so if their ads are editable."""

Capture = pytest.CaptureFixture[str]

CHANGE = '"{""a"": {""characters"": ""b""}}"'


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    """One whose jobs take no time worth mentioning."""
    with SimulatorServer(speed=300, rate_limit=10_000) as server:
        yield server


@pytest.fixture
def key(simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A key in the environment, as a user has it."""
    environment = {"SAL_API_KEY": SIMULATOR_API_KEY, "SAL_BASE_URL": simulator.url}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


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


# At a terminal


def terminal_of(folder: Path, environment: dict[str, str], *options: str) -> Terminal:
    """A real command above the sum: editable ads cost the most, so it needs the fewest of them."""
    ids = simulated_ids()
    lines = [",".join([*ids.values(), str(n), "true"]) for n in range(EDITABLE)]
    (folder / "in.csv").write_text("\n".join([",".join([*ids, "prompt", "editable"]), *lines, ""]))
    return Terminal(
        *("flows/campaign.py", str(folder / "in.csv"), str(folder / "out.csv"), *options),
        env=environment,
        waits_for="[y/N]",
    )


@pytest.mark.parametrize("keys", [b"n\n", b"\n", b"\x04", b"maybe\n", b"Y E S\n", b"no\n"])
def test_at_a_terminal_everything_but_a_yes_is_a_no(
    tmp_path: Path,
    prefect_server: dict[str, str],
    key: dict[str, str],
    simulator: SimulatorServer,
    keys: bytes,
) -> None:
    terminal = terminal_of(tmp_path, prefect_server | key)
    status, out = terminal.answers(keys)
    assert "This costs up to 104.00 USD. Create 26 ads? [y/N]" in terminal.shown
    assert (status, out) == (2, "")
    assert "Nothing was created." in terminal.shown
    assert "That was not agreed to." in terminal.shown
    assert "Traceback" not in terminal.shown
    assert simulator.api.counts["requests"] == 0
    assert written(tmp_path) == ["in.csv"]


def test_ctrl_c_at_the_question_is_an_interruption_and_nothing_is_created(
    tmp_path: Path,
    prefect_server: dict[str, str],
    key: dict[str, str],
    simulator: SimulatorServer,
) -> None:
    terminal = terminal_of(tmp_path, prefect_server | key)
    terminal.wait()
    terminal.process.send_signal(2)
    # It may arrive just before the command reads, and then only a line wakes it.
    status, _ = terminal.answers(b"y\n")
    assert status == 130
    assert simulator.api.counts["requests"] == 0
    assert written(tmp_path) == ["in.csv"]


@pytest.mark.parametrize("keys", [b"y\n", b" Yes\n"])
def test_at_a_terminal_a_yes_goes_ahead(
    tmp_path: Path,
    prefect_server: dict[str, str],
    key: dict[str, str],
    simulator: SimulatorServer,
    keys: bytes,
) -> None:
    terminal = terminal_of(tmp_path, prefect_server | key)
    status, out = terminal.answers(keys)
    assert status == 0, terminal.shown
    assert out.startswith("26 of 26 rows completed, 104.00 USD")
    assert len(simulator.api.jobs) == EDITABLE


@pytest.mark.parametrize("option", [["--yes"], ["--max-spend-usd", "104"]])
def test_who_has_said_so_before_is_not_asked(
    tmp_path: Path,
    prefect_server: dict[str, str],
    key: dict[str, str],
    simulator: SimulatorServer,
    option: list[str],
) -> None:
    terminal = terminal_of(tmp_path, prefect_server | key, *option)
    status, _ = terminal.answers(b"")
    assert status == 0, terminal.shown
    assert "[y/N]" not in terminal.shown
    assert "26 ads to create, up to 104.00 USD." in terminal.shown
    assert len(simulator.api.jobs) == EDITABLE


def test_with_names_and_a_limit_the_flow_says_the_cost_at_the_terminal(
    tmp_path: Path,
    prefect_server: dict[str, str],
    key: dict[str, str],
    simulator: SimulatorServer,
) -> None:
    names = str(ROOT / "examples" / "names.csv")
    arguments = ["flows/campaign.py", names, str(tmp_path / "out.csv"), "--max-spend-usd", "14"]
    terminal = Terminal(*arguments, env=prefect_server | key, waits_for="[y/N]")
    status, _ = terminal.answers(b"")
    assert status == 0, terminal.shown
    assert "14 to create, up to 14.00 USD" in terminal.shown
    assert len(simulator.api.jobs) == 14


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
