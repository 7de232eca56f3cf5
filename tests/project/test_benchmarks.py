"""The benchmark runs: each contender with a few ads, and what is said of it adds up."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import CONTENDERS, main
from benchmarks.costs import Cost, cost_table, strangers_of
from benchmarks.report import plot_costs
from benchmarks.strangers import line


def test_a_small_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--only", "the "]
    assert main(["--rows", "12", "--speed", "60", *chosen, "--output", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    names = [c.name for c in CONTENDERS if "the " in c.name.casefold()]
    assert len(names) == 4
    lines = {
        line.split("|")[1].strip(): line.split("|") for line in out.splitlines() if "|" in line
    }
    assert set(names) <= set(lines)
    loop = lines["The guide's loop, a worker per ad"]
    assert float(loop[4]) >= 2  # requests per ad
    assert loop[6].strip() == loop[7].strip() == "0"
    # The last ten rows equal the first ones, and the rows' hash is the cookbook's key.
    assert int(lines["The same, waiting on 429"][6]) >= 10
    assert (tmp_path / "benchmark.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "benchmark.md").read_text() == out


def test_a_run_of_strangers_is_a_line() -> None:
    measured = strangers_of([[1, 3], [2, 4, 5, 6]], [0, 12], 10, 1)
    assert line(3, measured, poll_seconds=2) == "| 3 | 1.000 | 0.67, 0.33 | 1 |"


def test_costs_are_a_table_and_a_picture(tmp_path: Path) -> None:
    costs = [
        Cost("CPU of a refused spreadsheet", "0.50 s", 0.7, "import pandas"),
        strangers_of([[1, 3], [2, 4, 5, 6]], [0, 12], 10, 1).cost(),
    ]
    assert cost_table(costs).splitlines()[2:] == [
        "| CPU of a refused spreadsheet | 0.50 s | 0.70 × import pandas |",
        "| 2 rows beside 4 on one key | 2 created after 3.0 s with a share of 0.67 until then; all "
        "after 6.0 s; 1 × 429 | 1.20 × the least possible makespan |",
    ]
    plot_costs(costs, tmp_path / "costs.png", title="What a campaign costs")
    assert (tmp_path / "costs.png").read_bytes().startswith(b"\x89PNG")
