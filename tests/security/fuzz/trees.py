"""What people write in JSON, TOML and YAML: changes to trees, and brand kits."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from prefect_staticadslab.api.models import JsonTree
from prefect_staticadslab.brand_kits.kit_file import read_kits
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.job_types.json_trees import (
    TreeError,
    apply_overrides,
    apply_patch,
    check_overrides,
    check_patch,
    nodes,
)
from prefect_staticadslab.campaign.job_types.revision_rows import read_changes
from prefect_staticadslab.campaign.rows.json_cells import tree_fingerprint
from tests.security.fuzz.inputs import (
    ROOT,
    any_texts,
    json_values,
    mangled,
    mostly,
    pick,
    texts,
    tokens_of,
)
from tests.security.fuzz.target import Target, promise

_IDS: Final = ("1", "2", "3", "", "é")
_KINDS: Final = ("FRAME", "TEXT", "RECTANGLE", "EFFECT", "", "text")

_PATHS: Final = (
    "", "/", "/children", "/children/0", "/children/-", "/children/-1", "/children/99", "/type",
    "/children/0/characters", "/a~1b", "/~", "/~2", "children", "/children/00", "/children/1e0",
    "/children/0/fills/0", "//", "/children/0/characters/0", "/id/0", "/x/y", "/children/٣",
)  # fmt: skip


@cache
def _trees() -> st.SearchStrategy[dict[str, Any]]:
    """Trees as the API gives them: mostly good ones."""
    anything = json_values()
    node = st.fixed_dictionaries(
        {},
        optional={
            "id": mostly(pick(_IDS), anything),
            "type": mostly(pick(_KINDS), anything),
            "characters": mostly(texts(), anything),
            "name": mostly(texts(), anything),
            "fills": st.one_of(
                st.just([{"type": "IMAGE"}]), st.just([{"type": "SOLID"}]), anything
            ),
        },
    )
    inner = st.recursive(
        node,
        lambda below: st.builds(
            lambda one, children: {**one, "children": children},
            node,
            st.one_of(st.lists(st.one_of(below, anything), max_size=3), anything),
        ),
        max_leaves=8,
    )
    root = st.fixed_dictionaries(
        {"type": st.just("FRAME"), "children": st.lists(inner, max_size=3)}
    )
    return st.one_of(root, inner, json_values().map(lambda value: {"children": value}))


def _operations() -> st.SearchStrategy[object]:
    good = pick(("/children/0", "/children/-", "/children/0/characters", "/type", "/x"))
    paths = mostly(good, st.one_of(pick(_PATHS), texts(8), json_values()))
    verbs = mostly(
        pick(("add", "remove", "replace", "move", "copy", "test")),
        pick(("x", None, 1)),
    )
    value = st.one_of(pick(("Sale", 1, None)), json_values())
    known = {"op": verbs, "path": paths}
    one = st.fixed_dictionaries({**known, "value": value, "from": paths})
    lacking = st.fixed_dictionaries({}, optional={**known, "value": value, "from": paths})
    operations = st.lists(mostly(one, lacking), min_size=1, max_size=3)
    return mostly(operations, json_values())


def _overrides() -> st.SearchStrategy[object]:
    kinds = mostly(pick(("characters", "imageFillUrl")), texts())
    changes = st.dictionaries(kinds, texts(), min_size=1, max_size=2)
    nodes_of = mostly(pick(_IDS), any_texts())
    return mostly(st.dictionaries(nodes_of, changes, min_size=1, max_size=2), json_values())


def _tree_inputs() -> st.SearchStrategy[tuple[Any, ...]]:
    depths = mostly(st.just(0), st.integers(0, 95))
    return st.tuples(_trees(), _operations(), _overrides(), depths)


def examine_trees(given: tuple[Any, ...]) -> None:
    tree, operations, overrides, depth = given
    for _ in range(depth):
        tree = {"type": "FRAME", "children": [tree]}
    before = copy.deepcopy(tree)
    promise(all(isinstance(node, dict) for node in nodes(tree)), "a node that is none")
    refused = None
    ways: tuple[Callable[[], JsonTree], ...] = (
        lambda: apply_patch(tree, check_patch(copy.deepcopy(operations))),
        lambda: apply_overrides(tree, check_overrides(copy.deepcopy(overrides))),
    )
    done = 0
    for way in ways:
        try:
            changed = way()
        except TreeError as error:
            refused = refused or error
            continue
        done += 1
        tree_fingerprint(changed)
        json.dumps(changed)
    promise(tree == before, "the tree itself was changed", before, tree)
    _as_rows(operations, overrides, tree)
    if refused and not done:
        raise refused


def _as_rows(operations: object, overrides: object, tree: dict[str, Any]) -> None:
    header = ["image_ad_id", "json_patch", "node_overrides"]
    lines = [["ia_1", json.dumps(operations), ""], ["ia_1", "", json.dumps(overrides)]]
    for line in lines:
        try:
            (row,) = read_changes(Spreadsheet(tuple(header), [line], (2,)))
            promise(bool(row.request.summary), "a change that is none")
            row.request.apply_to(tree)
        except (CampaignError, TreeError):
            continue


@cache
def _kits() -> tuple[bytes, ...]:
    toml = (ROOT / "examples" / "brand_kits.toml").read_bytes()
    yaml = b"""# kits
harbor-roast-sale: &base
  brand: "Harbor Roast"
  product: Cold Brew Kit
  design_template: ad_format=Sale
  editable: true
fernweh:
  <<: *base
  prompt: |
    One
    Two
  generate_copy: no
  audience: [a, b]
  brand_id: 007
? [a, b]
: {x: 1}
"""
    return (toml, yaml, b'[a]\nbrand = "x"\n', b"a:\n  brand: x\n", b"")


_KIT_TOKENS: Final = tokens_of(
    (
        "[a]", "[[a]]", "[a.b]", "a.b.c = 1", "= ", '"""', "'''", "{a = 1}", "[1, 2]", "1979-05-27",
        "0x1", "1e999", "nan", "\\u0000", "\\ud800", "9" * 5000, "a: b", "- a", "? ", ": ", "*base",
        "&base", "<<: *base", "!!binary x", "!!bool x", "!!float x", "!!int x", "!!timestamp x",
        "!!set {a}", "!!omap [a: 1]", "!!pairs [a: 1]", "!!python/object/apply:os.system [id]",
        "!x", "%YAML 1.1\n---\n", "%TAG ! a\n---\n", "---", "...", "|", ">", "|9", ">+", "{", "}",
        "[", "]", "\t", "\n", "  ", "#", "@", "`", "null", "~", ".inf", "0o7", "1_0", "60:60",
        "2026-11-25T10:00:00Z", "0001-01-01T00:00:00+99:99", "9999-99-99", "*a *a", "&a [*a, *a]",
        "&b {*a : *a}", "? {a: b}", "? - a\n", "!!merge <<", "=", "[" * 300, "{a: " * 300, "sal_x",
        "brand", "brand_id", "prompt", "editable = 1", "credentials = 'X Y'", "* ", "product",
    )
)  # fmt: skip


def _kit_inputs() -> st.SearchStrategy[tuple[str, bytes]]:
    endings = pick((".toml", ".yaml"))
    return st.tuples(
        endings, st.one_of(mangled(_kits, _KIT_TOKENS, most=2), mangled(_kits, _KIT_TOKENS, most=8))
    )


def examine_kits(given: tuple[str, bytes]) -> None:
    ending, content = given
    file = read_kits(content.decode("utf-8", errors="ignore"), ending, "static-ads-lab")
    promise(bool(file.kits or file.problems), "a file with nothing in it")
    for problem in file.problems:
        promise(len(str(problem)) < 2000, "a message that is too long", str(problem))


TREES: Final = (
    Target("json_trees", _tree_inputs, examine_trees, (TreeError,)),
    Target("kits", _kit_inputs, examine_kits, (CampaignError,)),
)
