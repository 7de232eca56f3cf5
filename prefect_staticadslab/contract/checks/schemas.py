"""JSON Schemas as OpenAPI has them: references followed, alternatives taken together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from prefect_staticadslab.api.models import Resource

DEEPEST: Final = 30
"""References and alternatives within each other; what goes on after that goes in a circle."""

_COMBINED: Final = ("allOf", "anyOf", "oneOf")
_NUMBERS: Final = frozenset(("number", "integer"))
_ANYTHING: Final = frozenset(("object", "array", "string", "number", "integer", "boolean"))


def as_object(part: Any) -> Mapping[str, Any]:
    """A part of a document that should be an object, or an empty one."""
    return part if isinstance(part, Mapping) else {}


def as_list(part: Any) -> Sequence[Any]:
    """A part of a document that should be a list, or an empty one."""
    return part if isinstance(part, list) else ()


@dataclass(frozen=True)
class Document:
    """A document whose parts refer to each other.

    Example:
        ```python
        from prefect_staticadslab.contract.checks.schemas import Document

        document = Document({"parts": {"Id": {"type": ["string", "null"]}}})
        assert document.types({"$ref": "#/parts/Id"}) == {"string", "null"}
        ```
    """

    root: Mapping[str, Any]

    def resolved(self, part: Any) -> Mapping[str, Any]:
        """What a part is, or refers to; nothing if that is not there."""
        for _ in range(DEEPEST):
            if not isinstance(part, Mapping):
                return {}
            reference = part.get("$ref")
            if not isinstance(reference, str):
                return part
            part = self._at(reference)
        return {}

    def _at(self, reference: str) -> Any:
        """What is at a JSON pointer such as `#/parts/Id`; None if nothing is (RFC 6901)."""
        found: Any = self.root
        for name in reference.removeprefix("#/").split("/"):
            key = name.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def content(self, part: Any, media_type: str) -> Any:
        """The schema of a body or an answer of this media type."""
        for name, entry in as_object(self.resolved(part).get("content")).items():
            if str(name).partition(";")[0].strip() == media_type:
                return self.resolved(entry).get("schema")
        return None

    def properties(self, schema: Any) -> dict[str, Any]:
        """The properties of an object, of all alternatives together."""
        found: dict[str, Any] = {}
        for part in self._parts(schema):
            found.update(as_object(part.get("properties")))
        return found

    def required(self, schema: Any) -> frozenset[str]:
        """The properties that must be there, whichever alternative is taken."""
        return self._required(schema, DEEPEST)

    def _required(self, schema: Any, depth: int) -> frozenset[str]:
        """See `required`; `depth` is how many references and alternatives are still followed."""
        part = self.resolved(schema)
        if not part or not depth:
            return frozenset()
        found = frozenset(map(str, as_list(part.get("required"))))
        for each in as_list(part.get("allOf")):
            found |= self._required(each, depth - 1)
        for name in ("anyOf", "oneOf"):
            choices = [self._required(each, depth - 1) for each in as_list(part.get(name))]
            found |= frozenset.intersection(*choices) if choices else frozenset()
        return found

    def items(self, schema: Any) -> Any:
        """The schema of a list's items; None if the schema is of no list."""
        return next((part["items"] for part in self._parts(schema) if "items" in part), None)

    def types(self, schema: Any) -> frozenset[str]:
        """The JSON types that a value may have; all of them if nothing is said."""
        found: set[str] = set()
        for part in self._parts(schema):
            found |= _types_of(part)
        return frozenset(found) or _ANYTHING

    def _parts(self, schema: Any, depth: int = DEEPEST) -> Iterator[Mapping[str, Any]]:
        """A schema, and all schemas that it combines, with their references followed."""
        part = self.resolved(schema)
        if not part or not depth:
            return
        yield part
        for name in _COMBINED:
            for each in as_list(part.get(name)):
                yield from self._parts(each, depth - 1)


@cache
def json_types(model: type[Resource]) -> Mapping[str, frozenset[str]]:
    """The JSON types that a model can read, by field: `null` left out, and both types of numbers if
    it reads one.

    Example:
        ```python
        from prefect_staticadslab.api.resources import Brand
        from prefect_staticadslab.contract.checks.schemas import json_types

        assert json_types(Brand)["logo_image_ids"] == {"array"}
        ```
    """
    schema = model.model_json_schema()
    document = Document(schema)
    return {
        name: _with_all_numbers(document.types(field) - {"null"})
        for name, field in schema["properties"].items()
    }


def _with_all_numbers(types: frozenset[str]) -> frozenset[str]:
    """The same types; with one of the two for numbers also the other."""
    return types | _NUMBERS if types & _NUMBERS else types


def _types_of(part: Mapping[str, Any]) -> set[str]:
    """The JSON types that a schema names, without what it combines; none if it names none."""
    told = part.get("type")
    types = {told} if isinstance(told, str) else set(map(str, as_list(told)))
    if "enum" in part or "const" in part:
        values = as_list(part.get("enum")) or [part.get("const")]
        types |= {_type_of(value) for value in values}
    if not types and "properties" in part:
        types.add("object")
    if part.get("nullable"):
        types.add("null")
    return types


def _type_of(value: object) -> str:
    """What JSON Schema calls the type of a value."""
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case None:
            return "null"
        case list():
            return "array"
        case _:
            return "object"
