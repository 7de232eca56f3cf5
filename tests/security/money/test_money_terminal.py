"""At a real terminal a command asks above a sum, and everything but a yes is a no."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import ROOT, simulated_ids
from tests.security.money.test_money_command import written
from tests.support.processes import Terminal

EDITABLE = 26
"""Rows of editable ads that cost more than what a command starts without asking."""


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
