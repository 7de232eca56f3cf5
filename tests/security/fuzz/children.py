"""A process of its own for each target, so that what ends one is told, and ends no other."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.security.fuzz.examine import Finding, Report, examine
from tests.security.fuzz.target import Target
from tests.support.processes import kill, start

AT_ONCE: Final = 2
"""Targets that run side by side."""

ADDRESS_SPACE: Final = 4 * 1024**3
"""Bytes; so a parser that takes all memory there is raises an error, and the machine lives on."""

GRACE_SECONDS: Final = 900
"""More than the last input and making it smaller take, if there is an end to them."""

REPORT: Final = "report "
"""How the line begins in which a child reports."""


def run_here(target: Target, *, seed: int, seconds: float, folder: Path) -> None:
    """Fuzzes a target in this process, which is a child's, and prints its report."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    report = examine(target, seed=seed, seconds=seconds, folder=folder)
    print(f"\n{REPORT}{json.dumps(report.to_json())}")


def run_all(names: list[str], *, seed: int, seconds: float, folder: Path) -> list[Report]:
    """Fuzzes targets in children, and prints each report when it is there."""

    def run(name: str) -> Report:
        report = _run_child(name, seed=seed, seconds=seconds, folder=folder)
        print(told(report, seed), flush=True)
        return report

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(run, names))


def _run_child(name: str, *, seed: int, seconds: float, folder: Path) -> Report:
    command = ["-X", "faulthandler", "-m", "tests.security.fuzz", name]
    command += ["--child", "--seed", str(seed), "--seconds", str(seconds), "--folder", str(folder)]
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        # A start of its own: memory and what is imported are among what is examined.
        child = start(*command, env=os.environ, stdout=output, stderr=output, cold=True)
    try:
        how = f"the process ended with status {child.wait(timeout=seconds + GRACE_SECONDS)}"
    except subprocess.TimeoutExpired:
        kill(child)
        how = "the process did not end"
    last = log.read_text(encoding="utf-8", errors="replace").rpartition(f"\n{REPORT}")
    if last[1]:
        return Report.from_json(json.loads(last[2]))
    current = next((str(path) for path in folder.glob(f"{name}-current.*")), "")
    finding = Finding("died", f"{how}; see {log}", current)
    return Report(name, seconds=seconds, findings=[finding])


def told(report: Report, seed: int) -> str:
    """A report for people: a line, and one for each finding with how to see it again."""
    lines = [
        f"{report.target:<20} {report.seconds:7.0f} s {report.inputs:10,} inputs "
        f"{report.accepted:10,} accepted {report.refused:10,} refused "
        f"{report.peak_megabytes:6,} MB {report.slowest:7.2f} s the slowest  "
        f"{len(report.findings)} found (seed {seed})"
    ]
    for finding in report.findings:
        lines.append(f"  {finding.kind}: {finding.message.strip().splitlines()[-1][:300]}")
        lines.append(f"    python -m tests.security.fuzz {report.target} --repeat {finding.input}")
    return "\n".join(lines)
