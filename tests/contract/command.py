"""Running the command in this process, against whatever answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab.contract.__main__ import main
from prefect_staticadslab.contract.timing import Timing
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer

QUICK = Timing(stream_seconds=5.0, poll_seconds=0.02, ad_seconds=600.0)
"""Two seconds would be the least that the vendor asks for, of an API that is not simulated."""


@dataclass(frozen=True)
class Run:
    """What a run of the command came to."""

    status: int
    out: str
    err: str
    report: dict[str, Any]

    def named(self, verdict: str) -> set[str]:
        """The assumptions of this verdict."""
        entries = self.report["assumptions"]
        return {entry["name"] for entry in entries if entry["verdict"] == verdict}

    def seen(self, name: str) -> str:
        """What was seen of an assumption."""
        entries = {entry["name"]: entry["seen"] for entry in self.report["assumptions"]}
        return str(entries[name])


@dataclass
class Contract:
    """The command, with a place for its report."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, url: str, key: str = SIMULATOR_API_KEY) -> Run:
        """Runs it against an address."""
        self.monkeypatch.setenv("SAL_API_KEY", key)
        self.monkeypatch.setenv("SAL_BASE_URL", url)
        file = self.folder / "contract.json"
        self.capsys.readouterr()
        status = main([*arguments, "--json", str(file)], QUICK)
        out, err = self.capsys.readouterr()
        report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return Run(status, out, err, report)

    def against(self, server: SimulatorServer, *arguments: str) -> Run:
        """Runs it against a simulator."""
        return self(*arguments, url=server.url)
