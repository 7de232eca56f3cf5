"""Blocks as code, on a real Prefect server: saved once, never silently replaced, and one key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools import validate

from prefect_staticadslab import ImageAdJob, ImageAdOptions, StaticAdsLabCredentials
from prefect_staticadslab.cli.commands.blocks import main as save_command
from prefect_staticadslab.flows.create_ads import create_ads
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import ROOT, free_port, simulated_ids
from tests.support.processes import run

Environment = dict[str, str]
Capture = pytest.CaptureFixture[str]

SLUGS = ["static-ads-lab-credentials", "static-ads-lab-image-ad-job"]

KIT = """\
[roast]
brand = "Harbor Roast"
product = "Cold Brew Kit"
audience = "Commuters"
design_template = "ad_format=Sale"
prompt = "Steam"
"""


@pytest.fixture(autouse=True)
def environment(
    prefect_server: Environment, simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Environment]:
    """A server without blocks of ours, and a key."""
    monkeypatch.setenv("SAL_API_KEY", SIMULATOR_API_KEY)
    monkeypatch.setenv("SAL_BASE_URL", simulator.url)
    forget(prefect_server)
    yield prefect_server
    forget(prefect_server)


def documents(environment: Environment) -> dict[str, Any]:
    """All saved blocks of ours by name, as the server tells them."""
    url = f"{environment['PREFECT_API_URL']}/block_documents/filter"
    wanted = {"block_types": {"slug": {"any_": SLUGS}}, "include_secrets": True}
    return {each["name"]: each for each in httpx.post(url, json=wanted).json()}


def forget(environment: Environment) -> None:
    for each in documents(environment).values():
        httpx.delete(f"{environment['PREFECT_API_URL']}/block_documents/{each['id']}")


@pytest.fixture
def kits(tmp_path: Path) -> Path:
    """A file of brand kits."""
    path = tmp_path / "kits.toml"
    path.write_text(KIT)
    return path


def save(capsys: Capture, *arguments: str | Path) -> tuple[int, str]:
    """Runs the command. Returns its status and all that it told."""
    status = save_command([*map(str, arguments)])
    told = capsys.readouterr()
    assert SIMULATOR_API_KEY not in told.out + told.err
    return status, told.out + told.err


# The catalogue


def test_the_catalogue_has_the_block_types_with_all_that_describes_them(
    environment: Environment, capsys: Capture
) -> None:
    status, told = save(capsys)
    assert status == 0
    assert "Block types:  Static Ads Lab Credentials, Static Ads Lab Image Ad Job" in told
    url = f"{environment['PREFECT_API_URL']}/block_types/filter"
    served = {each["slug"]: each for each in httpx.post(url, json={}).json()}
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
    url = f"{environment['PREFECT_API_URL']}/block_types/slug/{slug}"
    example: str = httpx.get(url).json()["code_example"]
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
    answer = httpx.patch(
        f"{environment['PREFECT_API_URL']}/block_documents/{saved['id']}",
        json={"data": {"options": values}, "merge_existing_data": True},
    )
    assert answer.is_success, answer.text
    for _ in values:
        loaded = ImageAdJob.load("the-kit")
        assert isinstance(loaded, ImageAdJob)
        assert loaded.options == ImageAdOptions(generate_copy=copy)
        loaded.save("the-kit", overwrite=True)
    assert documents(environment)["the-kit"]["data"]["options"] == saved["data"]["options"]


# The key


def test_the_credentials_block_is_checked_saved_and_not_overwritten(
    environment: Environment, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert save(capsys, "--name", "mine", "--check")[0] == 1
    assert documents(environment) == {}
    status, told = save(capsys, "--name", "mine")
    assert status == 0
    assert "Organization: Simulated Shops" in told
    assert "image_ads:write" in told
    assert "Block 'mine' is saved." in told
    assert "Block 'mine' is there already, and the same." in save(capsys, "--name", "mine")[1]
    assert save(capsys, "--name", "mine", "--check")[0] == 0

    with SimulatorServer() as other:
        monkeypatch.setenv("SAL_BASE_URL", other.url)
        for arguments in (("--name", "mine"), ("--name", "mine", "--check")):
            status, told = save(capsys, *arguments)
            assert status == 1
            assert "Block 'mine': base_url is 'http://127.0.0.1:" in told
            assert f"and '{other.url}' in the environment." in told
        assert StaticAdsLabCredentials.load_saved("mine").base_url != other.url
        status, told = save(capsys, "--name", "mine", "--overwrite")
        assert status == 0
        assert "Block 'mine' is replaced: base_url was 'http://127.0.0.1:" in told
        assert StaticAdsLabCredentials.load_saved("mine").base_url == other.url


@pytest.mark.parametrize(
    ("key", "says"), [("sal_live_wrong", "does not accept the key"), ("Bearer sal_x", "Bearer")]
)
def test_a_key_that_is_wrong_is_not_saved(
    environment: Environment,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    says: str,
) -> None:
    monkeypatch.setenv("SAL_API_KEY", key)
    status, told = save(capsys, "--overwrite")
    assert (status, told.startswith("Nothing was saved.\n"), says in told) == (2, True, True)
    assert documents(environment) == {}


def test_without_a_key_the_saved_one_is_checked_and_used(
    environment: Environment, capsys: Capture, kits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SAL_API_KEY")
    status, told = save(capsys, kits)
    assert status == 2
    assert "set the environment variable SAL_API_KEY" in told
    assert "There is no saved block 'static-ads-lab' either." in told
    monkeypatch.setenv("SAL_API_KEY", SIMULATOR_API_KEY)
    assert save(capsys)[0] == 0
    monkeypatch.delenv("SAL_API_KEY")
    monkeypatch.delenv("SAL_BASE_URL")
    status, told = save(capsys, kits)
    assert status == 0
    assert told.startswith("SAL_API_KEY is not set: this is the saved block 'static-ads-lab'.\n")
    assert "Brand kit 'roast' is saved" in told
    assert save(capsys, kits, "--check")[0] == 0


# Brand kits


def test_the_example_is_saved_and_one_of_it_lacks_only_the_prompt(
    capsys: Capture, simulator: SimulatorServer
) -> None:
    status, told = save(capsys, ROOT / "examples" / "brand_kits.toml")
    assert (status, told.count("is saved")) == (0, 4)
    assert "(Harbor Roast)" in told
    job = ImageAdJob.load("harbor-roast-sale")
    assert isinstance(job, ImageAdJob)
    job.trigger(prompt="Only this is typed")
    assert [each.body["prompt"] for each in simulator.api.jobs.values()] == ["Only this is typed"]
    editable = ImageAdJob.load("lumiere-editable")
    assert isinstance(editable, ImageAdJob)
    assert editable.editable


def test_the_key_is_kept_in_one_place_and_a_new_one_reaches_the_brand_kits(
    environment: Environment, capsys: Capture, kits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert save(capsys, kits)[0] == 0
    saved = documents(environment)
    reference = saved["roast"]["block_document_references"]["credentials"]["block_document"]
    assert (reference["name"], reference["id"]) == (
        "static-ads-lab",
        saved["static-ads-lab"]["id"],
    )
    with SimulatorServer() as other:
        monkeypatch.setenv("SAL_BASE_URL", other.url)
        assert save(capsys, "--overwrite")[0] == 0
        job = ImageAdJob.load("roast")
        assert isinstance(job, ImageAdJob)
        assert job.credentials.base_url == other.url


def test_a_brand_kit_that_differs_stays_while_new_ones_are_saved(
    environment: Environment, capsys: Capture, kits: Path
) -> None:
    assert save(capsys, kits)[0] == 0
    kits.write_text(
        KIT.replace("Steam", "Smoke").replace("Commuters", "Home baristas")
        + 'generate_copy = false\n[new]\nbrand = "Fernweh Outdoor"\n'
    )
    differs = "Brand kit 'roast': prompt is 'Steam' in Prefect and 'Smoke' in the file."
    before = documents(environment)
    status, told = save(capsys, kits, "--check")
    assert (status, differs in told) == (1, True)
    assert "Brand kit 'new' is not there." in told
    assert documents(environment) == before

    status, told = save(capsys, kits)
    assert (status, differs in told) == (1, True)
    assert "(Commuters) in Prefect and aud_" in told
    assert "generate_copy is not set in Prefect and false in the file" in told
    assert "Brand kit 'new' is saved" in told
    assert "Replace it with --overwrite." in told
    after = documents(environment)
    assert after["roast"] == before["roast"]
    assert "new" in after

    status, told = save(capsys, kits, "--overwrite")
    assert status == 0
    assert "Brand kit 'roast' is replaced: prompt was 'Steam' and is now 'Smoke'." in told
    assert "Brand kit 'new' is there already, and the same." in told
    assert documents(environment)["roast"]["data"]["options"]["generate_copy"] == "No"
    kits.write_text(KIT)
    assert save(capsys, kits, "--overwrite")[0] == 0
    assert documents(environment)["roast"]["data"]["options"]["generate_copy"] == (
        "As Static Ads Lab decides"
    )
    assert save(capsys, kits, "--check")[0] == 0


def test_a_copy_of_a_key_in_a_brand_kit_is_told_and_becomes_a_reference(
    environment: Environment, capsys: Capture, kits: Path
) -> None:
    ImageAdJob(credentials=StaticAdsLabCredentials.from_environment(), brand_id="brand_1").save(
        "roast"
    )
    assert documents(environment)["roast"]["block_document_references"] == {}
    status, told = save(capsys, kits)
    assert status == 1
    assert (
        "Brand kit 'roast': credentials is a copy of a key in Prefect "
        "and the block 'static-ads-lab' in the file."
    ) in told
    assert save(capsys, kits, "--overwrite")[0] == 0
    saved = documents(environment)["roast"]
    assert saved["block_document_references"]["credentials"]["block_document"]["name"] == (
        "static-ads-lab"
    )
    assert save(capsys, kits, "--check")[0] == 0


def test_brand_kits_are_looked_up_with_the_keys_that_they_refer_to(
    environment: Environment,
    capsys: Capture,
    kits: Path,
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kits.write_text(KIT + '[theirs]\ncredentials = "their-key"\nbrand = "Harbor Roast"\n')
    status, told = save(capsys, kits)
    assert status == 2
    assert "Brand kit theirs, credentials: There is no saved credentials block" in told
    with SimulatorServer() as other:
        monkeypatch.setenv("SAL_BASE_URL", other.url)
        assert save(capsys, "--name", "their-key")[0] == 0
        asked = len(other.api.admitted)
        monkeypatch.setenv("SAL_BASE_URL", simulator.url)
        assert save(capsys, kits)[0] == 0
        assert len(other.api.admitted) > asked
    reference = documents(environment)["theirs"]["block_document_references"]["credentials"]
    assert reference["block_document"]["name"] == "their-key"


def test_brand_kits_are_looked_up_with_the_saved_key_if_that_one_stays(
    capsys: Capture, kits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimulatorServer() as gone:
        monkeypatch.setenv("SAL_BASE_URL", gone.url)
        assert save(capsys)[0] == 0
        url = gone.url
    with SimulatorServer() as other:
        monkeypatch.setenv("SAL_BASE_URL", other.url)
        status, told = save(capsys, kits)
        assert status == 2
        assert f"The API at {url} did not answer" in told
        assert "differs from the environment. Replace it with --overwrite." in told
        assert save(capsys, kits, "--overwrite")[0] == 0


def test_nothing_is_saved_if_anything_in_the_file_is_wrong(
    environment: Environment, capsys: Capture, kits: Path
) -> None:
    kits.write_text(KIT + '[Bad]\nbrand = "Harbour"\nsize = 1\n[c]\nproduct_id = "prod_nope"\n')
    status, told = save(capsys, kits)
    assert status == 2
    problems = told[told.index("Nothing was saved.") :].splitlines()[1:]
    assert len(problems) == 4, problems
    assert documents(environment) == {}
    kits.write_text("")
    assert save(capsys, kits)[0] == 2
    assert documents(environment) == {}


def test_yaml_and_toml_save_the_same(capsys: Capture, kits: Path, tmp_path: Path) -> None:
    assert save(capsys, kits)[0] == 0
    yaml = tmp_path / "kits.yaml"
    yaml.write_text(
        "roast:\n  brand: Harbor Roast\n  product: Cold Brew Kit\n  audience: Commuters\n"
        "  design_template: ad_format=Sale\n  prompt: Steam\n"
    )
    assert save(capsys, yaml, "--check")[0] == 0


# Prefect


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:{free}/api", "does not answer"),
        ("nonsense", "does not answer"),
        ("{simulator}/api", "It ends in /api."),
    ],
)
def test_without_prefects_server_the_command_says_what_to_do(
    capsys: Capture, simulator: SimulatorServer, url: str, says: str
) -> None:
    url = url.format(free=free_port(), simulator=simulator.url)
    with temporary_settings({PREFECT_API_URL: url}):
        status, told = save(capsys)
    assert status == 2
    assert told.startswith("Nothing was saved.\nPrefect's server at "), told
    assert says in told
