"""Each parser of what arrives, given a few of the inputs of `python -m tests.security.fuzz`."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.security.fuzz.examine import examine, repeat
from tests.security.fuzz.target import Target, promise
from tests.security.fuzz.targets import TARGETS

SEED = 20261125
INPUTS = 25
"""Of each target; all together take some ten seconds, and `make fuzz` an hour for each."""


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("default")
def test_nothing_that_arrives_makes_a_parser_crash(name: str) -> None:
    report = examine(TARGETS[name], seed=SEED, count=INPUTS, smallest=False)
    assert [f"{found.kind}: {found.message}: {found.input}" for found in report.findings] == []
    assert report.accepted + report.refused == report.inputs >= INPUTS // 2


def test_the_same_seed_makes_the_same_inputs() -> None:
    first, second = (examine(TARGETS["kits"], seed=1, count=20) for _ in range(2))
    assert (first.inputs, first.refused) == (second.inputs, second.refused)


def test_the_fuzz_finds_what_is_there_to_be_found(tmp_path: Path) -> None:
    def crash(value: int) -> None:
        if value < 0:
            raise ValueError("refused")
        promise(value != 7, "no seven", value)
        if value > 40:
            raise KeyError(value)

    target = Target("broken", lambda: st.integers(-100, 100), crash, (ValueError,))
    report = examine(target, seed=1, count=2000, folder=tmp_path)
    kinds = sorted(found.kind.partition(":")[0] for found in report.findings)
    assert kinds == ["KeyError at test_fuzz.py", "promise"]
    assert report.refused > 0
    smallest = {Path(found.input).read_text() for found in report.findings}
    assert smallest == {"7", "41"}
    with pytest.raises(KeyError):
        repeat(target, next(p for p in tmp_path.iterdir() if p.read_text() == "41"))
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
