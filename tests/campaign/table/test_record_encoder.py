"""The record as bytes: what changed is made again, and the rest is there all the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.files.cells import Dialect
from prefect_staticadslab.campaign.files.formats.text import text_lines
from prefect_staticadslab.campaign.table import record_encoder
from prefect_staticadslab.campaign.table.job_state import AD_COLUMNS
from prefect_staticadslab.campaign.table.record_encoder import RecordEncoder

ROWS = 50


def frame() -> pd.DataFrame:
    cells = [[f"dt_{i}", 'a "quoted", cell\nof two lines'] for i in range(ROWS)]
    return pd.DataFrame(cells, columns=["design_template_id", "note"], dtype=object)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".xlsx", ".parquet"])
def test_a_table_that_changed_is_encoded_like_a_new_one(ending: str) -> None:
    dialect = Dialect(delimiter=";", byte_order_mark=True, line_end="\r\n")
    encoder, given, states = (
        RecordEncoder(ending, dialect, AD_COLUMNS),
        frame(),
        [JobState()] * ROWS,
    )
    encoder.encode(given, states)
    states[7] = JobState(RowStatus.PROCESSING, job_id="ia_7")
    again = encoder.encode(given, states)
    longer = pd.concat([given, given.tail(1)], ignore_index=True)
    appended = encoder.encode(longer, [*states, JobState(attempts=3)])
    if ending == ".xlsx":  # it holds the time at which it was made
        assert len(appended) > len(again) > 0
        return
    assert again == RecordEncoder(ending, dialect, AD_COLUMNS).encode(given, states)
    assert appended == RecordEncoder(ending, dialect, AD_COLUMNS).encode(
        longer, [*states, JobState(attempts=3)]
    )


def test_a_text_table_costs_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(lines: Iterable[Iterable[Any]], dialect: Dialect) -> list[str]:
        written = text_lines(lines, dialect)
        made.append(len(written))
        return written

    monkeypatch.setattr(record_encoder, "text_lines", counted)
    encoder, given, states = (
        RecordEncoder(".csv", Dialect(), AD_COLUMNS),
        frame(),
        [JobState()] * ROWS,
    )
    encoder.encode(given, states)
    states[3] = states[4] = JobState(RowStatus.SUBMITTING, attempts=1)
    encoder.encode(given, states)
    assert made == [1, ROWS, 2]  # the header, all rows, two rows


@pytest.mark.parametrize("ending", [".xlsx", ".parquet"])
def test_a_table_is_made_again_only_if_something_in_it_is_another(ending: str) -> None:
    given = pd.DataFrame({"prompt": ["a", "b"]}, dtype=object)
    states = [JobState(), JobState()]
    encoder = RecordEncoder(ending, Dialect(), AD_COLUMNS)
    first = encoder.encode(given, states)
    assert encoder.encode(given, list(states)) is first
    changed = [states[0], replace(states[1], job_id="ia_1")]
    assert encoder.encode(given, changed) is not first
    assert encoder.encode(given.copy(), changed) is not encoder.encode(given, changed)
    if ending == ".xlsx":
        wide = encoder.encode(given, changed, column_widths=(("prompt", 30.0),))
        assert wide is not encoder.encode(given, changed, column_widths=(("prompt", 12.0),))
