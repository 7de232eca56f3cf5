"""The benchmark runs: each contender with a few ads, and what is said of it adds up."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import CONTENDERS, main


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
