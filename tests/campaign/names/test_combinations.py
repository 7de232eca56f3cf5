"""`*`, `|` and filters make many ads from one row, each combination once."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab.campaign.names import resolver as resolution
from prefect_staticadslab.campaign.rows.ad_rows import read_rows
from tests.campaign.names.test_brief import told
from tests.campaign.shop import IDS, NAMES, expanded, lines


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
