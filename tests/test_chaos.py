"""Campaigns in the worst of worlds: a few with every test, more with `make chaos`."""

from __future__ import annotations

import os

import pytest

from tests.processes import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process for each run")


def chaos(**options: int) -> dict[str, int]:
    """The figures of that many campaigns."""
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    status, out, err = run("-m", "tests.chaos", *arguments, env=os.environ)
    print(out)
    assert status == 0, out + err
    lines = (line.rsplit(":", 1) for line in out.splitlines() if ":" in line)
    return {name: int(number) for name, number in lines}


def test_some_campaigns_pay_once_and_lose_nothing() -> None:
    figures = chaos(campaigns=5, seed=7, workers=2)
    assert figures["campaigns"] == 5
    assert figures["violations"] == 0
    assert min(figures[name] for name in ("ads", "faults", "kills", "replayed")) > 0


@pytest.mark.chaos
def test_many_campaigns_pay_once_and_lose_nothing() -> None:
    # Half of the time a campaign waits, for a kill or for a pause to end. They show that real
    # processes behave like those of `tests/simulation`, which sees everything else.
    figures = chaos(campaigns=70, seed=1, workers=8)
    assert figures["campaigns"] == 70
    assert figures["violations"] == 0
    assert min(figures[name] for name in ("edits", "days passed", "terminations")) > 0
