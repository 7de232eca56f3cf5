"""Names, filters, `*` and `|` become ads of one id each; what is unclear is told, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab.api.resources import Brand
from prefect_staticadslab.campaign.errors import CampaignError, SpreadsheetError
from prefect_staticadslab.campaign.names import resolver as resolution
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


# Many ads from one row


def test_a_row_becomes_its_combinations_in_order() -> None:
    made = expanded(
        {**NAMES, "product_variant": "*", "audience": "Late|Early", "row_id": "a"},
        {**NAMES, "row_id": "b"},
    )
    assert made.frame["product_variant"].tolist() == ["*", "*", "*", "*", ""]
    assert made.frame["audience"].tolist() == [*["Late|Early"] * 4, "Early"]
    columns = ["sent_product_variant", "sent_audience", "source_row"]
    shown = made.frame[columns].to_numpy().tolist()
    assert shown == [
        ["Small", "Late", "2"],
        ["Small", "Early", "2"],
        ["Large", "Late", "2"],
        ["Large", "Early", "2"],
        ["", "Early", "3"],
    ]
    assert made.row_numbers == (2, 2, 2, 2, 3)
    rows = read_rows(made)
    assert [row.number for row in rows] == [2, 2, 2, 2, 3]
    assert len({row.identity for row in rows}) == 5


def test_all_products_of_a_brand_have_their_own_variants_or_none() -> None:
    made = lines({**NAMES, "product": "*", "product_variant": "*"})
    assert [(line["sent_product"], line["product_variant_id"]) for line in made] == [
        ("Tea", "pv_s"),
        ("Tea", "pv_l"),
        ("Jam | Marmalade", ""),
    ]


def test_a_cell_that_is_one_name_as_a_whole_is_that_one() -> None:
    (line,) = lines({**NAMES, "product": "jam | marmalade"})
    assert line["product_id"] == "prod_jam"


@pytest.mark.parametrize("twice", ["Early|early", "aud_early_prod_tea|Early", "*|Late"])
def test_what_is_the_same_in_the_end_counts_once(twice: str) -> None:
    found = [line["audience_id"] for line in lines({**NAMES, "audience": twice})]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("column", ["design_template", "design_template_id"])
@pytest.mark.parametrize(
    ("text", "templates"),
    [
        ("ad_format=sale", ["dt_0", "dt_1"]),
        ("AD_Format = SALE ; aspect_ratio=1:1", ["dt_1"]),
        ("industry=beauty | dt_0 | ad_format=Bold", ["dt_2", "dt_0"]),
        ("*", ["dt_0", "dt_1", "dt_2"]),
        ("dt_not_listed", ["dt_not_listed"]),
    ],
)
def test_templates_are_chosen_by_what_they_are_like(
    column: str, text: str, templates: list[str]
) -> None:
    row = {name: value for name, value in NAMES.items() if name != "design_template"}
    made = lines({**row, column: text})
    assert [line["design_template_id"] for line in made] == templates
    written = column if column == "design_template" or text in templates else f"input_{column}"
    assert {line[written] for line in made} == {text}


def test_a_filter_that_nothing_matches_is_told_with_what_there_is() -> None:
    assert told(
        {**NAMES, "design_template": "ad_format=Sales"},
        {**NAMES, "design_template": "ad_format=Bold; aspect_ratio=4:5"},
    ) == [
        "Row 2, column design_template: No completed design template has ad_format=Sales. "
        "There are: Bold, Sale.",
        "Row 3, column design_template: No completed design template has ad_format=Bold; "
        "aspect_ratio=4:5. There are: Bold 1:1 beauty, Sale 1:1 food, Sale 4:5 food.",
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


parts = st.lists(st.sampled_from(["Early", "Late", "guests", "*"]), min_size=1, max_size=4)
products = st.lists(st.sampled_from(["Tea", "prod_jam", "*"]), min_size=1, max_size=3)
templates = st.lists(st.sampled_from(["dt_0", "ad_format=Sale", "*", "dt_9"]), min_size=1)


@given(parts, products, templates, st.booleans())
def test_a_row_makes_the_product_of_its_values(
    audiences: list[str], wanted: list[str], designs: list[str], variants: bool
) -> None:
    made = lines(
        {
            "brand": "Alder & Co",
            "product": "|".join(wanted),
            "product_variant": "*" if variants else "",
            "audience": "|".join(audiences),
            "design_template": "|".join(designs),
        }
    )
    names = {"early", "late", "guests"} if "*" in audiences else {a.lower() for a in audiences}
    chosen = {"Tea", "Jam | Marmalade"} if "*" in wanted else set(wanted)
    chosen = {"Jam | Marmalade" if name == "prod_jam" else name for name in chosen}
    by_filter = {
        "*": {"dt_0", "dt_1", "dt_2"},
        "ad_format=Sale": {"dt_0", "dt_1"},
    }
    dts = set().union(*(by_filter.get(design, {design}) for design in designs))
    per_product = {"Tea": 2 if variants else 1, "Jam | Marmalade": 1}
    assert len(made) == len(names) * len(dts) * sum(per_product[name] for name in chosen)
    sent = [tuple(line.get(name) for name in (*IDS, "product_variant_id")) for line in made]
    assert len(set(sent)) == len(sent)
    assert {line["audience"] for line in made} == {"|".join(audiences)}
    if "sent_audience" in made[0]:
        assert {line["sent_audience"].lower() for line in made} == names


def test_more_ads_than_a_campaign_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolution, "MOST_ADS", 10)
    row = {**NAMES, "audience": "*", "design_template": "*"}
    assert told(row, row) == [
        "Row 3: With this row the spreadsheet makes 18 ads, and a campaign has 10 at most. "
        "Take out a *, or split the spreadsheet."
    ]
    assert len(lines(*[NAMES] * 12)) == 12


def test_two_rows_with_one_row_id_are_a_mistake_and_the_ads_of_one_row_are_none() -> None:
    many = {**NAMES, "audience": "*", "row_id": "a"}
    assert len(read_rows(expanded(many))) == 3
    assert told(many, {**NAMES, "row_id": "a"}) == ["Row 3, column row_id: 'a' is also in row 2."]


def test_the_lists_are_asked_for_one_below_the_other() -> None:
    brief = Brief.read(sheet(NAMES, {**NAMES, "brand": "Birch"}, {**NAMES, "brand": "None"}))
    lists: dict[ListKey, Listing] = {}
    asked = []
    while wanted := brief.missing_lists(Catalogue(lists)):
        asked.append({(key.kind, key.parent) for key in wanted})
        lists |= {key: SHOP.lists[key] for key in wanted}
    assert asked == [
        {(BRAND, "")},
        {(PRODUCT, "brand_a"), (PRODUCT, "brand_b")},
        {(AUDIENCE, "prod_tea"), (AUDIENCE, "prod_other_tea")},
    ]


@given(st.lists(st.sampled_from(["Early", "Late", "Guests"]), min_size=1, max_size=3))
def test_lines_are_what_their_combinations_would_be_as_rows(audiences: list[str]) -> None:
    """A matrix is a shorter way to write rows: the same requests, so the same ads."""
    row = {**NAMES, "prompt": "{product} for {audience}"}
    matrix = read_rows(expanded({**row, "audience": "|".join(audiences), "design_template": "*"}))
    by_hand = read_rows(
        expanded(
            *(
                {**row, "audience": audience, "design_template": template}
                for audience, template in product(
                    dict.fromkeys(audiences), ("dt_0", "dt_1", "dt_2")
                )
            )
        )
    )
    assert [r.request for r in matrix] == [r.request for r in by_hand]
    assert [r.identity for r in matrix] == [r.identity for r in by_hand]


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
