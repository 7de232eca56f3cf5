"""Rows are checked before anything is created, and are the same rows in the next run."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.rows.ad_rows import read_rows

GOOD = {
    "design_template_id": "dt_1",
    "brand_id": "brand_1",
    "product_id": "prod_1",
    "audience_id": "aud_1",
}


def sheet(*rows: Mapping[str, object]) -> Spreadsheet:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [[row.get(name, "") for name in columns] for row in rows]
    frame = pd.DataFrame(lines, columns=columns, dtype=object)
    return Spreadsheet.from_frame(frame, tuple(range(2, 2 + len(rows))))


def problems(*rows: Mapping[str, object]) -> list[Problem]:
    with pytest.raises(SpreadsheetError) as refused:
        read_rows(sheet(*rows))
    return list(refused.value.problems)


def test_a_row_becomes_a_request() -> None:
    (row,) = read_rows(
        sheet(
            {
                **GOOD,
                "product_variant_id": " pv_1 ",
                "prompt": "Two\nlines",
                "editable": "Yes",
                "generate_copy": False,
                "node_overrides": '{"n": {"characters": "Hi"}}',
                "price": "007",
            }
        )
    )
    assert row.number == 2
    assert row.request.body() == {
        **GOOD,
        "product_variant_id": "pv_1",
        "prompt": "Two\nlines",
        "editable": True,
        "options": {"generate_copy": False},
        "node_overrides": {"n": {"characters": "Hi"}},
    }
    assert row.request.price_usd == 4


def test_blank_optional_cells_are_left_to_the_api() -> None:
    (row,) = read_rows(sheet({**GOOD, "prompt": "  ", "editable": "", "product_variant_id": None}))
    assert row.request.body() == {**GOOD, "editable": False}


def test_columns_are_found_whatever_their_case() -> None:
    (row,) = read_rows(sheet({f" {name.upper()} ": value for name, value in GOOD.items()}))
    assert row.request.brand_id == "brand_1"


def test_all_problems_of_all_rows_are_told_at_once() -> None:
    found = problems(
        {**GOOD, "editable": "perhaps"},
        {**GOOD, "brand_id": "", "node_overrides": "{"},
        {**GOOD},
        {**GOOD, "product_id": "brand_9", "audience_id": "aud_", "node_overrides": "[1]"},
    )
    assert [(p.row, p.column) for p in found] == [
        (2, "editable"),
        (3, "brand_id"),
        (3, "node_overrides"),
        (5, "product_id"),
        (5, "audience_id"),
        (5, "node_overrides"),
    ]
    text = str(SpreadsheetError(found))
    assert "Row 2, column editable: 'perhaps' is neither true nor false" in text
    assert "Row 3, column brand_id: is empty. It needs the id of a brand, brand_…" in text
    assert "Was it meant for brand_id?" in text


def test_missing_columns_are_told_with_what_they_hold() -> None:
    found = problems({"brand_id": "brand_1", "Title": "x"})
    text = "\n".join(map(str, found))
    for name in ("design_template_id", "product_id", "audience_id"):
        assert f"The column {name} is missing" in text
    assert "Title" in text


def test_a_column_that_is_there_twice_is_told() -> None:
    (found,) = problems({**GOOD, "Brand_ID": "brand_2"})
    assert "'brand_id' and 'Brand_ID'" in str(found)


def test_a_row_id_that_is_there_twice_is_told() -> None:
    found = problems({**GOOD, "row_id": "a"}, {**GOOD, "row_id": "b"}, {**GOOD, "row_id": "a"})
    assert [str(p) for p in found] == ["Row 4, column row_id: 'a' is also in row 2."]


def test_two_equal_rows_are_two_ads() -> None:
    rows = read_rows(sheet(GOOD, GOOD))
    assert len({row.identity for row in rows}) == 2


def test_the_users_own_columns_do_not_make_a_row_another_one() -> None:
    (before,) = read_rows(sheet({**GOOD, "note": "draft"}))
    (after,) = read_rows(sheet({**GOOD, "note": "final", "new": "1"}))
    assert before.identity == after.identity


def test_a_changed_row_is_a_new_one_with_and_without_a_row_id() -> None:
    for extra in ({}, {"row_id": "a"}):
        (before,) = read_rows(sheet({**GOOD, **extra, "prompt": "x"}))
        (after,) = read_rows(sheet({**GOOD, **extra, "prompt": "y"}))
        assert before.identity != after.identity


prompts = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=8)


def identities(names: list[str]) -> list[str]:
    return [row.identity for row in read_rows(sheet(*({**GOOD, "prompt": n} for n in names)))]


@given(prompts, st.randoms())
def test_rows_may_be_moved(names: list[str], random: object) -> None:
    moved = list(names)
    random.shuffle(moved)  # type: ignore[attr-defined]
    assert sorted(identities(names)) == sorted(identities(moved))


@given(prompts, prompts)
def test_rows_may_be_added_and_removed(names: list[str], more: list[str]) -> None:
    assert set(identities(names)) <= set(identities(names + more))
    assert len(set(identities(names + more))) == len(names + more)


@pytest.mark.parametrize(
    "overrides",
    [
        '{"n": {"characters": "\\ud83d"}}',
        '{"n": {"x": NaN}}',
        '{"n": {"x": 1e999}}',
        '{"n": ' + "[" * 100_000,
        '{"n": {"x": ' + "[" * 400 + "]" * 400 + "}}",
        '{"n": {"x": ' + "9" * 5000 + "}}",
    ],
    ids=["half a character", "NaN", "infinite", "endless", "too deep", "too many digits"],
)
def test_overrides_that_cannot_be_sent_are_told(overrides: str) -> None:
    (found,) = problems({**GOOD, "node_overrides": overrides})
    assert (found.row, found.column) == (2, "node_overrides")
    assert "is no JSON" in found.message


def test_a_row_id_is_the_same_in_every_format() -> None:
    one, other = (read_rows(sheet({**GOOD, "row_id": text})) for text in ("a\r\nb\x07", "a\nb"))
    assert one[0].identity == other[0].identity
