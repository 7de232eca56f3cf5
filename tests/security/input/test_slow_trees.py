"""No JSON, patch or file of brand kits costs more than its length, whatever is nested in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prefect_staticadslab.brand_kits.kit_file import read_kits
from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.job_types.json_trees import TreeError, apply_patch, check_patch
from prefect_staticadslab.campaign.job_types.revision_rows import read_changes
from tests.security.input.bounded import IDS, sheet, within_bounds

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
