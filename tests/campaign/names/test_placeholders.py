"""Prompts are filled in from their row, as `str.format` would; what cannot be is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.listings import NOTHING_READ
from prefect_staticadslab.campaign.names.prompt_templates import PlaceholderError, parse_prompt
from prefect_staticadslab.campaign.table.job_state import RESULT_COLUMNS, JobState, RowStatus
from tests.campaign.shop import IDS, NAMES, expanded, lines, sheet


def prompts(*rows: dict[str, str]) -> list[str]:
    return [line["sent_prompt"] for line in lines(*rows)]


def test_a_prompt_is_filled_in_from_the_rows_own_columns() -> None:
    row = {**IDS, "Product Name": "Tea", "price": " 3.50 ", "prompt": "{product name}, {{{PRICE}}}"}
    brief = Brief.read(sheet(row))
    assert not brief.needs_catalogue
    assert prompts(row) == ["Tea, {3.50}"]


def test_a_prompt_is_filled_in_with_the_names_of_each_combination() -> None:
    row = {**NAMES, "brand": "brand_a", "product_variant": "*", "audience": "late|Early"}
    made = prompts({**row, "prompt": "{brand}: {product}, {product_variant}, {audience}"})
    assert made[:2] == ["Alder & Co: Tea, Small, Late", "Alder & Co: Tea, Small, Early"]
    assert len(made) == 4


def test_names_are_looked_up_if_a_prompt_asks_for_them() -> None:
    row = {**IDS, "prompt": "{audience}"}
    assert Brief.read(sheet(row)).needs_catalogue
    assert prompts(row) == ["Early"]


def test_what_a_name_is_written_like_does_not_change_the_prompt() -> None:
    row = {**NAMES, "prompt": "{brand}"}
    assert prompts(row) == prompts({**row, "brand": "ALDER &  CO"})


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("{prise}", "{prise} is no column. There are, the most similar first: price, "),
        ("{}", "an empty placeholder"),
        ("{price:.2f}", "more than a column's name"),
        ("{price!r}", "more than a column's name"),
        ("{price.real}", "more than a column's name"),
        ("{price[0]}", "more than a column's name"),
        ("{prompt}", "{prompt} is no column"),
        ("{product_variant}", "{product_variant} is no column"),
        ("Sale }", "a brace that makes no placeholder"),
        ("{price", "a brace that makes no placeholder"),
        ("{a{price}}", "a brace that makes no placeholder"),
    ],
)
def test_a_placeholder_that_cannot_be_is_told(prompt: str, says: str) -> None:
    with pytest.raises(SpreadsheetError) as refused:
        Brief.read(sheet({**IDS, "price": "3", "prompt": prompt}))
    (problem,) = refused.value.problems
    assert (problem.row, problem.column) == (2, "prompt")
    assert says in problem.message


def test_a_placeholder_for_an_empty_cell_is_told() -> None:
    row = {**NAMES, "product_variant": "", "price": " ", "prompt": "{price} {product_variant}"}
    with pytest.raises(SpreadsheetError) as refused:
        Brief.read(sheet(row))
    assert str(refused.value).splitlines() == [
        "Row 2, column price: is empty, and the prompt has {price}.",
        "Row 2, column product_variant: is empty, and the prompt has {product_variant}.",
    ]


def test_a_variant_that_a_product_has_not_is_told_where_the_prompt_names_it() -> None:
    row = {**NAMES, "product": "*", "product_variant": "*", "prompt": "{product_variant}"}
    with pytest.raises(SpreadsheetError) as refused:
        expanded({**row, "design_template": "*"})
    assert str(refused.value) == (
        "Row 2, column prompt: {product_variant} stands for nothing: "
        "Jam | Marmalade has no product variant in this row."
    )


def test_columns_may_be_called_anything() -> None:
    columns = ["price: eur", "size.max", "body (html)", "sale!"]
    for column in columns[:3]:
        template = parse_prompt(f"{{{column}}}", columns)
        assert template.fill({column: "x"}) == "x"
    with pytest.raises(PlaceholderError):
        parse_prompt("{sale!}", columns)


pieces = st.lists(st.sampled_from(["a", "{{", "}}", "{x}", "{y}", " ", "é\n"]), max_size=12)


@given(pieces, st.text(), st.text())
def test_a_prompt_is_filled_in_as_format_does(text: list[str], x: str, y: str) -> None:
    prompt = "".join(text)
    assert parse_prompt(prompt, ["x", "y"]).fill({"x": x, "y": y}) == prompt.format(x=x, y=y)


def test_what_an_earlier_run_filled_in_is_not_filled_in_again() -> None:
    """A result table is a spreadsheet, too; its prompts may have braces that were doubled once."""
    state = JobState(RowStatus.COMPLETED, "ia_1", "https://cdn/1.png", attempts=1)
    row = {
        **IDS,
        "prompt": "{price} {of} }",
        **dict(zip(RESULT_COLUMNS, state.cells(), strict=True)),
    }
    fresh = {**row, "prompt": "{{price}}", **dict.fromkeys(RESULT_COLUMNS, "")}
    made = Brief.read(sheet(row, fresh))
    assert [line.prompt is None for line in made.lines] == [True, False]
    alone = sheet(row)
    assert Brief.read(alone).lines == ()
    assert not Brief.read(alone).missing_lists(NOTHING_READ)
