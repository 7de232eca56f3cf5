"""No cell, name, pattern or patch costs more than its length, whatever is in it.

What used to take minutes, hours or all memory runs in a process of its own, whose processor time
and memory are bounded: there it would be killed, and what is mended takes a moment.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Sequence
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

import pytest

from prefect_staticadslab.api.resources import Brand, DesignTemplate
from prefect_staticadslab.bounds import HINT_LENGTH, HINTS
from prefect_staticadslab.brand_kits.kit_file import read_kits
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.files.date_patterns import PatternError, names_made_by
from prefect_staticadslab.campaign.inbox.table_names import TableNames
from prefect_staticadslab.campaign.job_types.json_trees import TreeError, apply_patch, check_patch
from prefect_staticadslab.campaign.job_types.revision_rows import read_changes
from prefect_staticadslab.campaign.names import expand as expand_module
from prefect_staticadslab.campaign.names import nearest
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.names.listings import NOTHING_READ, Catalogue, Listing, ListKey
from prefect_staticadslab.campaign.names.prompt_templates import PlaceholderError, parse_prompt
from prefect_staticadslab.campaign.rows.resource_types import BRAND
from tests.support.processes import run

CPU_SECONDS = 60
"""Ten times what these take together on a slow machine; a hundredth of what one of them took."""

MEMORY = 3_000_000_000
"""Of address space, in bytes; Python, pandas and their threads reserve one of them."""

LIMITED = f"""\
import resource
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS}, {CPU_SECONDS}))
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
"""

IDS = ("design_template_id", "brand_id", "product_id", "audience_id")


def within_bounds(code: str) -> str:
    """What a piece of code prints, in a process with little time and memory."""
    done = run("-c", LIMITED + textwrap.dedent(code), env=os.environ)
    assert done.status == 0, f"status {done.status}: {done.err[-2000:]}"
    return done.out


def sheet(header: tuple[str, ...], *rows: tuple[Any, ...]) -> Spreadsheet:
    return Spreadsheet(tuple(header), rows, tuple(range(2, 2 + len(rows))))


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


# JSON


@pytest.mark.parametrize(
    "cell",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"n": {"a": ' + "9" * 10_000 + "}}",
        '{"n": {"a": -' + "9" * 4_400 + "}}",
        '{"n": {"a": 1e' + "9" * 10_000 + "}}",
        '"' + "\\" * 99_999,
        '{"n": ' + "{" * 90_000,
    ],
    ids=lambda cell: cell[:12],
)
@pytest.mark.parametrize("column", ["node_overrides", "json_patch", "current_json_tree"])
def test_json_of_any_depth_or_length_is_refused_as_a_problem_of_its_row(
    cell: str, column: str
) -> None:
    with pytest.raises(SpreadsheetError) as refused:
        read_changes(sheet(("image_ad_id", column), ("ia_1", cell)))
    assert [p.column for p in refused.value.problems] == [column]
    assert len(str(refused.value)) < 500


def test_a_row_of_an_ad_with_such_json_is_a_problem_of_its_row() -> None:
    from prefect_staticadslab.campaign.rows.ad_rows import read_rows

    row = ("dt_1", "brand_1", "prod_1", "aud_1", '{"a":' * 100_000)
    with pytest.raises(SpreadsheetError, match="nested more than 100 levels"):
        read_rows(sheet((*IDS, "node_overrides"), row))


# Patches

TREE: dict[str, Any] = {"id": "1", "type": "FRAME", "children": [{"id": "2", "type": "TEXT"}]}


def test_copies_of_copies_stop_before_they_fill_the_memory() -> None:
    told = within_bounds("""
        from prefect_staticadslab.campaign.job_types.json_trees import (
            TreeError, check_patch, apply_patch
        )

        tree = {"type": "FRAME", "children": [{"id": "2"}]}
        double = {"op": "copy", "from": "/children", "path": "/children/-"}
        whole = {"op": "copy", "from": "", "path": "/children/-"}
        long = {"op": "add", "path": "/text", "value": "x" * 900_000}
        again = [{"op": "copy", "from": "/text", "path": f"/t{n}"} for n in range(900)]
        for patch in ([double] * 60, [whole] * 60, [long, *again]):
            try:
                apply_patch(tree, check_patch(patch))
            except TreeError as error:
                print(error)
    """)
    assert told.count("longer than 8,000,000 characters") == 3


def test_a_patch_that_nests_a_tree_without_end_is_refused() -> None:
    deeper = [{"op": "add", "path": "/a", "value": {}}]
    deeper += [{"op": "add", "path": "/a" * n, "value": {"a": {}}} for n in range(2, 400, 2)]
    with pytest.raises(TreeError, match="more than 200 levels"):
        apply_patch(TREE, check_patch(deeper))


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        ({"op": "remove", "path": "/a" * 1_000_000}, "path of more than 1,000 characters"),
        ({"op": "copy", "from": "/a" * 1_000_000, "path": "/b"}, "more than 1,000 characters"),
        ({"op": "append", "path": "/id", "value": "x"}, "no operation|Unknown operation"),
        ({"op": "x" * 100_000, "path": "/id"}, "no operation|Unknown operation"),
    ],
)
def test_a_patch_of_any_length_is_refused(operation: dict[str, Any], says: str) -> None:
    with pytest.raises(TreeError, match=says) as refused:
        check_patch([operation])
    assert len(str(refused.value)) < 500


def test_a_patch_of_any_number_of_operations_is_refused() -> None:
    with pytest.raises(TreeError, match="100,000 operations, and 1,000 are the most"):
        check_patch([{"op": "test", "path": "/id", "value": "1"}] * 100_000)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/children/" + "9" * 900, "value": 1},
        {"op": "replace", "path": "/children/-1", "value": 1},
        {"op": "add", "path": "/id/0", "value": 1},
        {"op": "replace", "path": "/id/0", "value": 1},
        {"op": "remove", "path": "/id/0"},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "", "value": []},
        {"op": "replace", "path": "/children", "value": 5},
        {"op": "move", "from": "/children", "path": "/children/0/x"},
        {"op": "move", "from": "", "path": "/a"},
        {"op": "copy", "from": 5, "path": "/a"},
        {"op": "copy", "from": "/none", "path": "/a"},
        {"op": "test", "path": "/children", "value": "x" * 100_000},
        {"op": "add", "path": "/children/-/-", "value": 1},
        {"op": "add", "path": "/~", "value": 1},
    ],
    ids=json.dumps,
)
def test_a_patch_that_makes_no_sense_is_refused_in_words(operation: dict[str, Any]) -> None:
    with pytest.raises(TreeError) as refused:
        apply_patch(TREE, check_patch([operation]))
    assert len(str(refused.value)) < 500


def test_a_patch_is_the_same_however_often_it_is_applied() -> None:
    """What it adds must not take part in what is changed later."""
    patch = check_patch(
        [
            {"op": "add", "path": "/list", "value": []},
            {"op": "add", "path": "/list/-", "value": 1},
        ]
    )
    assert [apply_patch(TREE, patch)["list"] for _ in range(3)] == [[1], [1], [1]]


def test_overrides_of_any_length_are_refused_in_a_few_words() -> None:
    within_bounds("""
        from prefect_staticadslab.campaign.job_types.json_trees import (
            TreeError, check_overrides, apply_overrides
        )

        children = [{"id": f"{n}" + "ab" * 200, "type": "TEXT"} for n in range(5_000)]
        tree = {"type": "FRAME", "children": children}
        for _ in range(5):
            try:
                apply_overrides(tree, {"ba" * 400_000: {"characters": "Sale"}})
                raise AssertionError("there is no such node")
            except TreeError as error:
                assert len(str(error)) < 2000
        try:
            check_overrides({"ba" * 400_000: {"characters": 1}})
        except TreeError as error:
            assert len(str(error)) < 500
    """)


# Brand kits


def test_a_file_of_brand_kits_costs_no_more_than_its_length() -> None:
    told = within_bounds("""
        from prefect_staticadslab.brand_kits.kit_file import read_kits
        from prefect_staticadslab.campaign.errors import CampaignError, SpreadsheetError

        merges = "a0: &a0 {brand: x}\\n" + "".join(
            f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], f{n}: 1}}\\n" for n in range(1, 60)
        )
        laughs = "a0: &a0 [x]\\n" + "".join(
            f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\\n" for n in range(1, 60)
        )
        files = {
            "dots": ("a" + ".a" * 400_000 + " = 1", ".toml"),
            "tables": ("[a" + ".a" * 400_000 + "]", ".toml"),
            "arrays": ("[a]\\nbrand = " + "[" * 400_000, ".toml"),
            "inline": ("[a]\\nbrand = " + "{a=" * 200_000, ".toml"),
            "digits": ("[a]\\nbrand = " + "9" * 400_000, ".toml"),
            "merges": (merges, ".yaml"),
            "laughs": (laughs, ".yaml"),
            "flows": ("a: " + "[" * 400_000, ".yaml"),
            "number": ("a: {brand: " + "9" * 400_000 + "}", ".yaml"),
        }
        for name, (text, suffix) in files.items():
            try:
                found = read_kits(text, suffix, "static-ads-lab")
                told = SpreadsheetError(found.problems).message_in(found.words)
                said = max(map(len, told.splitlines()))
            except CampaignError as error:
                said = len(str(error))
            print(name, said < 500)
    """)
    assert [line.split()[1] for line in told.splitlines()] == ["True"] * 9


def test_a_kit_may_refer_to_what_others_have() -> None:
    text = "base: &base {brand: Roast, editable: true}\ncold: {<<: *base, prompt: Iced}\n"
    kits = read_kits(text, ".yaml", "static-ads-lab").kits
    assert [(each.kit.ad.prompt, each.kit.ad.editable) for each in kits] == [
        ("", True),
        ("Iced", True),
    ]


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
