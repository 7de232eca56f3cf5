"""Trees of nodes, as design templates and editable ads hold them."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from prefect_staticadslab.simulator.model.errors import not_valid


def template_tree(name: str, width: int, height: int) -> dict[str, Any]:
    """The tree of a design template. Its ids are made from `name`, so they are always the same."""

    def node_id(part: str) -> str:
        digest = hashlib.sha256(f"{name}/{part}".encode()).hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"

    def text(part: str, characters: str, size: int) -> dict[str, Any]:
        return {
            "id": node_id(part),
            "type": "TEXT",
            "name": part.capitalize(),
            "characters": characters,
            "fontSize": size,
            "fontFamily": "Inter",
            "fills": [{"type": "SOLID", "color": {"r": 0.1, "g": 0.1, "b": 0.1, "a": 1}}],
        }

    return {
        "id": node_id("root"),
        "type": "FRAME",
        "name": name,
        "width": width,
        "height": height,
        "children": [
            text("headline", "Headline", 96),
            text("body", "Body copy", 40),
            text("button", "Shop now", 40),
            {
                "id": node_id("picture"),
                "type": "RECTANGLE",
                "name": "Picture",
                "fills": [{"type": "IMAGE", "imageFillUrl": None}],
            },
            {"id": node_id("shadow"), "type": "EFFECT", "name": "Shadow"},
        ],
    }


def nodes(tree: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All nodes, each before its children."""
    yield dict(tree) if not isinstance(tree, dict) else tree
    for child in _list_or_empty(tree.get("children")):
        if isinstance(child, dict):
            yield from nodes(child)


def _list_or_empty(value: Any) -> list[Any]:
    """The value if it is a list; whatever else a client has sent counts as an empty one."""
    return value if isinstance(value, list) else []


def check_tree(tree: object) -> dict[str, Any]:
    """Returns the tree if it is an entire one: a `FRAME` with an id and children.

    Raises:
        APIError: 400 if it is not.
    """
    if not isinstance(tree, dict):
        raise not_valid(("current_json_tree", "must be an object: the entire tree"))
    if (
        tree.get("type") != "FRAME"
        or not tree.get("id")
        or not isinstance(tree.get("children"), list)
    ):
        raise not_valid(("current_json_tree", "must be a FRAME with an id and children"))
    return tree


def check_overrides(overrides: Mapping[str, Any], tree: Mapping[str, Any]) -> None:
    """Raises a 400 for overrides that do not fit a template's tree."""
    types = {str(node.get("id")): node.get("type") for node in nodes(tree)}
    details = []
    for node_id, change in overrides.items():
        field = f"node_overrides.{node_id}"
        if node_id not in types:
            details.append((field, "there is no such node in the design template"))
        elif not isinstance(change, dict) or not change:
            details.append((field, "must be an object"))
        else:
            details += [
                (f"{field}.{name}", "does not fit a node of this type")
                for name, value in change.items()
                if (name, types[node_id])
                not in (("characters", "TEXT"), ("imageFillUrl", "RECTANGLE"))
                or not isinstance(value, str)
            ]
    if details:
        raise not_valid(*details)


def fill_tree(
    tree: Mapping[str, Any], copy_texts: Mapping[str, str], overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """A copy of a template's tree with an ad's own content.

    Args:
        tree: The template's.
        copy_texts: What each text node says, by the node's name.
        overrides: What the ad's creator wants instead, by the node's id.
    """
    copied = copy.deepcopy(dict(tree))
    for node in nodes(copied):
        if node.get("type") == "TEXT" and str(node.get("name")) in copy_texts:
            node["characters"] = copy_texts[str(node["name"])]
        change = overrides.get(str(node.get("id")), {})
        if "characters" in change:
            node["characters"] = change["characters"]
        if "imageFillUrl" in change:
            node["fills"] = [{"type": "IMAGE", "imageFillUrl": change["imageFillUrl"]}]
    return copied


def texts(tree: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The name and the characters of each text, in order."""
    return [
        (str(node.get("name") or ""), str(node.get("characters") or ""))
        for node in nodes(tree)
        if node.get("type") == "TEXT"
    ]


def first_picture_url(tree: Mapping[str, Any]) -> str | None:
    """The address of the first picture that a tree holds."""
    for node in nodes(tree):
        for fill in _list_or_empty(node.get("fills")):
            if isinstance(fill, dict) and fill.get("type") == "IMAGE" and fill.get("imageFillUrl"):
                return str(fill["imageFillUrl"])
    return None
