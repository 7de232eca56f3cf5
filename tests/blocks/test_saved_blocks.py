"""Blocks as code, on a real Prefect server: saved once, never silently replaced, and one key."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_staticadslab import ImageAdJob, StaticAdsLabCredentials
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.blocks.saving import Capture, Environment, documents, save
from tests.conftest import ROOT, free_port

pytestmark = pytest.mark.usefixtures("environment")

KIT = """\
[roast]
brand = "Harbor Roast"
product = "Cold Brew Kit"
audience = "Commuters"
design_template = "ad_format=Sale"
prompt = "Steam"
"""


@pytest.fixture
def kits(tmp_path: Path) -> Path:
    """A file of brand kits."""
    path = tmp_path / "kits.toml"
    path.write_text(KIT)
    return path


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
