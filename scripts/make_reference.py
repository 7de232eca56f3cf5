"""Writes docs/reference.md from the docstrings: what is public, and what the flows take.

python scripts/make_reference.py [FILE]
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import griffe

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "prefect_staticadslab"
WIDTH = 88
GOOGLE: Final[Any] = {
    "docstring_parser": "google",
    "docstring_options": {"returns_multiple_items": False},
}
PLAIN = {"Details": "dict[str, Any]", "Identifier": "str", "JsonTree": "dict[str, Any]"}
PLAIN |= {"Moment": "datetime", "Pixels": "int", "Text": "str", "Url": "str"}
"""Types of the models' fields, as what they are once they are read."""

INTRO = """<!-- fmt: off -->
# Reference

Made from the docstrings by `make reference`. `from prefect_staticadslab import …` gives all of
it but the errors, which are in `prefect_staticadslab.api.errors`, and the flows, which are in
`prefect_staticadslab.flows`.
"""


def main() -> None:
    """Writes the page."""
    logging.getLogger("griffe").setLevel(logging.ERROR)
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "reference.md"
    file.write_text(reference(), encoding="utf-8")


def reference() -> str:
    """The whole page."""
    names = [str(name) for name in _package().exports or () if name != "__version__"]
    public = [_final(_package()[name]) for name in names]
    errors = _package()["api.errors"].classes.values()
    groups: dict[str, list[Any]] = {
        "Flows": list(_flows()),
        "Blocks": [i for i in public if re.search("Block|JobRun", str(getattr(i, "bases", "")))],
        "Tasks": [i for i in public if i.is_function],
        "Client": [i for i in public if i.name == "StaticAdsLabClient"],
        "Errors": [e for e in errors if e.name.endswith("Error")],
    }
    told = {item.path for items in groups.values() for item in items}
    groups["Data"] = [item for item in public if item.path not in told]
    parts = [INTRO]
    for title, items in groups.items():
        links = ", ".join(f"[`{item.name}`](#{item.name.lower()})" for item in items)
        parts.append(f"- **[{title}](#{title.lower()})**: {links}")
    for title, items in groups.items():
        parts.append(f"\n## {title}")
        parts += [line for item in items for line in _described(item, "###")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


@cache
def _package() -> Any:
    return griffe.load(PACKAGE, search_paths=[ROOT], **GOOGLE)


def _final(item: Any) -> Any:
    return item.final_target if item.is_alias else item


def _flows() -> Iterator[griffe.Function]:
    for file in sorted((ROOT / PACKAGE / "flows").glob("[a-z]*.py")):
        module = griffe.visit(file.stem, file, file.read_text(encoding="utf-8"), **GOOGLE)
        for item in module.functions.values():
            if any(d.callable_path == "prefect.flow" for d in item.decorators):
                yield item


def _described(item: Any, level: str) -> Iterator[str]:
    members = list(_members(item)) if item.is_class else []
    yield f"\n{level} {item.name}\n\n```py\n{_declaration(item, members)}\n```\n"
    yield from _docstring(item)
    for method in members:
        # What only carries out somebody else's contract has no docstring of its own.
        if method.is_function and method.docstring:
            yield from _described(method, "####")


def _members(cls: griffe.Class) -> Iterator[Any]:
    """Public fields, properties and methods, the inherited ones first."""
    inherited = {n: m for n, m in cls.all_members.items() if n not in cls.members}
    for name, member in (inherited | cls.members).items():
        if name[0] != "_" and name != "model_config":
            yield _final(member)


def _declaration(item: Any, members: list[Any]) -> str:
    if item.is_function:
        start = f"{'async ' if 'async' in item.labels else ''}def {item.name}"
        return _signature(item, start, f" -> {_type(item.returns)}")
    if item.is_attribute:
        return f"{item.name} = {item.value}"
    if "__init__" in item.all_members:
        return _signature(_final(item.all_members["__init__"]), f"class {item.name}", "")
    bases = [base for base in map(str, item.bases) if base[0] != "_"]
    lines = [f"class {item.name}({', '.join(bases)}):".replace("()", "")]
    for field in members:
        if field.is_attribute and "Enum" in lines[0]:
            lines.append(f"    {field.name} = {_quoted(field.value)}")
        elif field.is_attribute and field.annotation:
            lines.append(f"    {field.name}: {_type(field.annotation)}")
    return "\n".join(lines)


def _signature(function: griffe.Function, start: str, end: str) -> str:
    parameters = []
    for p in [p for p in function.parameters if p.name not in ("self", "cls")]:
        star = {"variadic positional": "*", "variadic keyword": "**"}.get(str(p.kind.value), "")
        if p.kind is griffe.ParameterKind.keyword_only and not any(x[0] == "*" for x in parameters):
            parameters.append("*")
        default = "" if p.default is None or star else f" = {_default(p.default)}"
        parameters.append(f"{star}{p.name}: {_type(p.annotation)}{default}")
    line = f"{start}({', '.join(parameters)}){end}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{start}(", *(f"    {p}," for p in parameters), f"){end}"])


def _type(annotation: object) -> str:
    plain = re.sub(r"\w+", lambda name: PLAIN.get(name[0], name[0]), str(annotation))
    bare = re.sub(r"^Annotated\[(.*?), .*\]$", r"\1", plain)
    return re.sub(r"^Maybe\[(.*)\]$", r"\1 | None", bare)


def _default(default: Any) -> str:
    """A default as what it is, where it has a name."""
    path = getattr(default, "canonical_path", "")
    if path.startswith(f"{PACKAGE}."):
        default = getattr(_final(_package()[path[len(PACKAGE) + 1 :]]), "value", default)
    return _quoted(default)


def _quoted(value: object) -> str:
    return str(value).replace("'", '"')


def _docstring(item: Any) -> Iterator[str]:
    for section in item.docstring.parsed if item.docstring else ():
        kind = section.kind.value
        if kind == "text":
            yield f"{section.value}\n"
        elif kind == "admonition":
            yield f"{section.title}:\n\n{section.value.contents}\n"
        elif kind in ("parameters", "attributes", "raises", "returns"):
            yield f"{'Arguments' if kind == 'parameters' else kind.capitalize()}:\n"
            for entry in section.value:
                name = getattr(entry, "name", "") or (kind == "raises" and str(entry.annotation))
                # `width, height: …` is one name with a type to the parser.
                name = f"{name} {entry.annotation}" if name and name[-1] == "," else name
                text = " ".join(entry.description.split())
                yield f"- `{name.strip('()')}`: {text}" if name else f"- {text}"
            yield ""


if __name__ == "__main__":
    main()
