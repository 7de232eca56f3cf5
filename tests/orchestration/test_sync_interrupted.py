"""Flows that are not async, interrupted in the middle: the record is whole, and paid for once."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import key_of, write_campaign
from tests.support.gate import closed_gate
from tests.support.processes import ended, start, until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")

SCRIPT = """
import asyncio, sys
from prefect import flow
from prefect_staticadslab import StaticAdsLabCredentials, run_campaign
from prefect_staticadslab.campaign.pipeline import poll_schedule, session

session.TIMING = poll_schedule.Timing(poll_seconds=0.3)

@flow
def nightly(source: str, output: str) -> str:
    credentials = StaticAdsLabCredentials.from_environment()
    return run_campaign(source, output, credentials, max_spend_usd=1000).state.message

@flow
async def around(source: str, output: str) -> str:
    return nightly(source, output)

kind, *places = sys.argv[1:]
print(nightly(*places) if kind == "sync" else asyncio.run(around(*places)))
"""


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("sync", signal.SIGINT),
        ("sync", signal.SIGTERM),
        ("sync", signal.SIGKILL),
        ("sync in async", signal.SIGINT),
        ("sync in async", signal.SIGTERM),
    ],
)
def test_a_sync_flow_that_is_interrupted_and_run_again_pays_once(
    tmp_path: Path, prefect_server: dict[str, str], kind: str, number: signal.Signals
) -> None:
    script = tmp_path / "nightly.py"
    script.write_text(SCRIPT)

    def nightly(simulator: SimulatorServer) -> subprocess.Popen[str]:
        environment = key_of(simulator)
        return start(
            *(str(script), kind, place, str(tmp_path / "out.csv")),
            env=prefect_server | environment,
        )

    with SimulatorServer(speed=300, rate_limit=10_000, answer_seconds=0.1) as simulator:
        place = write_campaign(tmp_path, *map(str, range(50)))
        with closed_gate(simulator, after=10) as gate:
            process = nightly(simulator)
            until(lambda: len(simulator.api.jobs) >= 10, process)
            process.send_signal(number)
            if number == signal.SIGKILL:
                process.wait()
            gate.set()
            status, out, err = ended(process)
        assert status != 0, out
        created = set(simulator.api.jobs)
        assert 10 <= len(created) < 50, err
        if number != signal.SIGKILL:
            assert ids(tmp_path) == created, err
        again = ended(nightly(simulator))
        assert "50 of 50 rows completed" in again.out, again.err
        assert ids(tmp_path) == set(simulator.api.jobs)
        assert len(simulator.api.jobs) == 50


def ids(folder: Path) -> set[str]:
    return set(read_spreadsheet(str(folder / "out.csv")).frame["image_ad_id"]) - {""}
