"""Campaigns of real processes in the worst of worlds, with `make chaos`."""

from __future__ import annotations

import os

import pytest

from tests.support.processes import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process for each run")


@pytest.mark.chaos
def test_many_campaigns_pay_once_and_lose_nothing() -> None:
    # Half of the time a campaign waits, for a kill or for a pause to end. They show that real
    # processes behave like those of `tests/simulation`, which sees everything else.
    status, out, err = run(
        *("-m", "tests.simulation.chaos", "--campaigns", "70", "--seed", "1", "--workers", "8"),
        env=os.environ,
    )
    print(out)
    assert status == 0, out + err
    lines = (line.rsplit(":", 1) for line in out.splitlines() if ":" in line)
    figures = {name: int(number) for name, number in lines}
    assert figures["campaigns"] == 70
    assert figures["violations"] == 0
    happened = ("ads", "faults", "kills", "terminations", "replayed", "edits", "days passed")
    assert all(figures[name] for name in happened)
