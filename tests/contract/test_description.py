"""The API's own description is held against what the client asks, sends and reads."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from prefect_staticadslab.api.models import Account, ImageAd
from prefect_staticadslab.api.resources import Brand
from prefect_staticadslab.contract.calls import CALLS
from prefect_staticadslab.contract.checks.description import Description, served
from prefect_staticadslab.contract.checks.schemas import Document, json_types
from prefect_staticadslab.contract.probes.free import DESCRIBED
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Verdict
from prefect_staticadslab.simulator.http.routes import api_routes
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI
from tests.contract.command import Contract
from tests.contract.described import JSON, description
from tests.contract.deviating import Answer, Deviation, deviating

Change = Callable[[dict[str, Any]], object]


def sights(document: dict[str, Any]) -> dict[str, tuple[Verdict, str]]:
    """What is seen of a description, by the names of the assumptions."""
    described = Description.of(document)
    seen = (
        described.calls(),
        described.answers(),
        described.bodies(),
        described.filters(),
        described.template_upload(),
    )
    return {name: (each.verdict, each.text) for name, each in zip(DESCRIBED, seen, strict=True)}


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    properties: dict[str, Any] = document["components"]["schemas"][name]["properties"]
    return properties


def operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path][method]
    return found


def no_restore(document: dict[str, Any]) -> None:
    del document["paths"]["/v1/design-templates/{some_id}/restore"]


def no_patch_of_brands(document: dict[str, Any]) -> None:
    del document["paths"]["/v1/brands/{some_id}"]["patch"]


def no_sku_code(document: dict[str, Any]) -> None:
    del schema(document, "ImageAd")["sku_code"]


def palettes_as_texts(document: dict[str, Any]) -> None:
    schema(document, "Brand")["color_palettes"] = {"type": "string"}


def another_name_of_the_template(document: dict[str, Any]) -> None:
    content = operation(document, "post", "/v1/image-ads")["requestBody"]["content"][JSON]
    properties = content["schema"]["properties"]
    properties["template_id"] = properties.pop("design_template_id")


def one_more_is_required(document: dict[str, Any]) -> None:
    content = operation(document, "post", "/v1/image-ads")["requestBody"]["content"][JSON]
    content["schema"]["required"].append("campaign_id")


def no_filter_by_ids(document: dict[str, Any]) -> None:
    parameters = operation(document, "get", "/v1/image-ads")["parameters"]
    parameters[:] = [each for each in parameters if each["name"] != "ids"]


def template_of_an_image_id(document: dict[str, Any]) -> None:
    body = operation(document, "post", "/v1/design-templates")["requestBody"]
    body["content"] = {JSON: {"schema": {"properties": {"image_id": {}}, "required": ["image_id"]}}}


@pytest.mark.parametrize(
    ("change", "finds", "told"),
    [
        (no_restore, "described-calls", "POST /v1/design-templates/{id}/restore"),
        (no_patch_of_brands, "described-calls", "PATCH /v1/brands/{id}"),
        (no_sku_code, "described-answers", "GET /v1/image-ads: no sku_code"),
        (palettes_as_texts, "described-answers", "POST /v1/brands: color_palettes is string"),
        (another_name_of_the_template, "described-bodies", "no design_template_id"),
        (one_more_is_required, "described-bodies", "campaign_id is required"),
        (no_filter_by_ids, "described-filters", "GET /v1/image-ads?ids="),
        (template_of_an_image_id, "described-template-upload", "it takes image_id"),
    ],
)
def test_what_a_description_lacks_is_told(change: Change, finds: str, told: str) -> None:
    document = description()
    change(document)
    seen = sights(document)
    assert {name for name, (verdict, _) in seen.items() if verdict is Verdict.DIFFERS} == {finds}
    assert told in seen[finds][1]


def test_a_description_that_has_everything_holds() -> None:
    assert {verdict for verdict, _ in sights(description()).values()} == {Verdict.HOLDS}


def test_versions_in_the_servers_address_and_parameters_of_the_path_are_read() -> None:
    document = description()
    document["paths"] = {path.removeprefix("/v1"): item for path, item in document["paths"].items()}
    shared = document["paths"]["/image-ads"]["get"].pop("parameters")
    document["paths"]["/image-ads"]["parameters"] = shared
    assert {verdict for verdict, _ in sights(document).values()} == {Verdict.HOLDS}


def test_a_description_without_anything_raises_nothing() -> None:
    seen = sights({"openapi": "3.1.0"})
    assert seen["described-calls"][0] is Verdict.DIFFERS
    assert seen["described-answers"][0] is Verdict.UNSEEN


def test_a_description_that_refers_to_itself_ends() -> None:
    document = Document({"A": {"$ref": "#/A"}, "B": {"allOf": [{"$ref": "#/B"}], "type": "object"}})
    assert document.properties({"$ref": "#/A"}) == {}
    assert document.types({"$ref": "#/B"}) == {"object"}
    assert document.required({"$ref": "#/B"}) == frozenset()


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "string"}, {"string"}),
        ({"type": ["string", "null"]}, {"string", "null"}),
        ({"type": "string", "nullable": True}, {"string", "null"}),
        ({"enum": ["a", None]}, {"string", "null"}),
        ({"const": True}, {"boolean"}),
        ({"properties": {}}, {"object"}),
        ({"oneOf": [{"type": "array"}, {"type": "object"}]}, {"array", "object"}),
    ],
)
def test_the_types_of_a_schema(schema: dict[str, Any], types: set[str]) -> None:
    assert Document({}).types(schema) == types


def test_a_schema_that_says_nothing_is_of_any_type() -> None:
    assert {"object", "string", "number"} <= Document({}).types({})


def test_what_models_can_read() -> None:
    assert json_types(Brand)["color_palettes"] == {"object", "array"}
    assert json_types(ImageAd)["width"] == {"integer", "number"}
    assert {"object", "string"} <= json_types(Account)["organization"]


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply("GET", "/openapi.json", 200, {}, {"openapi": "3.1.0", "paths": {}}), Verdict.HOLDS),
        (Reply("GET", "/openapi.json", 404), Verdict.UNSEEN),
        (Reply("GET", "/openapi.json", 200, {}, {"swagger": "2.0"}), Verdict.DIFFERS),
        (Reply("GET", "/openapi.json", 200, {"content-type": "text/html"}), Verdict.DIFFERS),
    ],
)
def test_whether_there_is_a_description(reply: Reply, verdict: Verdict) -> None:
    assert served(reply).verdict is verdict


def test_the_command_reads_the_description(contract: Contract) -> None:
    document = description()
    no_sku_code(document)

    def serve(answer: Answer) -> None:
        answer.status, answer.body = 200, copy.deepcopy(document)
        answer.headers["content-type"] = JSON

    at_its_place = Deviation("", lambda answer: answer.path == "/openapi.json", serve)
    with deviating(at_its_place) as server:
        run = contract.against(server)
    assert run.named("differs") == {"described-answers"}
    assert {"description", *DESCRIBED} - {"described-answers"} <= run.named("holds")


def test_the_calls_are_those_that_the_api_has() -> None:
    routes = {
        (method, re.sub(r"\{\w+\}", "{id}", route.path))
        for route in api_routes(SimulatedAPI())
        for method in (route.methods or set()) - {"HEAD"}
        if route.path.startswith("/v1/")
    }
    only_in_the_cookbook = {("GET", "/v1/jobs/{id}")}
    assert {(call.method, call.path) for call in CALLS} == routes - only_in_the_cookbook
