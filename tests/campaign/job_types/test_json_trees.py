"""Changes to trees: what fits is applied to a copy, and what does not is told."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from prefect_staticadslab.campaign.job_types.json_trees import (
    TreeError,
    apply_overrides,
    apply_patch,
    check_overrides,
    check_patch,
    check_tree,
    nodes,
)
from prefect_staticadslab.campaign.rows.json_cells import tree_fingerprint

TREE: dict[str, Any] = {
    "id": "root",
    "type": "FRAME",
    "children": [
        {"id": "headline", "type": "TEXT", "characters": "Sale"},
        {
            "id": "group",
            "type": "FRAME",
            "children": [
                {"id": "photo", "type": "RECTANGLE", "fills": [{"type": "IMAGE"}]},
                {"id": "bar", "type": "RECTANGLE", "fills": [{"type": "SOLID"}]},
            ],
        },
    ],
}


@pytest.fixture(autouse=True)
def the_tree_is_left_as_it_was() -> Any:
    before = copy.deepcopy(TREE)
    yield
    assert before == TREE


def test_nodes_come_in_the_order_of_the_page() -> None:
    assert [n["id"] for n in nodes(TREE)] == ["root", "headline", "group", "photo", "bar"]


def test_a_patch_is_applied_to_a_copy() -> None:
    change = [
        {"op": "test", "path": "/children/0/characters", "value": "Sale"},
        {"op": "replace", "path": "/children/0/characters", "value": "Summer"},
        {"op": "remove", "path": "/children/1/children/1"},
    ]
    tree = apply_patch(TREE, change)
    assert [n["id"] for n in nodes(tree)] == ["root", "headline", "group", "photo"]
    assert tree["children"][0]["characters"] == "Summer"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ([{"op": "remove", "path": "/children/7"}], "does not fit"),
        ([{"op": "test", "path": "/id", "value": "other"}], "does not fit"),
        ([{"op": "replace", "path": "/children/0/characters/deep", "value": 1}], "does not fit"),
        ([{"op": "remove", "path": "/children"}], "no whole tree"),
        ([{"op": "replace", "path": "", "value": "text"}], "no JSON object"),
    ],
)
def test_a_patch_that_does_not_fit_is_told(change: Any, said: str) -> None:
    with pytest.raises(TreeError, match=said):
        apply_patch(TREE, change)


@pytest.mark.parametrize(
    "operations",
    [
        {},
        [],
        "[]",
        [{"op": "replce", "path": "/a", "value": 1}],
        [{"op": "add", "path": "/a"}],
        [{"path": "/a"}],
        [{"op": "move", "path": "/a"}],
        [{"op": "remove", "path": "a"}],
        ["remove"],
    ],
)
def test_what_is_no_patch_is_told(operations: Any) -> None:
    with pytest.raises(TreeError):
        check_patch(operations)


def test_overrides_change_texts_and_pictures() -> None:
    tree = apply_overrides(
        TREE,
        {
            "headline": {"characters": "Now"},
            "photo": {"imageFillUrl": "https://cdn/1.png"},
            "bar": {"imageFillUrl": "https://cdn/2.png"},
        },
    )
    found = {n["id"]: n for n in nodes(tree)}
    assert found["headline"]["characters"] == "Now"
    assert found["photo"]["fills"] == [{"type": "IMAGE", "imageFillUrl": "https://cdn/1.png"}]
    assert found["bar"]["fills"][-1] == {"type": "IMAGE", "imageFillUrl": "https://cdn/2.png"}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"headlin": {"characters": "x"}}, r"not there. There are: 'Sale' \(headline\), 'RECT"),
        ({"photo": {"characters": "x"}}, "a RECTANGLE"),
        ({"headline": {"imageFillUrl": "x"}}, "a TEXT"),
    ],
)
def test_an_override_that_does_not_fit_is_told(overrides: Any, said: str) -> None:
    with pytest.raises(TreeError, match=said):
        apply_overrides(TREE, overrides)


@pytest.mark.parametrize(
    "overrides", [[], {}, {"a": {}}, {"a": "x"}, {"a": {"fills": "x"}}, {"a": {"characters": 1}}]
)
def test_what_are_no_overrides_is_told(overrides: Any) -> None:
    with pytest.raises(TreeError):
        check_overrides(overrides)


@pytest.mark.parametrize("tree", [[], None, {}, {"type": "FRAME"}, {"children": []}])
def test_a_part_of_a_tree_is_no_tree(tree: Any) -> None:
    with pytest.raises(TreeError):
        check_tree(tree)


def test_equal_trees_have_one_fingerprint_whatever_the_order_of_their_keys() -> None:
    turned = dict(reversed(list(TREE.items())))
    assert tree_fingerprint(turned) == tree_fingerprint(TREE)
    assert tree_fingerprint({**TREE, "id": "other"}) != tree_fingerprint(TREE)


@pytest.mark.parametrize("other", ["headline-frame", "headline-fram", "headline"])
def test_the_text_that_was_meant_is_listed_however_many_there_are(other: str) -> None:
    """Also where a frame, which nobody can change, has a name that is more like it."""
    texts = [{"id": f"n{i}", "type": "TEXT", "characters": f"Text {i}"} for i in range(20)]
    meant = {"id": "headline-text", "type": "TEXT", "characters": "Sale"}
    frame = {"id": "headline-frame", "type": "FRAME", "children": [*texts, meant]}
    tree = {"id": "root", "type": "FRAME", "children": [frame]}
    with pytest.raises(TreeError, match=r"There are: 'Sale' \(headline-text\), 'Text 0'|a FRAME"):
        apply_overrides(tree, {other: {"characters": "Now"}})
