"""The OpenAPI 3.1 document of a table of calls.

Nothing in it is written by hand that the calls themselves decide: paths, methods, scopes, statuses
and models are read from the table by which they are answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from prefect_staticadslab.simulator.http.description.responses import (
    RATE_LIMIT_HEADERS,
    error_responses,
    refusals,
    success_response,
)
from prefect_staticadslab.simulator.http.operation import Operation
from prefect_staticadslab.simulator.model.resources.envelopes import ErrorAnswer
from prefect_staticadslab.simulator.model.resources.ids import PREFIXES

SCHEMAS: Final = "#/components/schemas/"

_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and request within 24 hours are answered the same, once.",
    "schema": {"type": "string"},
}


def openapi_document(operations: Iterable[Operation], url: str) -> dict[str, Any]:
    """The description of all calls, as JSON.

    Args:
        operations: The calls.
        url: Where they are answered.
    """
    calls = list(operations)
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        paths.setdefault(f"/v1/{call.path}", {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Static Ads Lab API, simulated",
            "version": "1",
            "description": "What the offline simulator answers. No ad is real, nothing is billed.",
        },
        "servers": [{"url": url}],
        "security": [{"api_key": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(calls),
            "responses": error_responses(SCHEMAS),
            "headers": RATE_LIMIT_HEADERS,
            "securitySchemes": {
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _schemas(calls: list[Operation]) -> dict[str, Any]:
    """All models that calls take or answer, and all that these consist of."""
    answers = {call.response_model for call in calls} | {ErrorAnswer}
    bodies = {body for call in calls for body in (call.json, call.form) if body}
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((model, "serialization") for model in sorted(answers, key=_name)),
        *((model, "validation") for model in sorted(bodies, key=_name)),
    ]
    _, schemas = models_json_schema(modes, ref_template=SCHEMAS + "{model}")
    found: dict[str, Any] = schemas["$defs"]
    return found


def _name(model: type[BaseModel]) -> str:
    return model.__name__


def _operation(call: Operation) -> dict[str, Any]:
    """One call."""
    described: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.name.replace("_", " ").capitalize(),
        "tags": [call.path.partition("/")[0]],
        "parameters": [*_in_path(call), *_in_query(call)],
        "responses": {
            str(call.status): success_response(call, SCHEMAS),
            **refusals(call),
        },
    }
    if call.scope is not None:
        described["description"] = f"The API key needs the scope `{call.scope}`."
    if call.method in ("POST", "PATCH"):
        described["parameters"].append(_IDEMPOTENCY_KEY)
    bodies = {"application/json": call.json, "multipart/form-data": call.form}
    content = {
        kind: {"schema": {"$ref": SCHEMAS + _name(body)}} for kind, body in bodies.items() if body
    }
    if content:
        described["requestBody"] = {"required": True, "content": content}
    return described


def _in_path(call: Operation) -> list[dict[str, Any]]:
    """The ids in a path, each of its own kind."""
    kinds = {"{id}": call.noun, "{version}": "image ad version"}
    return [
        {
            "name": part.strip("{}"),
            "in": "path",
            "required": True,
            "schema": {"type": "string"}
            | ({"pattern": f"^{PREFIXES[noun]}_"} if (noun := kinds[part]) else {}),
        }
        for part in call.path.split("/")
        if part in kinds
    ]


def _in_query(call: Operation) -> list[dict[str, Any]]:
    """What a list can be asked for."""
    if call.query is None:
        return []
    fields = call.query.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": _without_null(schema),
            "style": "form",
            "explode": False,
        }
        for name, schema in fields.items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of what can be left out: a query has no word for null."""
    kept: dict[str, Any] = {n: v for n, v in schema.items() if n not in ("anyOf", "default")}
    (member,) = [m for m in schema.get("anyOf", [{}]) if m.get("type") != "null"]
    default = schema.get("default")
    return {**kept, **member, **({} if default is None else {"default": default})}
