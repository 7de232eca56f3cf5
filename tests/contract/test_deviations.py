"""An API that deviates is told from the one that we take it for, and the code is named."""

from __future__ import annotations

import pytest

from prefect_staticadslab.contract.assumptions import ASSUMPTIONS
from tests.contract.command import Contract
from tests.contract.conftest import fill
from tests.contract.deviating import Deviation, deviating
from tests.contract.deviations import ALL, TEN


def test_ten_deviations_are_ten_that_are_found(contract: Contract) -> None:
    with deviating(*TEN, speed=0.01) as server:
        fill(server)
        made = server.api.counts["created"]
        run = contract.against(server)
        assert server.api.counts["created"] == made
    assert run.named("differs") == {each.finds for each in TEN}
    assert len(TEN) == 10 == run.report["counts"]["differs"]
    assert run.status == 1
    for each in TEN:
        assert f"DIFFERS            {each.finds}" in run.out
        told = run.out.partition(f"{each.finds}: ")[2].partition("\n  holds")[0]
        assert ASSUMPTIONS[each.finds].carried_by in told
    assert "10 differ" in run.out


@pytest.mark.parametrize("deviation", ALL, ids=lambda each: each.finds)
def test_a_deviation_is_found_and_nothing_else(deviation: Deviation, contract: Contract) -> None:
    with deviating(deviation, speed=0.01) as server:
        fill(server)
        run = contract.against(server)
    assert run.named("differs") == {deviation.finds}, run.out


def test_there_is_a_deviation_for_nearly_all_that_is_free() -> None:
    free = {name for name, each in ASSUMPTIONS.items() if not each.is_paid}
    assert {each.finds for each in ALL} <= free
    assert len({each.finds for each in ALL}) == len(ALL) >= 30
