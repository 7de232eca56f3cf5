"""Assumptions are said once, and each names code that is there."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from pydantic import BaseModel

from prefect_staticadslab.contract.assumptions import ASSUMPTIONS, Assumption
from prefect_staticadslab.contract.findings import Findings
from prefect_staticadslab.contract.verdicts import Verdict, differs, holds, unseen


def resolved(name: str) -> Any:
    """What a dotted name stands for: a module, something in it, or a field of a model.

    Raises:
        LookupError: There is no such thing.
    """
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            is_field = isinstance(found, type) and issubclass(found, BaseModel)
            if is_field and part in found.model_fields:
                found = found.model_fields[part]
            elif hasattr(found, part):
                found = getattr(found, part)
            else:
                raise LookupError(name)
        return found
    raise LookupError(name)


@pytest.mark.parametrize("assumption", ASSUMPTIONS.values(), ids=lambda each: each.name)
def test_an_assumption_names_code_that_is_there(assumption: Assumption) -> None:
    assert resolved(assumption.carried_by) is not None


def test_code_that_is_gone_would_be_seen() -> None:
    with pytest.raises(LookupError):
        resolved("prefect_staticadslab.api.models.MAX_IDS_PER_PAGE")


def test_assumptions_differ_in_their_names_and_sentences() -> None:
    assert len({each.statement for each in ASSUMPTIONS.values() if not each.is_paid}) == len(
        [each for each in ASSUMPTIONS.values() if not each.is_paid]
    )
    assert all(name == each.name for name, each in ASSUMPTIONS.items())
    topics = [each.topic for each in ASSUMPTIONS.values()]
    assert topics == sorted(topics, key=topics.index), "a topic is in two places"


def test_nothing_can_be_found_out_about_what_nobody_assumes() -> None:
    with pytest.raises(KeyError):
        Findings().add("no-such-assumption", holds("yes"))


@pytest.mark.parametrize(
    ("seen", "verdict", "text"),
    [
        ([holds("a"), unseen("b")], Verdict.HOLDS, "a"),
        ([holds("a"), differs("b"), unseen("c"), differs("d")], Verdict.DIFFERS, "b; d"),
        ([unseen("a"), unseen("a")], Verdict.UNSEEN, "a"),
    ],
)
def test_several_sights_come_to_one(seen: list[Any], verdict: Verdict, text: str) -> None:
    findings = Findings()
    for each in seen:
        findings.add("cursors", each)
    assert (findings.seen("cursors").verdict, findings.seen("cursors").text) == (verdict, text)
