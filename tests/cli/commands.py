"""The campaign command in a process of its own, and the table that it leaves."""

from __future__ import annotations

import subprocess
from collections.abc import Hashable, Sequence
from pathlib import Path

from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import ROOT
from tests.support.processes import Ended, ended, start

EXAMPLE = str(ROOT / "examples" / "campaign.csv")


def command(
    arguments: Sequence[str],
    prefect_server: dict[str, str],
    simulator: SimulatorServer | None,
    *program: str,
) -> subprocess.Popen[str]:
    environment = dict(prefect_server)
    if simulator is not None:
        environment |= {"SAL_API_KEY": SIMULATOR_API_KEY, "SAL_BASE_URL": simulator.url}
    return start(*(program or ("flows/campaign.py",)), *arguments, env=environment)


def finished(process: subprocess.Popen[str]) -> Ended:
    told = ended(process)
    assert "Traceback" not in told.err, told.err
    assert "Warning" not in told.err, told.err
    return told


def table(folder: Path) -> list[dict[Hashable, str]]:
    return read_spreadsheet(str(folder / "out.csv")).frame.to_dict("records")
