"""No cell, name, pattern or prompt costs more than its length, whatever is in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from difflib import SequenceMatcher

import pytest

from prefect_staticadslab.api.resources import Brand, DesignTemplate
from prefect_staticadslab.bounds import HINT_LENGTH, HINTS
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.date_patterns import PatternError, names_made_by
from prefect_staticadslab.campaign.inbox.table_names import TableNames
from prefect_staticadslab.campaign.names import expand as expand_module
from prefect_staticadslab.campaign.names import nearest
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.names.listings import NOTHING_READ, Catalogue, Listing, ListKey
from prefect_staticadslab.campaign.names.prompt_templates import PlaceholderError, parse_prompt
from prefect_staticadslab.campaign.rows.resource_types import BRAND
from tests.security.input.bounded import IDS, sheet, within_bounds

# Patterns


def test_a_placeholder_that_is_repeated_takes_no_time() -> None:
    told = within_bounds("""
        from prefect_staticadslab.campaign.files.date_patterns import names_made_by
        from prefect_staticadslab.campaign.inbox.table_names import _ANY

        names = ["a" * 255, "ab" * 127, "-" * 255, "a" * 200 + ".csv"] * 200
        for pattern in ("{name}" * 6 + "!", "{name}" * 33, "{name}-" * 28, "{name}{ending}" * 14):
            print(names_made_by(pattern, names, _ANY)[:1])
    """)
    assert len(told.splitlines()) == 4


def test_a_placeholder_stands_for_the_same_in_all_places() -> None:
    there = ["a-a.csv", "a-b.csv", "ab-ab.csv"]
    names = TableNames.of("{name}-{name}.csv", datetime(2026, 11, 25), beside=False)
    assert [name for name in there if names.is_table(name)] == ["a-a.csv", "ab-ab.csv"]
    assert names_made_by("{name}-{name}.csv", there, {"name": "a"}) == ["a-a.csv"]


def test_a_pattern_of_any_length_is_refused() -> None:
    with pytest.raises(PatternError, match="201 characters, and 200 are the most"):
        TableNames.of("{name}" + "x" * 191 + ".csv", datetime(2026, 11, 25), beside=False)


def test_a_time_zone_of_any_length_is_refused() -> None:
    within_bounds("""
        from datetime import UTC, datetime
        from prefect_staticadslab.campaign.files.date_patterns import PatternError, moment_of

        for zone in ("Europe/" * 200_000, "berlin" * 200_000, "\\u0301\\u0327" * 500_000):
            try:
                moment_of(datetime.now(UTC), zone)
                raise AssertionError("there is no such zone")
            except PatternError as error:
                assert len(str(error)) < 300
    """)


# Names


def test_a_cell_of_accents_is_compared_at_once() -> None:
    """Putting a million accents into their order takes Python hours."""
    within_bounds("""
        from prefect_staticadslab.campaign.names.listings import fold_name
        from prefect_staticadslab.campaign.pictures.captions import file_stem

        cell = "a" + "\\u0301\\u0327" * 500_000
        assert fold_name(cell) == fold_name(cell + " ")
        assert len(file_stem(cell).encode()) <= 90
    """)


def test_a_cell_of_a_hundred_thousand_values_is_refused_at_once() -> None:
    cells = {name: f"{name[:2]}_1" for name in IDS} | {"design_template_id": "dt_1"}
    many = " | ".join(f"nobody {number}" for number in range(100_000))
    with pytest.raises(SpreadsheetError, match="has 100,000 values with") as refused:
        Brief.read(sheet((*cells, "brand"), (*cells.values(), many)))
    assert len(str(refused.value)) < 2_000


def test_of_thousands_of_mistakes_a_few_are_compared_with_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[str] = []

    class Noted(SequenceMatcher[str]):
        def set_seq2(self, b: Sequence[str]) -> None:
            if b:  # every matcher starts with none
                compared.append(str(b))
            super().set_seq2(b)

    monkeypatch.setattr(nearest, "SequenceMatcher", Noted)
    listing = Listing(tuple(Brand(id=f"brand_{n}", name=f"Brand {n}") for n in range(100)))
    catalogue = Catalogue({ListKey(BRAND): listing})
    header = ("design_template_id", "brand", "product_id", "audience_id")
    rows = [("dt_1", f"{n} nobody" * 100, "prod_1", "aud_1") for n in range(1000)]
    with pytest.raises(SpreadsheetError) as refused:
        expand(Brief.read(sheet(header, *rows)), catalogue)
    assert len(refused.value.problems) == 1000
    assert len(compared) == HINTS
    assert max(map(len, compared)) <= HINT_LENGTH


def test_of_thousands_of_placeholders_a_few_are_compared_with_all_columns() -> None:
    """A spreadsheet has 16,384 columns, each with as long a name as a cell."""
    told = within_bounds("""
        from prefect_staticadslab.campaign.errors import SpreadsheetError
        from prefect_staticadslab.campaign.files.cells import Spreadsheet
        from prefect_staticadslab.campaign.names.brief import Brief

        ids = ["design_template_id", "brand_id", "product_id", "audience_id", "prompt"]
        header = [*ids, *(f"{n} " + "ab" * 50 for n in range(16_000))]
        rest = [""] * 16_000
        rows = [
            ["dt_1", "brand_1", "prod_1", "aud_1", "{" + f"{n} " + "ba" * 5_000 + "}", *rest]
            for n in range(150)
        ]
        try:
            Brief.read(Spreadsheet(tuple(header), rows, tuple(range(2, 152))))
        except SpreadsheetError as error:
            print(len(error.problems), max(len(p.message) for p in error.problems) < 1000)
    """)
    assert told.split() == ["150", "True"]


def test_thousands_of_filters_are_looked_up_and_not_searched_for() -> None:
    templates = tuple(
        DesignTemplate.model_validate({"id": f"dt_{n}", "status": "completed", "ad_format": "Sale"})
        for n in range(200)
    )
    listing = Listing(templates)
    assert [t.id for t in listing.with_value("ad_format", " SALE")] == [t.id for t in templates]
    assert listing.with_value("ad_format", "none") == ()
    told = within_bounds("""
        from prefect_staticadslab.api.resources import DesignTemplate
        from prefect_staticadslab.campaign.errors import SpreadsheetError
        from prefect_staticadslab.campaign.files.cells import Spreadsheet
        from prefect_staticadslab.campaign.names.brief import Brief
        from prefect_staticadslab.campaign.names.expand import expand
        from prefect_staticadslab.campaign.names.listings import Catalogue, Listing, ListKey
        from prefect_staticadslab.campaign.rows.resource_types import TEMPLATE

        fields = {"status": "completed", "ad_format": "Sale"}
        templates = [
            DesignTemplate.model_validate({"id": f"dt_{n}", "industry": f"i{n}", **fields})
            for n in range(5_000)
        ]
        rows = [[f"industry=none {n}", "brand_1", "prod_1", "aud_1"] for n in range(20_000)]
        header = ["design_template", "brand_id", "product_id", "audience_id"]
        brief = Brief.read(Spreadsheet(tuple(header), rows, tuple(range(2, 20_002))))
        try:
            expand(brief, Catalogue({ListKey(TEMPLATE): Listing(tuple(templates))}))
        except SpreadsheetError as error:
            print(len(error.problems), len(str(error).splitlines()))
    """)
    assert told.split() == ["20000", "1001"]


def test_a_filter_of_any_length_is_refused_at_once() -> None:
    within_bounds("""
        from prefect_staticadslab.campaign.names.cell_syntax import read_selector
        from prefect_staticadslab.campaign.rows.resource_types import TEMPLATE

        for cell in ("a" * 900_000 + "=b", ";=" * 400_000, "=" * 900_000):
            _, wrong = read_selector(TEMPLATE, "", cell, named=True)
            assert wrong and len(wrong[0][1]) < 500, cell[:20]
    """)


# Prompts


@pytest.mark.parametrize("prompt", ["{" * 100_001, "}" * 100_001, "{a" * 50_000, "{a}}" * 50_000])
def test_a_prompt_of_a_hundred_thousand_braces_is_refused(prompt: str) -> None:
    with pytest.raises(PlaceholderError) as refused:
        parse_prompt(prompt, ["b"])
    assert len(str(refused.value)) < 1000


def test_a_prompt_with_too_many_placeholders_is_refused() -> None:
    with pytest.raises(PlaceholderError, match="more than 200 placeholders"):
        parse_prompt("{a}" * 201, ["a"])
    assert parse_prompt("{{" * 50_000 + "{a}" * 200, ["a"]).fill({"a": "x"}) == (
        "{" * 50_000 + "x" * 200
    )


def test_a_prompt_that_would_fill_the_memory_is_refused_before_it_is_filled_in() -> None:
    """Two hundred placeholders for a cell of a million characters."""
    told = within_bounds("""
        from prefect_staticadslab.campaign.errors import SpreadsheetError
        from prefect_staticadslab.campaign.files.cells import Spreadsheet
        from prefect_staticadslab.campaign.names.brief import Brief
        from prefect_staticadslab.campaign.names.expand import expand
        from prefect_staticadslab.campaign.names.listings import NOTHING_READ

        header = ["design_template_id", "brand_id", "product_id", "audience_id", "prompt", "a"]
        audiences = " | ".join(f"aud_{n}" for n in range(900))
        row = ["dt_1", "brand_1", "prod_1", audiences, "{a}" * 200, "x" * 1_000_000]
        try:
            expand(Brief.read(Spreadsheet(tuple(header), [row], (2,))), NOTHING_READ)
        except SpreadsheetError as error:
            print(error)
    """)
    assert "would have 200,000,000 characters once it is filled in" in told


def test_prompts_that_would_fill_the_memory_together_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expand_module, "PROMPTS_LENGTH", 1_000)
    audiences = " | ".join(f"aud_{n}" for n in range(20))
    row = ("dt_1", "brand_1", "prod_1", audiences, "{a}", "x" * 100)
    with pytest.raises(SpreadsheetError, match="all prompts have more than 1,000 characters"):
        expand(Brief.read(sheet((*IDS, "prompt", "a"), row)), NOTHING_READ)


def test_a_row_that_makes_more_cells_than_can_be_held_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fifty thousand ads with sixteen thousand columns each are one row with a few `|`."""
    monkeypatch.setattr(expand_module, "TABLE_CELLS", 99)
    audiences = " | ".join(f"aud_{n}" for n in range(20))
    with pytest.raises(SpreadsheetError, match="20 ads with 6 columns"):
        expand(Brief.read(sheet(IDS, ("dt_1", "brand_1", "prod_1", audiences))), NOTHING_READ)


# What is said of all of it


def test_a_million_mistakes_make_a_message_that_can_be_read() -> None:
    problems = [Problem(f"is wrong in way {n}", n, "brand") for n in range(2_000)]
    lines = str(SpreadsheetError(problems)).splitlines()
    assert len(lines) == 1001
    assert lines[-1] == "And 1,000 more problems. Mend these, and run it again."
    same = [Problem("is wrong", n, "brand") for n in range(2, 200_000, 2)]
    assert len(str(SpreadsheetError(same))) < 2_000
    few = [Problem("is wrong", n, "brand") for n in (2, 3, 9)]
    assert str(SpreadsheetError(few)) == "Rows 2-3, 9, column brand: is wrong"
