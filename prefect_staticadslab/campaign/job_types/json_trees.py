"""Changing the trees of templates and editable ads: trees in, trees out, and none is changed.

A tree is made of nodes: `FRAME` (with `children`), `TEXT` (with `characters`), `RECTANGLE` (with
`fills`) and `EFFECT`, each with an id (the vendor's guide to JSON trees).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from prefect_staticadslab.api.models import JsonTree
from prefect_staticadslab.bounds import PATCH_OPERATIONS, PATCH_PATH, TREE_DEPTH, TREE_LENGTH
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.names.nearest import Nearest
from prefect_staticadslab.campaign.rows.json_cells import is_nested_deeper

LONGEST_REASON: Final = 200
"""Characters of the JSON patch library's message that are told."""

LISTED_NODES: Final = 8
"""Nodes that are named if an override names one that is not there."""


class TreeError(ValueError):
    """A change that does not fit the tree. The message says why."""


def nodes(tree: JsonTree) -> Iterator[dict[str, Any]]:
    """All nodes of a tree, each before its children.

    Example:
        ```python
        from prefect_staticadslab.campaign.job_types.json_trees import nodes

        tree = {"id": "1", "type": "FRAME", "children": [{"id": "2", "type": "TEXT"}]}
        assert [node["id"] for node in nodes(tree)] == ["1", "2"]
        ```
    """
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        children = node.get("children")
        if isinstance(children, list):
            waiting += [child for child in reversed(children) if isinstance(child, dict)]


def check_tree(tree: object) -> JsonTree:
    """Returns `tree` if it can be a whole tree.

    Raises:
        TreeError: It is no JSON object with a type and children, or has too many levels.
    """
    if not isinstance(tree, dict):
        raise TreeError("is no JSON object; the whole tree is needed.")
    if is_nested_deeper(tree, TREE_DEPTH):
        raise TreeError(f"is no tree that can be sent: it has more than {TREE_DEPTH} levels.")
    if not isinstance(tree.get("type"), str) or not isinstance(tree.get("children"), list):
        raise TreeError(
            "is no whole tree; that is an object with a type, such as FRAME, and children."
        )
    return tree


def _json_length(value: Any) -> int:
    """The approximate length of a value as JSON, in characters; without recursion."""
    length, waiting = 0, [value]
    while waiting:
        each = waiting.pop()
        length += _PUNCTUATION
        if isinstance(each, str):
            length += len(each)
        elif isinstance(each, dict):
            length += sum(map(len, each))
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return length


_PUNCTUATION: Final = 10
"""Characters that are counted for each value besides its text: quotes, commas, brackets, digits."""


def apply_patch(tree: JsonTree, operations: Sequence[Mapping[str, Any]]) -> JsonTree:
    """A copy of the tree with a JSON patch (RFC 6902) applied.

    Raises:
        TreeError: An operation does not fit, or what comes out is no tree, or far too large.

    Example:
        ```python
        from prefect_staticadslab.campaign.job_types.json_trees import apply_patch

        tree = {"type": "FRAME", "children": [{"id": "2", "characters": "Sale"}]}
        change = [{"op": "replace", "path": "/children/0/characters", "value": "Summer sale"}]
        assert apply_patch(tree, change)["children"][0]["characters"] == "Summer sale"
        ```
    """
    import jsonpatch

    try:
        result = copy.deepcopy(tree)
        length = _json_length(result)
        for operation in operations:
            # Copies of copies double what there is with each of them.
            length += _json_length(_added_value(operation, result))
            if length > TREE_LENGTH:
                raise TreeError(f"makes the ad's tree longer than {TREE_LENGTH:,} characters.")
            single_patch = [copy.deepcopy(dict(operation))]
            result = jsonpatch.apply_patch(result, single_patch, in_place=True)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, *_PATCH_ERRORS) as error:
        if isinstance(error, TreeError):
            raise
        raise TreeError(f"does not fit the ad's tree: {_short_message(error)}") from None
    try:
        return check_tree(result)
    except TreeError as error:
        raise TreeError(f"makes something of the ad's tree that {error}") from None


def _added_value(operation: Mapping[str, Any], tree: JsonTree) -> Any:
    """The value that a patch operation adds to a tree; None if it adds none.

    Raises a `JsonPointerException` if what a `copy` copies is not there.
    """
    import jsonpatch

    if operation["op"] == "copy":
        return jsonpatch.JsonPointer(operation["from"]).resolve(tree)
    return operation.get("value")


_PATCH_ERRORS: Final = (TypeError, ValueError, LookupError, AttributeError, RecursionError)
"""What the library lets pass of operations that make no sense."""


def check_patch(operations: object) -> list[dict[str, Any]]:
    """Returns `operations` if they are a JSON patch.

    Raises:
        TreeError: They are none; the message says why.
    """
    import jsonpatch

    if not isinstance(operations, list) or not operations:
        raise TreeError("is no list of operations.")
    if len(operations) > PATCH_OPERATIONS:
        raise TreeError(
            f"has {len(operations):,} operations, and {PATCH_OPERATIONS:,} are the most. "
            "Send the whole tree instead."
        )
    try:
        patch = jsonpatch.JsonPatch(operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, *_PATCH_ERRORS) as error:
        raise TreeError(f"is no JSON patch: {_short_message(error)}") from None
    for operation in operations:
        name = operation["op"]
        required_field = _REQUIRED_FIELDS[name]
        if required_field and required_field not in operation:
            raise TreeError(f"is no JSON patch: {name} needs a {required_field!r}.")
        paths = (operation["path"], operation["from"] if required_field == "from" else "")
        if any(len(str(path)) > PATCH_PATH for path in paths):
            raise TreeError(f"has a path of more than {PATCH_PATH:,} characters.")
    return list(patch.patch)


_REQUIRED_FIELDS: Final = {
    "add": "value",
    "replace": "value",
    "test": "value",
    "move": "from",
    "copy": "from",
    "remove": "",
}
"""What an operation has besides its path; the library looks for it only when it applies one."""


def apply_overrides(tree: JsonTree, overrides: Mapping[str, Mapping[str, Any]]) -> JsonTree:
    """A copy of the tree with other texts and pictures, by node id, as in `node_overrides`.

    Raises:
        TreeError: There is no such node, or it has no text or picture.

    Example:
        ```python
        from prefect_staticadslab.campaign.job_types.json_trees import apply_overrides

        tree = {"type": "FRAME", "children": [{"id": "2", "type": "TEXT", "characters": "Sale"}]}
        new = apply_overrides(tree, {"2": {"characters": "Summer sale"}})
        assert new["children"][0]["characters"] == "Summer sale"
        ```
    """
    result = copy.deepcopy(tree)
    by_id = {node["id"]: node for node in nodes(result) if isinstance(node.get("id"), str)}
    for node_id, change in overrides.items():
        node = by_id.get(node_id)
        if node is None:
            raise TreeError(
                f"names the node {shortened(node_id)}, which is not there. "
                f"{_changeable_nodes_sentence(by_id, node_id)}"
            )
        _override_node(node, node_id, change)
    return result


def _changeable_nodes_sentence(by_id: Mapping[str, Mapping[str, Any]], node_id: str) -> str:
    """A sentence that lists the first nodes that an override can change, the one whose id is most
    like `node_id` before the others; or that there are none."""
    texts_by_id = [
        (i, shortened(str(node.get("characters") or node.get("name") or node["type"]), 30))
        for i, node in by_id.items()
        if node.get("type") in ("TEXT", "RECTANGLE")
    ]
    nearest = Nearest(i for i, _ in texts_by_id).similar(node_id, 1)
    texts_by_id.sort(key=lambda each: each[0] not in nearest)
    listed = ", ".join(f"{text!r} ({shortened(i)})" for i, text in texts_by_id[:LISTED_NODES])
    return f"There are: {listed}." if texts_by_id else "There is nothing to change."


def check_overrides(overrides: object) -> dict[str, dict[str, Any]]:
    """Returns `overrides` if they are texts and pictures by node id.

    Raises:
        TreeError: They are not.
    """
    if not isinstance(overrides, dict) or not overrides:
        raise TreeError('is no JSON object such as {"NODE_ID": {"characters": "Sale"}}.')
    for node_id, change in overrides.items():
        keys = set(change) if isinstance(change, dict) else set()
        if not keys or not keys <= {"characters", "imageFillUrl"}:
            short_id = shortened(node_id)
            raise TreeError(f"must give characters or imageFillUrl for the node {short_id}.")
        if not all(isinstance(value, str) for value in change.values()):
            raise TreeError(f"must give a text for the node {shortened(node_id)}.")
    return overrides


def _override_node(node: dict[str, Any], node_id: str, change: Mapping[str, Any]) -> None:
    """Changes a node's text or picture in place; raises a `TreeError` if it has none."""
    if "characters" in change:
        if node.get("type") != "TEXT":
            raise TreeError(f"gives characters to the node {_id_and_type(node, node_id)}.")
        node["characters"] = change["characters"]
    if "imageFillUrl" in change:
        if node.get("type") != "RECTANGLE":
            raise TreeError(f"gives a picture to the node {_id_and_type(node, node_id)}.")
        old_fills = node.get("fills")
        fills = [f for f in old_fills if isinstance(f, dict)] if isinstance(old_fills, list) else []
        images = [fill for fill in fills if fill.get("type") == "IMAGE"]
        if not images:
            images = [{"type": "IMAGE"}]
            fills += images
        for fill in images:
            fill["imageFillUrl"] = change["imageFillUrl"]
        node["fills"] = fills


def _id_and_type(node: Mapping[str, Any], node_id: str) -> str:
    """A node in a message, such as `1:23, a FRAME`."""
    return f"{shortened(node_id)}, a {shortened(str(node.get('type')))}"


def _short_message(error: Exception) -> str:
    """An error's message on one line; the library's quote the whole tree."""
    return shortened(str(error), LONGEST_REASON)
