"""Names become ids; what is unclear is told, never guessed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab.api.resources import Brand
from prefect_staticadslab.campaign.errors import CampaignError, SpreadsheetError
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.names.listings import (
    NOTHING_READ,
    Catalogue,
    Listing,
    ListKey,
    fold_name,
)
from prefect_staticadslab.campaign.rows.ad_rows import read_rows
from prefect_staticadslab.campaign.rows.resource_types import AUDIENCE, BRAND, PRODUCT
from tests.campaign.shop import IDS, NAMES, SHOP, expanded, lines, sheet


def told(*rows: Mapping[str, object]) -> list[str]:
    """What is said of these rows, a line per problem."""
    with pytest.raises(SpreadsheetError) as refused:
        expanded(*rows)
    return str(refused.value).splitlines()


# Ids alone


def test_a_spreadsheet_that_says_everything_in_ids_is_not_touched() -> None:
    given_sheet = sheet({**IDS, "prompt": "Hello", "note": "a|b * {c}"}, {**IDS, "note": ""})
    brief = Brief.read(given_sheet)
    assert not brief.needs_catalogue
    assert brief.missing_lists(NOTHING_READ) == {}
    assert expand(brief, NOTHING_READ) is given_sheet


def test_several_ids_in_a_cell_need_nothing_of_the_api() -> None:
    brief = Brief.read(sheet({**IDS, "audience_id": "aud_1 | aud_2|aud_1"}))
    assert not brief.needs_catalogue
    made = expand(brief, NOTHING_READ)
    assert made.frame["audience_id"].tolist() == ["aud_1", "aud_2"]
    assert made.frame["input_audience_id"].tolist() == ["aud_1 | aud_2|aud_1"] * 2
    assert made.frame["source_row"].tolist() == ["2", "2"]
    assert made.row_numbers == (2, 2)


def test_names_without_a_catalogue_are_refused() -> None:
    with pytest.raises(CampaignError, match="needs a key"):
        expand(Brief.read(sheet(NAMES)), NOTHING_READ)


# Names


def test_names_become_ids_in_columns_after_the_users() -> None:
    (line,) = lines({**NAMES, "price": "3"})
    assert line == {**NAMES, "price": "3", **IDS}
    assert list(line)[:5] == [*NAMES, "price"]
    assert "source_row" not in line


@pytest.mark.parametrize("name", ["ALDER & co", " Alder  & Co ", "Ａlder & Co", "brand_a"])
def test_a_name_is_found_whatever_its_case_and_spaces_and_left_as_it_is(name: str) -> None:
    (line,) = lines({**NAMES, "brand": name})
    assert (line["brand"], line["brand_id"]) == (name, "brand_a")


def test_a_name_is_looked_for_within_what_it_belongs_to() -> None:
    of_birch = {**NAMES, "brand": "Birch"}
    assert [line["product_id"] for line in lines(NAMES, of_birch)] == ["prod_tea", "prod_other_tea"]


def test_a_name_of_exactly_this_case_goes_before_others() -> None:
    (chosen,) = SHOP.lists[ListKey(BRAND)].find_by_name("TWIN")
    assert chosen.id == "brand_e"


def test_a_name_that_an_id_looks_like_is_the_name() -> None:
    brands = Listing((Brand(id="brand_1", name="brand_2"), Brand(id="brand_2", name="Two")))
    assert [brand.id for brand in brands.find_by_name("brand_2")] == ["brand_1"]


@given(st.text())
def test_folding_twice_is_folding_once(name: str) -> None:
    assert fold_name(fold_name(name)) == fold_name(name)


@pytest.mark.parametrize(
    "mark", ["\u200e", "\u200f", "\u200b", "\ufeff", "\u2060", "\u202a", "\u2069"]
)
def test_what_nobody_sees_is_no_part_of_a_name(mark: str) -> None:
    assert fold_name(f"{mark}Cold{mark} Brew Kit{mark}") == fold_name("Cold Brew Kit")


@pytest.mark.parametrize(
    ("column", "text"),
    [("design_template", "dt_0"), ("brand", "brand_a"), ("product", "Tea"), ("audience", "Early")],
)
@pytest.mark.parametrize("mark", ["\u200e", "\u200b", "\ufeff"])
def test_a_cell_of_names_is_read_without_what_nobody_sees(
    column: str, text: str, mark: str
) -> None:
    marked = {**NAMES, column: f"{mark}{text}{mark}"}
    (found,), (expected,) = lines(marked), lines(NAMES)
    assert [found[name] for name in IDS] == [expected[name] for name in IDS]
    assert found[column] == marked[column]


def test_a_cell_of_names_with_nothing_that_is_seen_is_empty() -> None:
    assert told({**NAMES, "brand": "\u200b"}) == [
        "Row 2, column brand: is empty. Name a brand, or put its id here."
    ]


def test_an_ambiguous_name_is_told_with_the_ids() -> None:
    assert told({**NAMES, "brand": "Twin"}) == [
        "Row 2, column brand: 2 brands are called 'Twin': brand_c (Twin), brand_d (Twin). "
        "Put the id of the one you mean here or into brand_id."
    ]
    assert "3 brands are called 'twin'" in told({**NAMES, "brand": "twin"})[0]


def test_unknown_names_are_told_with_what_comes_nearest() -> None:
    assert told(
        {**NAMES, "brand": "Adler & Co"},
        {**NAMES, "product": "Teas", "audience": "*"},
        {**NAMES, "audience": "Night owls", "product_variant": "Smal"},
        {**NAMES, "product": "Jam | Marmalade", "product_variant": "Small"},
    ) == [
        "Row 2, column brand: There is no brand 'Adler & Co'. Did you mean 'Alder & Co'?",
        "Row 3, column product: There is no product 'Teas' of Alder & Co. Did you mean 'Tea'?",
        "Row 4, column product_variant: There is no product variant 'Smal' of Tea. "
        "Did you mean 'Small'?",
        "Row 4, column audience: There is no audience 'Night owls' of Tea. "
        "There are: 'Early', 'Late', 'Guests'.",
        "Row 5, column product_variant: There is no product variant 'Small' of Jam | Marmalade. "
        "It has none.",
    ]


def test_a_name_beside_its_id_must_be_its_name() -> None:
    fits = {**IDS, "brand": "alder & co", "audience": ""}
    assert lines(fits)[0]["brand"] == "alder & co"
    assert told({**fits, "brand": "Birch"}, {**IDS, "audience": "Late"}) == [
        "Row 2, column brand_id: is of Alder & Co, but brand says 'Birch'. Clear one of them.",
        "Row 3, column audience_id: is of Early, but audience says 'Late'. Clear one of them.",
    ]
    assert told({**IDS, "design_template": "dt_1"}) == [
        "Row 2, column design_template_id: says 'dt_0', but design_template says 'dt_1'. "
        "Clear one of them."
    ]


def test_several_names_beside_several_ids_must_be_theirs() -> None:
    ids = "aud_late_prod_tea | aud_early_prod_tea"
    made = lines({**IDS, "audience_id": ids, "audience": "early|LATE"})
    assert [line["sent_audience"] for line in made] == ["Late", "Early"]
    assert {line["audience"] for line in made} == {"early|LATE"}
    for claim in ("Early", "Early|Late|Guests", "*"):
        (message,) = told({**IDS, "audience_id": ids, "audience": claim})
        assert "column audience_id: is of Late, Early, but audience says" in message


def test_ids_and_names_go_together_in_a_row() -> None:
    row = {**NAMES, "brand": "", "brand_id": "brand_b", "design_template": "dt_7"}
    brief = Brief.read(sheet(row))
    assert brief.missing_lists(NOTHING_READ) == {ListKey(PRODUCT, "brand_b"): True}
    assert lines(row)[0]["product_id"] == "prod_other_tea"
    assert told({**row, "brand_id": "brand_c"}) == [
        "Row 2, column product: There is no product 'Tea' of brand_c. It has none; is its id right?"
    ]


def test_names_beside_ids_are_a_check_that_a_brief_can_do_without() -> None:
    brief = Brief.read(sheet({**IDS, "brand": "Birch"}))
    assert not brief.needs_catalogue
    assert brief.missing_lists(NOTHING_READ) == {ListKey(BRAND): False}
    assert brief.missing_lists(NOTHING_READ, checks=False) == {}
    unreadable = Catalogue({}, frozenset({BRAND}))
    assert brief.missing_lists(unreadable) == {}
    assert expand(brief, unreadable).frame["brand_id"].tolist() == ["brand_a"]


def test_a_name_in_an_id_column_is_told_where_it_belongs() -> None:
    with pytest.raises(SpreadsheetError) as refused:
        read_rows(sheet({**IDS, "brand_id": "Birch"}))
    assert str(refused.value).endswith("that starts with brand_. Names go into a column brand.")


def test_neither_a_column_of_ids_nor_one_of_names_is_told_with_both() -> None:
    rest = {name: value for name, value in NAMES.items() if name != "brand"}
    first, *_ = told(rest)
    assert "The column brand_id is missing" in first
    assert "Or write names, in a column brand" in first


def test_all_that_can_be_told_without_the_api_is_told_at_once() -> None:
    with pytest.raises(SpreadsheetError) as refused:
        Brief.read(
            sheet(
                {**NAMES, "brand": "*", "editable": "perhaps", "row_id": "a"},
                {**NAMES, "product": "", "design_template": "format=Sale", "row_id": "a"},
                {**NAMES, "node_overrides": "{", "prompt": "{price}"},
                {**NAMES, "audience_id": "prod_1", "design_template": "ad_format="},
            )
        )
    assert [(p.row, p.column) for p in refused.value.problems] == [
        (2, "brand"),
        (2, "editable"),
        (3, "design_template"),
        (3, "product"),
        (3, "row_id"),
        (4, "prompt"),
        (4, "node_overrides"),
        (5, "design_template"),
        (5, "audience_id"),
    ]


def test_a_column_of_the_users_that_is_called_like_ours_is_kept_under_another_name() -> None:
    row = {**NAMES, "Source_Row": "mine"}
    assert lines(row)[0]["Source_Row"] == "mine"
    made = lines({**row, "audience": "*", "prompt": "{source_row}"})
    assert {(x["input_Source_Row"], x["source_row"], x["sent_prompt"]) for x in made} == {
        ("mine", "2", "mine")
    }
    own = lines({**row, "Sent_prompt": "hers", "prompt": "{sent_prompt}"})
    assert [(x["input_Sent_prompt"], x["sent_prompt"]) for x in own] == [("hers", "hers")]


def test_the_lists_are_asked_for_one_below_the_other() -> None:
    brief = Brief.read(sheet(NAMES, {**NAMES, "brand": "Birch"}, {**NAMES, "brand": "None"}))
    lists: dict[ListKey, Listing] = {}
    asked = []
    while wanted := brief.missing_lists(Catalogue(lists)):
        asked.append({(key.resource_type, key.parent) for key in wanted})
        lists |= {key: SHOP.lists[key] for key in wanted}
    assert asked == [
        {(BRAND, "")},
        {(PRODUCT, "brand_a"), (PRODUCT, "brand_b")},
        {(AUDIENCE, "prod_tea"), (AUDIENCE, "prod_other_tea")},
    ]


def test_a_column_may_be_written_with_a_space_where_it_can_only_be_that_one() -> None:
    spaced = {
        {"design_template": "Design Template"}.get(name, name): cell for name, cell in NAMES.items()
    }
    [found], [expected] = lines(spaced), lines(NAMES)
    assert [found[name] for name in IDS] == [expected[name] for name in IDS]
    # A shop's own column beside ours stays the shop's.
    both = {**IDS, "Product Variant": "Red / Large", "product_variant_id": "pv_1"}
    assert Brief.read(sheet(both)).lines == ()


def test_a_header_that_is_further_down_is_all_that_is_told() -> None:
    titled = {"Spring": "design_template_id", "": "brand_id", " ": "product_id", "x": "audience_id"}
    with pytest.raises(SpreadsheetError) as refused:
        Brief.read(sheet(titled))
    assert str(refused.value) == "Row 2: This looks like the header. Delete the row above it."


@pytest.mark.parametrize("base", [NAMES, IDS])
@pytest.mark.parametrize(
    ("cells", "told_of"),
    [
        ({"design_template_id": "Ask Anna"}, "'Ask Anna' (column design_template_id)"),
        ({"prompt": "Now {price}"}, "'Now {price}' (column prompt)"),
        ({"price": "1,234.50"}, "'1,234.50' (column price)"),
        ({"price": "9.00", "stock": "4"}, "'9.00' (column price) and '4' (column stock)"),
        ({"price": "9.00", "editable": "FALSE"}, "'9.00' (column price)"),
        ({"editable": "perhaps"}, "'perhaps' (column editable)"),
    ],
)
def test_a_row_that_is_no_ad_is_told_in_one_line(
    base: dict[str, str], cells: dict[str, str], told_of: str
) -> None:
    columns = {"price": "", "stock": "", "editable": "", "prompt": "", **base}
    stray = dict.fromkeys(columns, "") | cells
    with pytest.raises(SpreadsheetError) as refused:
        read_rows(expanded(columns, stray))
    assert str(refused.value) == (
        f"Row 3: has only {told_of}. A total or a note? Delete the row, or fill in the rest of it."
    )


def test_a_row_with_anything_of_an_ad_is_told_by_what_it_lacks() -> None:
    half = dict.fromkeys(NAMES, "") | {"brand": NAMES["brand"], "product": NAMES["product"]}
    with pytest.raises(SpreadsheetError, match=r"Row 3, column audience: is empty\."):
        lines(NAMES, half)
