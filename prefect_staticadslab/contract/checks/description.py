"""Whether the API's own description has what the client asks, sends and reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from prefect_staticadslab.contract.calls import (
    CALLS,
    TEMPLATE_ADDRESS,
    TEMPLATE_UPLOAD,
    Call,
)
from prefect_staticadslab.contract.checks.schemas import Document, as_list, as_object, json_types
from prefect_staticadslab.contract.kinds import DESIGN_TEMPLATES
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Seen, differs, holds, unseen

MOST_SHOWN: Final = 8
JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
_SUCCESSES: Final = ("200", "201", "202", "2XX", "default")
_NOT_FOUND: Final = 404


def served(reply: Reply) -> Seen:
    """Whether there is a description."""
    version = reply.body.get("openapi") if reply.is_json else None
    if isinstance(version, str) and version.startswith("3.") and reply.is_success:
        return holds(f"OpenAPI {version}, {len(_paths(reply.body))} paths", reply)
    if reply.status == _NOT_FOUND:
        return unseen("it is not there (404)", reply)
    return differs(f"{reply}: no OpenAPI 3", reply)


@dataclass(frozen=True)
class Description:
    """An API's description of itself, to be asked for the client's calls."""

    document: Document

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Description:
        """The description that this document is."""
        return cls(Document(body))

    def calls(self) -> Seen:
        """Whether all calls of the client are there."""
        missing = [call.name for call in CALLS if self.operation(call) is None]
        return _seen_of(missing, f"all {len(CALLS)}")

    def answers(self) -> Seen:
        """Whether all fields that are read are there, with types that can be read."""
        odd: list[str] = []
        count = 0
        for call, operation in self._described():
            properties = self._answer(call, operation)
            if not call.fields or properties is None:
                continue
            count += len(call.fields)
            readable = json_types(call.model) if call.model else {}
            odd += [
                f"{call.name}: {problem}"
                for name in sorted(call.fields)
                if (problem := self._problem(name, properties.get(name), readable.get(name)))
            ]
        return _seen_of(odd, f"{count} fields") if count else unseen("no answer is described")

    def bodies(self) -> Seen:
        """Whether all fields that are sent are there, and no other is required."""
        odd: list[str] = []
        count = 0
        for call, operation in self._described():
            for kind, sent in ((JSON, call.sends), (FORM, call.uploads)):
                if not sent:
                    continue
                schema = self._request_body(operation, kind)
                count += len(sent)
                odd += [f"{call.name}: no {name}" for name in sorted(sent - schema.names)]
                required = schema.required - sent
                odd += [f"{call.name}: {name} is required" for name in sorted(required)]
        return _seen_of(odd, f"{count} fields") if count else unseen("no body is described")

    def filters(self) -> Seen:
        """Whether all filters that are sent are there."""
        pairs = [
            (call, name, self._query_names(call, operation))
            for call, operation in self._described()
            for name in sorted(call.filters)
        ]
        missing = [f"{call.name}?{name}=" for call, name, known in pairs if name not in known]
        return _seen_of(missing, f"{len(pairs)} filters")

    def template_upload(self) -> Seen:
        """Whether a template is made in one of the two ways that the client has."""
        call = next(c for c in CALLS if (c.method, c.path) == ("POST", DESIGN_TEMPLATES.path))
        operation = self.operation(call)
        if operation is None:
            return unseen("the call is not described")
        form, json = self._request_body(operation, FORM), self._request_body(operation, JSON)
        ways = [
            name
            for name, schema, sent in (
                ("multipart file", form, TEMPLATE_UPLOAD),
                ("JSON reference_image_url", json, TEMPLATE_ADDRESS),
            )
            if sent <= schema.names and not schema.required - sent
        ]
        others = ", ".join(sorted(form.names | json.names)) or "no body"
        return holds(" and ".join(ways)) if ways else differs(f"it takes {others}")

    def operation(self, call: Call) -> Mapping[str, Any] | None:
        """How a call is described; None if it is not."""
        for path, methods in self._operations.items():
            if path == _shape(call.path):
                return methods.get(call.method.lower())
        return None

    @cached_property
    def _operations(self) -> dict[str, dict[str, Mapping[str, Any]]]:
        """The described operations by the shape of their path and by method, each with the
        parameters that its path has for all of them."""
        operations: dict[str, dict[str, Mapping[str, Any]]] = {}
        for path, item in _paths(self.document.root).items():
            resolved = self.document.resolved(item)
            shared = as_list(resolved.get("parameters"))
            methods = {
                method: {
                    **operation,
                    "parameters": [*shared, *as_list(operation.get("parameters"))],
                }
                for method, operation in resolved.items()
                if isinstance(operation, dict)
            }
            operations.setdefault(_shape(path), {}).update(methods)
        return operations

    def _described(self) -> Iterator[tuple[Call, Mapping[str, Any]]]:
        """The client's calls that are described, each with its description."""
        for call in CALLS:
            if (operation := self.operation(call)) is not None:
                yield call, operation

    def _answer(self, call: Call, operation: Mapping[str, Any]) -> dict[str, Any] | None:
        """The described properties of what a success answers; None if there are none."""
        responses = as_object(operation.get("responses"))
        for status in _SUCCESSES:
            if status in responses:
                schema = self.document.content(responses[status], JSON)
                data = self.document.properties(schema).get("data")
                if call.is_list:
                    data = self.document.items(data)
                return self.document.properties(data)
        return None

    def _problem(self, name: str, schema: Any, readable: frozenset[str] | None) -> str:
        """What is wrong with a field as it is described; "" if we can read it."""
        if schema is None:
            return f"no {name}"
        described = self.document.types(schema) - {"null"}
        if readable and described and not described & readable:
            return f"{name} is {'/'.join(sorted(described))}"
        return ""

    def _request_body(self, operation: Mapping[str, Any], media_type: str) -> _Body:
        """The fields of the described request of this media type; none if there is no such body."""
        schema = self.document.content(operation.get("requestBody"), media_type)
        return _Body(frozenset(self.document.properties(schema)), self.document.required(schema))

    def _query_names(self, call: Call, operation: Mapping[str, Any]) -> set[str]:
        """The names that may stand in the query."""
        resolved = [self.document.resolved(each) for each in operation["parameters"]]
        return {str(each.get("name")) for each in resolved if each.get("in") == "query"}


@dataclass(frozen=True)
class _Body:
    """The fields of a body, and those of them that must be there."""

    names: frozenset[str]
    required: frozenset[str]


def _paths(root: Mapping[str, Any]) -> Mapping[str, Any]:
    return as_object(root.get("paths"))


def _shape(path: str) -> str:
    """A path without its version, and whatever its parameters are called."""
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/").removeprefix("/v1")


def _seen_of(odd: Sequence[str], text: str) -> Seen:
    """Differs if anything is odd, and names it; else it holds, with this text."""
    unique = list(dict.fromkeys(odd))
    if not unique:
        return holds(text)
    more = f"; and {len(unique) - MOST_SHOWN} more" if len(unique) > MOST_SHOWN else ""
    return differs("; ".join(unique[:MOST_SHOWN]) + more)
