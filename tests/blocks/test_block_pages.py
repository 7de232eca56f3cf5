"""What Prefect's pages show of the blocks: the catalogue, an example to paste, and forms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools import validate

from prefect_staticadslab import ImageAdJob, ImageAdOptions, StaticAdsLabCredentials
from prefect_staticadslab.flows.create_ads import create_ads
from prefect_staticadslab.simulator import SimulatorServer
from tests.blocks.saving import SLUGS, Capture, Environment, documents, save
from tests.conftest import simulated_ids
from tests.support.prefect_api import ask_prefect
from tests.support.processes import run

pytestmark = pytest.mark.usefixtures("environment")

# The catalogue


def test_the_catalogue_has_the_block_types_with_all_that_describes_them(
    environment: Environment, capsys: Capture
) -> None:
    status, told = save(capsys)
    assert status == 0
    assert "Block types:  Static Ads Lab Credentials, Static Ads Lab Image Ad Job" in told
    url = environment["PREFECT_API_URL"]
    served = {each["slug"]: each for each in ask_prefect(url, "POST", "/block_types/filter", {})}
    names = ["Static Ads Lab Credentials", "Static Ads Lab Image Ad Job"]
    logos = ["secret.png", "webhook.png"]
    for slug, name, logo in zip(SLUGS, names, logos, strict=True):
        block_type = served[slug]
        assert block_type["name"] == name
        assert "/PrefectHQ/prefect/" in block_type["logo_url"]
        assert block_type["logo_url"].endswith(f"/block-logos/{logo}")
        assert block_type["documentation_url"].startswith("https://")
        assert block_type["description"].endswith(".")
        assert "\n" not in block_type["description"]
        assert "Block" not in block_type["description"]
        assert "Attributes" not in block_type["description"]


def pasted_example(environment: Environment, slug: str, name: str) -> str:
    """What the page of a saved block shows to be pasted.

    As both of Prefect's UIs make it: of the first block of Python, with the block's name in place
    of the first BLOCK_NAME; and what the server escaped stays so in the older one.
    """
    url = environment["PREFECT_API_URL"]
    example: str = ask_prefect(url, "GET", f"/block_types/slug/{slug}")["code_example"]
    found = re.search(r"```python([\S\s]*?)```", example)
    assert found
    return found[1].replace("BLOCK_NAME", name, 1).strip()


def test_what_the_page_of_a_saved_block_shows_runs_as_it_is_pasted(
    environment: Environment,
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    credentials = StaticAdsLabCredentials.from_environment()
    credentials.save("the-key")
    ImageAdJob.model_validate({"credentials": credentials, **simulated_ids()}).save("the-kit")
    # The page says what to load, and no more.
    monkeypatch.delenv("SAL_API_KEY")
    monkeypatch.delenv("SAL_BASE_URL")
    told = []
    for slug, name in zip(SLUGS, ["the-key", "the-kit"], strict=True):
        file = tmp_path / f"{name}.py"
        file.write_text(pasted_example(environment, slug, name), encoding="utf-8")
        status, out, err = run(str(file), env=environment)
        assert status == 0, err
        told.append(out + err)
    assert "Simulated Shops" in told[0]
    [job] = simulator.api.jobs.values()
    assert job.body["prompt"] == "Iced, by the sea"
    assert f"/{job.id}" in told[1]


# What is asked for in forms, and what is saved of it


def parts_of(schema: object) -> Iterator[dict[str, Any]]:
    """A JSON schema with all that is in it."""
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else []:
        yield from parts_of(part)


def test_the_forms_ask_in_words_and_with_drop_downs() -> None:
    schema = ImageAdJob.model_json_schema()
    parts = list(parts_of(schema))
    assert not any("anyOf" in part or part.get("type") == "null" for part in parts)
    titles = {part["title"] for part in parts if isinstance(part.get("title"), str)}
    # By these Prefect finds what a block in a run's parameters must be; see the test below.
    assert {title for title in titles if re.search("[a-z][A-Z]", title)} == {
        "ImageAdJob",
        "StaticAdsLabCredentials",
    }
    assert [field["title"] for field in schema["properties"].values()][:2] == [
        "Credentials",
        "Design template",
    ]
    asked = [part["enum"] for part in parts if "enum" in part]
    assert asked == [["As Static Ads Lab decides", "Yes", "No"]] * 2


def test_a_saved_kit_is_a_parameter_that_prefect_takes() -> None:
    """Its server looks a block's definition up by the title, and finds only the class's name."""
    form = parameter_schema(create_ads).model_dump()
    parameters = {"brand_kit": {"$ref": {"block_document_id": str(UUID(int=1))}}, "ads": []}
    assert validate(parameters, form) == []
    assert validate({**parameters, "brand_kit": {}}, form) != []


@pytest.mark.parametrize("copy", [None, True, False])
def test_a_kit_is_read_as_it_was_saved_in_words_or_as_values(
    environment: Environment, copy: bool | None
) -> None:
    credentials = StaticAdsLabCredentials.from_environment()
    made = {"credentials": credentials, "options": {"generate_copy": copy}}
    ImageAdJob.model_validate(made).save("the-kit")
    saved = documents(environment)["the-kit"]
    words = {None: "As Static Ads Lab decides", True: "Yes", False: "No"}
    assert saved["data"]["options"] == {
        "generate_ai_images": words[None],
        "generate_copy": words[copy],
    }
    # What earlier versions saved.
    values = {"generate_ai_images": None, "generate_copy": copy}
    ask_prefect(
        environment["PREFECT_API_URL"],
        "PATCH",
        f"/block_documents/{saved['id']}",
        {"data": {"options": values}, "merge_existing_data": True},
    )
    for _ in values:
        loaded = ImageAdJob.load("the-kit")
        assert isinstance(loaded, ImageAdJob)
        assert loaded.options == ImageAdOptions(generate_copy=copy)
        loaded.save("the-kit", overwrite=True)
    assert documents(environment)["the-kit"]["data"]["options"] == saved["data"]["options"]
