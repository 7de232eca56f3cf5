"""The campaign command in a process of its own, and the table that it leaves."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

import pytest

from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import ROOT, key_of, set_key
from tests.support.gate import closed_gate
from tests.support.processes import Ended, ended, start, until

EXAMPLE = str(ROOT / "examples" / "campaign.csv")


def command(
    arguments: Sequence[str],
    prefect_server: dict[str, str],
    simulator: SimulatorServer | None,
    *program: str,
) -> subprocess.Popen[str]:
    environment = dict(prefect_server)
    if simulator is not None:
        environment |= key_of(simulator)
    return start(*(program or ("flows/campaign.py",)), *arguments, env=environment)


@contextlib.contextmanager
def killed_on_its_way(
    arguments: Sequence[str], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[SimulatorServer]:
    """A simulator that this process finds, after a command that was killed at its twelfth ad."""
    with (
        SimulatorServer(speed=300, rate_limit=10_000, answer_seconds=0.2) as simulator,
        closed_gate(simulator, after=12) as gate,
    ):
        process = command(arguments, environment, simulator)
        until(lambda: len(simulator.api.jobs) >= 12, process)
        process.kill()
        gate.set()
        process.communicate()
        set_key(monkeypatch, simulator)
        yield simulator


def finished(process: subprocess.Popen[str]) -> Ended:
    told = ended(process)
    assert "Traceback" not in told.err, told.err
    assert "Warning" not in told.err, told.err
    return told


def table(folder: Path) -> list[dict[Hashable, str]]:
    return read_spreadsheet(str(folder / "out.csv")).frame.to_dict("records")
