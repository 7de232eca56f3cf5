"""A description of the API as its pages have it, with references and alternatives."""

from __future__ import annotations

from typing import Any

from prefect_staticadslab.contract.calls import CALLS, TEMPLATE_UPLOAD, Call
from prefect_staticadslab.contract.checks.schemas import json_types
from prefect_staticadslab.contract.kinds import DESIGN_TEMPLATES, IMAGE_ADS, KINDS

JSON = "application/json"


def description() -> dict[str, Any]:
    """An OpenAPI document that has all that the client asks, sends and reads, and more."""
    paths: dict[str, Any] = {}
    for call in CALLS:
        paths.setdefault(call.path.replace("{id}", "{some_id}"), {})[call.method.lower()] = (
            _operation(call)
        )
    return {
        "openapi": "3.1.0",
        "paths": paths,
        "components": {
            "schemas": {
                "Meta": {"type": "object", "properties": {"request_id": {"type": "string"}}},
                **{kind.model.__name__: _schema(kind.model) for kind in KINDS},
            }
        },
    }


def _operation(call: Call) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string"}} for name in call.filters
        ],
        "responses": {"200": {"content": {JSON: {"schema": _envelope(call)}}}},
    }
    content: dict[str, Any] = {}
    if call.sends:
        content[JSON] = {"schema": _object(call.sends | {"something_new"})}
    if call.uploads:
        content["multipart/form-data"] = {"schema": _object(call.uploads)}
    if (call.method, call.path) == ("POST", DESIGN_TEMPLATES.path):
        content["multipart/form-data"] = {"schema": _object(TEMPLATE_UPLOAD)}
    if content:
        operation["requestBody"] = {"content": content}
    if (call.method, call.path) == ("POST", IMAGE_ADS.path):
        content[JSON]["schema"]["required"] = ["brand_id", "product_id"]
    return operation


def _envelope(call: Call) -> dict[str, Any]:
    data: dict[str, Any] = _object(call.fields)
    if call.model is not None:
        name = call.model.__name__
        known = name in {kind.model.__name__ for kind in KINDS}
        data = {"$ref": f"#/components/schemas/{name}"} if known else _schema(call.model)
    if call.is_list:
        data = {"type": "array", "items": data}
    meta = {"properties": {"meta": {"$ref": "#/components/schemas/Meta"}}}
    return {"allOf": [{"type": "object", "properties": {"data": data}}, meta]}


def _schema(model: Any) -> dict[str, Any]:
    properties = {
        name: {"anyOf": [{"type": sorted(types)}, {"type": "null"}]}
        for name, types in json_types(model).items()
    }
    return {"type": "object", "properties": properties}


def _object(names: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {} for name in sorted(names)}}
