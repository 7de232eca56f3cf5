"""`pytest tests/simulation --seed N` lives one drawn campaign again, exactly as it was."""

from __future__ import annotations

import logging

import pytest

from prefect_staticadslab.campaign.pipeline import session
from prefect_staticadslab.campaign.pipeline.poll_schedule import Timing


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--seed`."""
    parser.addoption("--seed", default="", help="a seed that the simulation printed")


@pytest.fixture(autouse=True)
def _as_users_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time costs nothing."""
    monkeypatch.setattr(session, "TIMING", Timing())


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "prefect_staticadslab")
