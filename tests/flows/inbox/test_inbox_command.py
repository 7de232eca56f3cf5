"""The inbox's command: in processes of its own, ended in the middle, simulated and refused."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from prefect_staticadslab.cli.commands.inbox import main
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import key_of
from tests.flows.inbox.inboxes import names, rows, statuses
from tests.support.processes import Ended, ended, start, until

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def slow_simulator() -> Iterator[SimulatorServer]:
    """One whose jobs take minutes, so that it is still busy when somebody interrupts."""
    with SimulatorServer(speed=0.1, rate_limit=10_000) as server:
        yield server


QUICKLY_DONE = """\
from prefect_staticadslab.campaign.pipeline import poll_schedule, session
from prefect_staticadslab.cli.commands.inbox import main

session.TIMING = poll_schedule.Timing(poll_seconds=0.3)
raise SystemExit(main())
"""
"""The same command, which takes ads for ones that are soon completed."""


def command(
    folder: Path,
    environment: dict[str, str],
    simulator: SimulatorServer,
    *program: str,
) -> subprocess.Popen[str]:
    key = key_of(simulator)
    arguments = (*(program or ("flows/inbox.py",)), str(folder), "--settle-seconds", "0")
    return start(*arguments, env={**environment, **key})


def finished(process: subprocess.Popen[str]) -> Ended:
    told = ended(process)
    assert "Traceback" not in told.err, told.err
    return told


def test_two_processes_at_once_make_each_ad_once(
    tmp_path: Path, prefect_server: dict[str, str], simulator: SimulatorServer
) -> None:
    (tmp_path / "one.csv").write_text(rows("a", "b", "c"))
    (tmp_path / "two.csv").write_text(rows("d"))
    both = [command(tmp_path, prefect_server, simulator) for _ in range(2)]
    assert [finished(process)[0] for process in both] == [0, 0]
    assert statuses(tmp_path / "one-results.csv") == ["completed"] * 3
    assert len(simulator.api.jobs) == 4


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_what_is_ended_in_the_middle_goes_on_the_next_time(
    tmp_path: Path,
    prefect_server: dict[str, str],
    slow_simulator: SimulatorServer,
    how: signal.Signals,
) -> None:
    (tmp_path / "one.csv").write_text(rows("a", "x", "c"))
    (tmp_path / "two.csv").write_text(rows("d"))
    os.utime(tmp_path / "one.csv", (1, 1))
    process = command(tmp_path, prefect_server, slow_simulator)
    until(lambda: len(slow_simulator.api.jobs) >= 3, process)
    process.send_signal(how)
    assert ended(process).status == (130 if how is signal.SIGINT else -9)
    api = slow_simulator.api
    assert len(api.jobs) == 3
    api.age(3600)
    api.settings = replace(api.settings, speed=300)
    (tmp_path / "one.csv").write_text(rows("a", "b", "c"))
    again = command(tmp_path, prefect_server, slow_simulator, "-c", QUICKLY_DONE)
    status, out, _ = finished(again)
    assert (status, len(api.jobs)) == (0, 5), out


def test_a_simulation_is_forgotten_by_real_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text(rows("1"))
    assert main([str(tmp_path), "--simulate", "--settle-seconds", "0"]) == 0
    assert names(tmp_path) >= {"a-results.csv", "a-results.html", "a-results-pictures"}
    capsys.readouterr()
    assert main([str(tmp_path), "--simulate", "--settle-seconds", "0"]) == 0
    assert "1 finished before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--results", "{nme}.csv"], "there is no {nme}"),
        (["--time-zone", "Berlin"], "Europe/Berlin"),
    ],
)
def test_the_command_refuses_with_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    says: str,
) -> None:
    assert main([str(tmp_path), *options]) == 2
    assert says in capsys.readouterr().err
    assert main([str(tmp_path / "none")]) == 2
    assert f"There is no folder {tmp_path / 'none'}." in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert main(["none"]) == 2
    assert f"There is no folder none in {tmp_path}." in capsys.readouterr().err
